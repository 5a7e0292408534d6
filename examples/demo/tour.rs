//! The walk through a token's life, step by step. What is shown is what happens: each command is
//! really run, and the tour ends where one does not do what it says here.

use std::time::Duration;

use pizauth::clock;
use serde_json::Value;
use url::Url;

use super::home::{Home, Ran};
use super::provider::{CLIENT_ID, LIFETIME, Provider};
use super::stop::{Stop, Trouble, failed};
use super::terminal::Terminal;
use super::{browser, program, visitor};

/// How long before its end a token is refreshed: in the middle of its life.
const AHEAD: Duration = Duration::from_secs(10);
/// How much later than planned a refresh may be on a busy machine.
const DELAY: Duration = Duration::from_secs(15);
/// How often the clock is looked at while a refresh is waited for.
const TICK: Duration = Duration::from_millis(100);
/// The exit statuses of pizauth that are met with here.
const DONE: i32 = 0;
const LOGIN_NEEDED: i32 = 3;

/// The tour, from here on.
struct Tour<'a> {
    terminal: &'a Terminal,
    stop: &'a Stop,
    provider: Provider,
    home: Home,
    steps: usize,
}

/// Walks through everything. Whatever was started has ended when this returns.
pub(crate) fn run(terminal: &Terminal, stop: &Stop, plays_browser: bool) -> Result<(), Trouble> {
    let program = program::find()?;
    stop.check()?;
    terminal.title("pizauth, step by step")?;
    let provider = Provider::start()?;
    let config = config(&provider);
    let home = Home::new(program, &config, stop)?;
    let mut tour = Tour {
        terminal,
        stop,
        provider,
        home,
        steps: 0,
    };
    tour.start(&config)?;
    let url = tour.ask_for_a_token()?;
    tour.log_in(&url, plays_browser)?;
    let token = tour.use_the_token()?;
    let token = tour.refresh(&token)?;
    tour.watch_a_refresh(&token)?;
    tour.end()
}

fn config(provider: &Provider) -> String {
    format!(
        "account \"demo\" {{\n    auth_uri = \"{0}/authorize\";\n    \
         token_uri = \"{0}/token\";\n    client_id = \"{CLIENT_ID}\";\n    \
         scopes = [\"mail.read\", \"mail.send\"];\n    refresh_before_expiry = {1}s;\n}}\n",
        provider.issuer(),
        AHEAD.as_secs()
    )
}

impl Tour<'_> {
    fn step(&mut self, heading: &str) -> Result<(), Trouble> {
        self.stop.check()?;
        self.steps += 1;
        Ok(self.terminal.step(self.steps, heading)?)
    }

    /// Runs `pizauth` before the person's eyes; its exit status must be `expected`.
    fn show(&self, arguments: &[&str], expected: i32) -> Result<Ran, Trouble> {
        self.announce(arguments)?;
        let ran = self.home.run(arguments)?;
        self.report(arguments, ran, expected)
    }

    fn announce(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let line = format!("pizauth {}", arguments.join(" "));
        Ok(self.terminal.command(&line)?)
    }

    fn report(&self, arguments: &[&str], ran: Ran, expected: i32) -> Result<Ran, Trouble> {
        self.terminal.output(&ran.err)?;
        match arguments.first() {
            // A token is a secret, even if it is only one of the demo's.
            Some(&"show") if !ran.out.is_empty() => self.terminal.output(&abbreviated(&ran.out))?,
            _ => self.terminal.output(&ran.out)?,
        }
        if ran.code == Some(LOGIN_NEEDED) {
            self.terminal.remark("(exit status 3: log in first)")?;
        }
        if ran.code == Some(expected) {
            return Ok(ran);
        }
        Err(failed(format!(
            "'pizauth {}' should have ended with exit status {expected}, but did with {}",
            arguments.join(" "),
            ran.code.map_or("a signal".into(), |code| code.to_string())
        )))
    }

    fn start(&mut self, config: &str) -> Result<(), Trouble> {
        let terminal = self.terminal;
        terminal.tell(&format!(
            "An example OAuth2 provider runs at {}, and a pizauth server is about to run beside \
             it. Both are for this machine only, and all files are in {}, which goes at the end.",
            self.provider.issuer(),
            self.home.dir().display()
        ))?;
        self.step("An account, and a server")?;
        terminal.tell("This is all that pizauth.conf needs (see pizauth.conf(5)):")?;
        terminal.file(config)?;
        self.announce(&["server", "-d", "&"])?;
        self.home.start_server()?;
        terminal.tick("The server runs. It keeps tokens in memory, never on disk.")?;
        Ok(())
    }

    /// The URL to log in at.
    fn ask_for_a_token(&mut self) -> Result<String, Trouble> {
        self.step("There is no token yet")?;
        self.terminal.tell(
            "Mail programs run 'pizauth show' for a password. \
             Before the first login, they are told where to go for it:",
        )?;
        let ran = self.show(&["show", "demo"], LOGIN_NEEDED)?;
        let words = ran.err.split_whitespace();
        let mut urls = words.filter(|word| word.starts_with("http://"));
        let url = urls.next().map(str::to_owned);
        url.ok_or_else(|| failed("'pizauth show' does not say where to log in"))
    }

    fn log_in(&mut self, url: &str, plays_browser: bool) -> Result<(), Trouble> {
        self.step("Logging in")?;
        if plays_browser {
            self.terminal
                .tell("The demo plays the browser, and you in front of it (--yes):")?;
            visitor::log_in(url, &self.provider, self.terminal)?;
            self.terminal.blank()?;
        } else if browser::open(url).is_some() {
            self.terminal.tell(
                "Your browser opens the provider's login page. Any name and any password will \
                 do; click on \u{201c}Log in and allow\u{201d}. If nothing opens, open the URL \
                 above yourself.",
            )?;
        } else {
            self.explain_how_to_open(url)?;
        }
        self.announce(&["show", "-u", "--wait=5m", "demo"])?;
        if !plays_browser {
            self.terminal
                .passing("waiting for your login; ctrl-c ends the demo")?;
        }
        let ran = self.home.run(&["show", "-u", "--wait=5m", "demo"]);
        self.terminal.passed()?;
        let ran = ran?;
        match ran.code {
            Some(LOGIN_NEEDED) => Err(failed("nobody has logged in for 5 minutes")),
            Some(DONE) => {
                self.terminal.output(&abbreviated(&ran.out))?;
                self.terminal
                    .tick("You are logged in. This is an access token, shortened here.")?;
                Ok(())
            }
            _ => {
                self.terminal.output(&ran.err)?;
                Err(failed(
                    "the login did not work, so there is no token to show",
                ))
            }
        }
    }

    /// For a machine without a browser.
    fn explain_how_to_open(&self, url: &str) -> Result<(), Trouble> {
        let provider = self.provider.address().port();
        let redirect = redirect_port(url).unwrap_or(provider);
        self.terminal.tell(
            "There seems to be no browser on this machine (BROWSER, DISPLAY and WAYLAND_DISPLAY \
             are unset). Open the URL above in one that runs on it. From another machine, this \
             makes both addresses reachable there first:",
        )?;
        self.terminal.file(&format!(
            "ssh -L {provider}:127.0.0.1:{provider} -L {redirect}:127.0.0.1:{redirect} HOST"
        ))?;
        self.terminal
            .tell("Or end the demo with ctrl-c, and let it play the browser with --yes.")?;
        Ok(())
    }

    /// The token that is good now.
    fn use_the_token(&mut self) -> Result<String, Trouble> {
        self.step("The token works")?;
        self.terminal.tell(&format!(
            "From now on, 'pizauth show' prints a token at once. The provider's tokens live for \
             only {} seconds, so that something happens while you watch.",
            LIFETIME.as_secs()
        ))?;
        let token = self.token()?;
        self.ask_provider(&token)?;
        Ok(token)
    }

    /// Shows the token that is good now.
    fn token(&self) -> Result<String, Trouble> {
        let ran = self.show(&["show", "demo"], DONE)?;
        Ok(ran.out.trim_end().to_owned())
    }

    /// Asks the provider about the token, as a mail server does (RFC 7662).
    fn ask_provider(&self, token: &str) -> Result<(), Trouble> {
        let (name, secret) = self.provider.resource_server();
        let endpoint = format!("http://{}/introspect", self.provider.address());
        let authorization = basic(name, secret);
        let mut response = visitor::agent()
            .post(&endpoint)
            .header("Authorization", &authorization)
            .send_form([("token", token)])
            .map_err(failed)?;
        let text = response.body_mut().read_to_string().map_err(failed)?;
        let facts: Value = serde_json::from_str(&text).map_err(failed)?;
        if facts["active"] != true {
            return Err(failed("the provider does not know the token"));
        }
        let left = facts["exp"].as_i64().unwrap_or_default() - clock::now().wall.as_second();
        let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
        self.terminal.tick(&format!(
            "The provider says: active, user {}, for {}, {left} s left.",
            text("username"),
            text("scope").replace(' ', " and "),
        ))?;
        Ok(())
    }

    /// The token after a refresh.
    fn refresh(&mut self, old: &str) -> Result<String, Trouble> {
        self.step("A refresh by hand")?;
        self.terminal
            .tell("This needs no browser: pizauth has a refresh token, too.")?;
        self.show(&["refresh", "demo"], DONE)?;
        let token = self.token()?;
        if token == old {
            return Err(failed("the token is still the old one after a refresh"));
        }
        self.ask_provider(&token)?;
        Ok(token)
    }

    fn watch_a_refresh(&mut self, old: &str) -> Result<(), Trouble> {
        self.step("A refresh by itself")?;
        self.terminal.tell(&format!(
            "refresh_before_expiry is {} s here, so that pizauth gets a new token {0} s before \
             the old one ends. Nobody has to ask for it.",
            AHEAD.as_secs()
        ))?;
        self.show(&["status"], DONE)?;
        self.terminal.blank()?;
        let waited = self.await_refresh(old)?;
        let seconds = waited.as_secs_f32().round();
        self.terminal.remark(&format!("({seconds} s later)"))?;
        let token = self.token()?;
        if token == old {
            return Err(failed("the token is still the old one after a refresh"));
        }
        self.ask_provider(&token)
    }

    /// Waits until pizauth has a new token, with the provider's books as a sign.
    fn await_refresh(&self, old: &str) -> Result<Duration, Trouble> {
        let begin = clock::moment();
        let before = self.provider.refreshes();
        let planned = LIFETIME - AHEAD;
        loop {
            let waited = clock::moment().since(begin);
            let left = planned.saturating_sub(waited).as_secs_f32().ceil();
            self.terminal
                .passing(&format!("waiting for the refresh: {left} s"))?;
            if self.provider.refreshes() > before && self.has_another_token(old)? {
                self.terminal.passed()?;
                return Ok(waited);
            }
            if waited > planned + DELAY {
                return Err(failed("pizauth has not refreshed the token by itself"));
            }
            self.stop.pause(TICK)?;
        }
    }

    fn has_another_token(&self, old: &str) -> Result<bool, Trouble> {
        let ran = self.home.run(&["show", "-u", "demo"])?;
        Ok(ran.code == Some(DONE) && ran.out.trim_end() != old)
    }

    fn end(mut self) -> Result<(), Trouble> {
        self.step("The end")?;
        self.terminal
            .tell("'revoke' makes pizauth forget a login; after it, a new one is needed.")?;
        self.show(&["revoke", "demo"], DONE)?;
        self.show(&["show", "-u", "demo"], LOGIN_NEEDED)?;
        self.show(&["shutdown"], DONE)?;
        self.home.await_end()?;
        self.terminal.tick(
            "That was all. Your own accounts need the client id of an OAuth2 client of yours; \
             README.md says how to get one, and what to write into your mail program.",
        )?;
        Ok(())
    }
}

/// The beginning and the end of a token.
fn abbreviated(token: &str) -> String {
    const SHOWN: usize = 6;
    let token = token.trim_end();
    match (
        token.get(..SHOWN),
        token.get(token.len().saturating_sub(SHOWN)..),
    ) {
        (Some(begin), Some(end)) if token.len() > 3 * SHOWN => format!("{begin}...{end}"),
        _ => token.to_owned(),
    }
}

/// Where pizauth waits for the browser.
fn redirect_port(url: &str) -> Option<u16> {
    let url = Url::parse(url).ok()?;
    let (_, redirect) = url.query_pairs().find(|(name, _)| name == "redirect_uri")?;
    Url::parse(&redirect).ok()?.port()
}

/// HTTP Basic (RFC 7617).
fn basic(name: &str, secret: &str) -> String {
    use base64::Engine as _;
    let credentials = format!("{name}:{secret}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    format!("Basic {encoded}")
}
