//! How to bring a user to the login: what is around the client, and what the account allows.
//!
//! Pure, but for reading the environment.

use std::env;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use nix::unistd::gethostname;

use super::super::terminal::can_be_typed_into;
use crate::cli::LoginOptions;
use crate::paths::named_socket;
use crate::protocol::LoginOffer;
use crate::shell_word::shell_word;

/// The port of an ssh server that nobody needs to name.
const SSH_PORT: &str = "22";

/// A way to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Open a browser here; the listener hears of the end.
    Browser,
    /// Print the URL; the listener hears of the end.
    Url,
    /// Print the URL; the listener hears of the end, or the user pastes where the browser ended.
    Paste,
    /// Show the code that the offer has.
    Code,
    /// Show the code that the offer has, and open a browser.
    CodeInBrowser,
    /// Ask the server again, for a code.
    AskForCode,
}

/// What is around the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// `$BROWSER`, which whoever sets it wants used wherever they are.
    pub(super) browser: Option<String>,
    /// Whether the session is over ssh.
    pub(super) ssh: bool,
    /// Whether a window can be opened.
    pub(super) display: bool,
    /// What to name after `ssh`, to come here.
    pub(super) host: String,
    /// Whether something can be typed in.
    pub(super) terminal: bool,
    /// Whether the server, and with it the listener, may be on another machine.
    pub(super) elsewhere: bool,
}

impl Surroundings {
    pub(super) fn read() -> Self {
        let host_name = gethostname().map(|name| name.to_string_lossy().into_owned());
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            terminal: can_be_typed_into(io::stdin().as_fd()),
            elsewhere: named_socket().is_some(),
            ..Self::of(variable, &host_name.unwrap_or_default())
        }
    }

    fn of(variable: impl Fn(&str) -> Option<String>, host_name: &str) -> Self {
        let connection = variable("SSH_CONNECTION");
        let display = ["DISPLAY", "WAYLAND_DISPLAY"];
        Self {
            browser: variable("BROWSER"),
            ssh: connection.is_some() || variable("SSH_TTY").is_some(),
            display: cfg!(target_os = "macos") || display.iter().any(|it| variable(it).is_some()),
            host: connection
                .and_then(|connection| server(&connection))
                .unwrap_or_else(|| this_host(host_name)),
            terminal: false,
            elsewhere: false,
        }
    }

    /// Why no browser can be opened here, where that is so.
    pub(super) fn no_browser(&self) -> Option<String> {
        let why = match (self.browser.is_some(), self.ssh, self.display) {
            (true, ..) => return None,
            _ if self.elsewhere => "the server may be on another machine (PIZAUTH_SOCKET is set)",
            (_, false, true) => return None,
            (_, true, _) => "this session is over ssh",
            (_, false, false) => "there is no display",
        };
        Some(format!("no browser is opened: {why}"))
    }

    /// What there is without a browser and without a code.
    pub(super) fn without_code(&self) -> Way {
        match self.terminal {
            true => Way::Paste,
            false => Way::Url,
        }
    }

    /// The listener's port, where the listener is on this machine.
    fn port_here(&self, offer: &LoginOffer) -> Option<u16> {
        offer.redirect_port.filter(|_| !self.elsewhere)
    }

    /// How a browser on another machine reaches the listener.
    pub(super) fn tunnel_line(&self, offer: &LoginOffer) -> String {
        let Some(port) = self.port_here(offer) else {
            return String::new();
        };
        format!(
            "or, before that, on the machine with the browser run:\n\n    \
             ssh -L {port}:localhost:{port} {}\n\n\
             (with the name that you have for this machine); then nothing needs to be pasted\n\n",
            self.host
        )
    }

    /// What to do where nothing can be typed in.
    pub(super) fn elsewhere(&self, offer: &LoginOffer) -> String {
        let account = shell_word(&offer.account);
        let tunnel = match self.port_here(offer) {
            Some(port) => format!(
                "on the machine with the browser run first:\n\n    \
                 ssh -L {port}:localhost:{port} {}\n\nor ",
                self.host
            ),
            None => String::new(),
        };
        format!(
            "{tunnel}afterwards give the address that the browser ends at to \
             'pizauth complete {account}'"
        )
    }

    /// What is said before the prompt.
    pub(super) fn how_to_paste(&self, offer: &LoginOffer) -> String {
        let place = match offer.redirect_port {
            Some(port) => format!("'localhost:{port}'"),
            None => "'localhost'".to_owned(),
        };
        let machine = match self.elsewhere {
            true => "the server's",
            false => "this",
        };
        format!(
            "in a browser on any machine. After the login it is sent to {place}, which is there on \
             {machine} machine only:\non another one that page fails, and its address is what to \
             paste here;\n"
        )
    }
}

/// The way that the options say, or else the best that there is.
pub(super) fn choose(options: &LoginOptions, around: &Surroundings, offer: &LoginOffer) -> Way {
    let browser_here = around.no_browser().is_none();
    let quiet = options.device || options.no_browser || options.paste;
    match offer.user_code.is_some() {
        true if browser_here && !quiet => Way::CodeInBrowser,
        true => Way::Code,
        false if options.paste => Way::Paste,
        false if options.no_browser || options.device => Way::Url,
        false if browser_here => Way::Browser,
        false if offer.device_is_possible => Way::AskForCode,
        false => around.without_code(),
    }
}

/// The server's address in `SSH_CONNECTION`, and its port where that has to be named.
fn server(connection: &str) -> Option<String> {
    let mut fields = connection.split_whitespace().skip(2);
    let address: IpAddr = fields.next()?.parse().ok()?;
    let port = fields.next().filter(|port| *port != SSH_PORT);
    let port = port.filter(|port| port.parse::<u16>().is_ok());
    Some(match port {
        Some(port) => format!("-p {port} {address}"),
        None => address.to_string(),
    })
}

fn this_host(name: &str) -> String {
    let part_of_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match !name.is_empty() && name.chars().all(part_of_one) {
        true => name.to_owned(),
        false => "HOST".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Surroundings {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Surroundings::of(variable, "box")
    }

    fn offer(user_code: Option<&str>, device_is_possible: bool) -> LoginOffer {
        LoginOffer {
            account: "work".into(),
            logged_in_until: None,
            login: 1,
            url: "https://e.com/".into(),
            user_code: user_code.map(str::to_owned),
            url_with_code: None,
            code_expires_at: None,
            redirect_port: Some(1420),
            device_is_possible,
        }
    }

    const SSH: (&str, &str) = ("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");

    #[test]
    fn the_best_way_is_chosen() {
        let plain = LoginOptions::default();
        let paste = LoginOptions {
            paste: true,
            ..LoginOptions::default()
        };
        let device = LoginOptions {
            device: true,
            ..LoginOptions::default()
        };
        let none = LoginOptions {
            no_browser: true,
            ..LoginOptions::default()
        };
        let desktop = around(&[("DISPLAY", ":0")]);
        let wayland = around(&[("WAYLAND_DISPLAY", "wayland-0")]);
        let console = around(&[("DUMMY", "")]);
        let ssh = around(&[SSH, ("DISPLAY", "localhost:10.0")]);
        let tty = Surroundings {
            terminal: true,
            ..ssh.clone()
        };
        let own = around(&[SSH, ("BROWSER", "w3m")]);
        let without = offer(None, false);
        let possible = offer(None, true);
        let code = offer(Some("ABCD"), true);
        let headless = if cfg!(target_os = "macos") {
            Way::Browser
        } else {
            Way::Url
        };
        let cases = [
            (&plain, &desktop, &without, Way::Browser),
            (&plain, &wayland, &possible, Way::Browser),
            (&plain, &desktop, &code, Way::CodeInBrowser),
            (&plain, &own, &possible, Way::Browser),
            (&plain, &console, &without, headless),
            (&plain, &ssh, &without, Way::Url),
            (&plain, &ssh, &possible, Way::AskForCode),
            (&plain, &ssh, &code, Way::Code),
            (&plain, &tty, &without, Way::Paste),
            (&plain, &tty, &possible, Way::AskForCode),
            (&paste, &desktop, &possible, Way::Paste),
            (&paste, &desktop, &code, Way::Code),
            (&device, &desktop, &code, Way::Code),
            (&device, &desktop, &without, Way::Url),
            (&none, &desktop, &possible, Way::Url),
            (&none, &desktop, &code, Way::Code),
        ];
        for (options, around, offer, expected) in cases {
            let way = choose(options, around, offer);
            assert_eq!(way, expected, "{options:?} {around:?} {offer:?}");
        }
    }

    #[test]
    fn a_server_elsewhere_is_not_reached_by_a_browser_here() {
        let forwarded = Surroundings {
            elsewhere: true,
            terminal: true,
            ..around(&[("DISPLAY", ":0")])
        };
        let offer = offer(None, false);
        assert_eq!(
            choose(&LoginOptions::default(), &forwarded, &offer),
            Way::Paste
        );
        assert!(forwarded.no_browser().unwrap().contains("PIZAUTH_SOCKET"));
        assert_eq!(forwarded.tunnel_line(&offer), "");
        assert!(!forwarded.elsewhere(&offer).contains("ssh"));
        let how = forwarded.how_to_paste(&offer);
        assert!(how.contains("the server's machine only"), "{how}");
        let own = Surroundings {
            browser: Some("w3m".into()),
            ..forwarded
        };
        assert_eq!(own.no_browser(), None);
    }

    #[test]
    fn the_ssh_line_is_exact() {
        let cases = [
            (SSH, "192.0.2.2"),
            (("SSH_CONNECTION", "::1 5 2001:db8::1 22"), "2001:db8::1"),
            (
                ("SSH_CONNECTION", "::1 5 192.0.2.2 2222"),
                "-p 2222 192.0.2.2",
            ),
            (("SSH_CONNECTION", "1 2 $(reboot) 4"), "box"),
            (("SSH_CONNECTION", "x"), "box"),
            (("SSH_TTY", "/dev/pts/1"), "box"),
        ];
        for (variable, host) in cases {
            let around = around(&[variable]);
            assert!(around.no_browser().unwrap().contains("over ssh"));
            let line = format!("\n    ssh -L 1420:localhost:1420 {host}\n");
            let text = around.tunnel_line(&offer(None, false));
            assert!(text.contains(&line), "{text}");
            let text = around.elsewhere(&offer(None, false));
            assert!(text.contains(&line), "{text}");
            assert!(text.contains("'pizauth complete work'"), "{text}");
        }
        let mut spaced = offer(None, false);
        spaced.account = "work mail".into();
        let text = around(&[SSH]).elsewhere(&spaced);
        assert!(text.contains("'pizauth complete 'work mail''"), "{text}");
        assert_eq!(this_host(""), "HOST");
        assert_eq!(this_host("a b"), "HOST");
    }
}
