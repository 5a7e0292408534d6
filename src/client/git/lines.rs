//! The lines that git and its credential helpers exchange (git-credential(1), "INPUT/OUTPUT
//! FORMAT").
//!
//! Pure: text in, text out.

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::secret::joined;

/// What git knows already, of what matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) protocol: &'a str,
    /// With the port, where the URL has one.
    pub(super) host: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a str>,
}

/// Whether git has said everything: it ends with an empty line, or closes the pipe.
pub(super) fn is_whole(input: &[u8]) -> bool {
    input == b"\n" || input.ends_with(b"\n\n")
}

/// Reads git's lines. Keys that are not known are left alone, and the last of equal ones counts.
///
/// # Errors
/// What is wrong with them, without repeating any.
pub(super) fn parse(input: &[u8]) -> Result<Asked<'_>, String> {
    let text = std::str::from_utf8(input).map_err(|_| "git sent what is not UTF-8")?;
    if text.contains(['\0', '\r']) {
        return Err("git sent a value with a line break or a zero in it".to_owned());
    }
    let mut asked = Asked::default();
    for line in text.split('\n').take_while(|line| !line.is_empty()) {
        let (key, value) = line
            .split_once('=')
            .ok_or("git sent a line that is not 'key=value'")?;
        match key {
            "protocol" => asked.protocol = value,
            "host" => asked.host = value,
            "username" => asked.username = Some(value).filter(|name| !name.is_empty()),
            "password" => asked.password = Some(value),
            _ => {}
        }
    }
    Ok(asked)
}

impl Asked<'_> {
    /// Whether a token may be sent there at all: not in the clear, but to this machine itself.
    pub(super) fn is_guarded(&self) -> bool {
        match self.protocol {
            // git send-email says 'smtp' whatever it does about encryption.
            "https" | "smtp" | "smtps" | "imap" | "imaps" => true,
            "http" => matches!(self.host_name(), "localhost" | "127.0.0.1" | "[::1]"),
            _ => false,
        }
    }

    /// The host without its port.
    fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => self.host,
        }
    }

    /// The names of accounts that this can mean, the likeliest first.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let hosts = [self.host, self.host_name()];
        if let Some(user) = self.username {
            names.push(user.to_owned());
            names.extend(hosts.map(|host| format!("{user}@{host}")));
        }
        names.extend(hosts.map(str::to_owned));
        names
    }
}

/// What git is told; `None` where the lines would not say what they should.
pub(super) fn answer(
    user: &str,
    token: &str,
    expires: Option<Timestamp>,
) -> Option<Zeroizing<String>> {
    if [user, token].iter().any(|it| it.contains(char::is_control)) {
        return None;
    }
    let time = expires.map_or_else(String::new, |time| {
        format!("password_expiry_utc={}\n", time.as_second())
    });
    Some(joined(&[
        "username=",
        user,
        "\npassword=",
        token,
        "\n",
        &time,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_s_lines_are_read() {
        let input = b"capability[]=authtype\nprotocol=https\nhost=e.com:8443\npath=a/b.git\n\
                      username=me\nwwwauth[]=Basic realm=\"x\"\npassword=p=q\nmood=\n\nhost=evil\n";
        let expected = Asked {
            protocol: "https",
            host: "e.com:8443",
            username: Some("me"),
            password: Some("p=q"),
        };
        assert_eq!(parse(input), Ok(expected));
        assert_eq!(parse(b""), Ok(Asked::default()));
        assert_eq!(parse(b"username=\n").unwrap().username, None);
    }

    #[test]
    fn what_git_does_not_send_is_refused() {
        for input in [
            &b"host\n"[..],
            b"host=a\0b\n",
            b"host=a\r\nusername=b\n",
            b"host=\xff\n",
        ] {
            let why = parse(input).unwrap_err();
            assert!(why.starts_with("git sent "), "{why}");
        }
    }

    #[test]
    fn the_end_is_seen() {
        for (input, whole) in [
            (&b""[..], false),
            (b"a=b", false),
            (b"a=b\n", false),
            (b"a=b\n\n", true),
            (b"\n", true),
        ] {
            assert_eq!(is_whole(input), whole, "{input:?}");
        }
    }

    #[test]
    fn accounts_are_found_by_user_and_host() {
        let cases: [(&[u8], &[&str]); 3] = [
            (
                b"host=e.com\nusername=me\n",
                &["me", "me@e.com", "me@e.com", "e.com", "e.com"],
            ),
            (b"host=e.com:8443\n", &["e.com:8443", "e.com"]),
            (b"host=[::1]:80\n", &["[::1]:80", "[::1]"]),
        ];
        for (input, expected) in cases {
            assert_eq!(parse(input).unwrap().names(), expected);
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let cases: [(&[u8], bool); 9] = [
            (b"protocol=https\nhost=e.com\n", true),
            (b"protocol=smtp\nhost=e.com:587\n", true),
            (b"protocol=imaps\nhost=e.com\n", true),
            (b"protocol=http\nhost=e.com\n", false),
            (b"protocol=http\nhost=localhost.e.com\n", false),
            (b"protocol=http\nhost=localhost:3000\n", true),
            (b"protocol=http\nhost=[::1]:3000\n", true),
            (b"protocol=cert\npath=/a\n", false),
            (b"", false),
        ];
        for (input, expected) in cases {
            assert_eq!(parse(input).unwrap().is_guarded(), expected, "{input:?}");
        }
    }

    #[test]
    fn the_answer_is_what_git_reads() {
        let text = answer("me", "t", "2025-03-10T12:25:00.5Z".parse().ok()).unwrap();
        let expected = "username=me\npassword=t\npassword_expiry_utc=1741609500\n";
        assert_eq!(*text, expected);
        assert_eq!(text.capacity(), text.len());
        assert_eq!(
            *answer("me", "t", None).unwrap(),
            "username=me\npassword=t\n"
        );
        assert_eq!(answer("me", "a\nquit=1", None), None);
        assert_eq!(answer("m\ne", "t", None), None);
    }
}
