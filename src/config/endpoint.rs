//! Which URIs are good enough to send a user's secrets to: one rule for those that are written down
//! and those that a provider publishes.

use url::{Host, ParseError, Url};

/// What is wrong with a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadUri {
    /// It has blanks, control characters or backslashes in it, which a parser would mend in silence.
    Blanks,
    /// It has no scheme.
    NoScheme,
    /// `//` and a host do not follow this scheme.
    NoHost(String),
    /// Its host is not spelled in ASCII, or is a bad ASCII form of an international name.
    International,
    /// It is not a URI, for this reason.
    NotAUri(String),
    /// What is sent there could be read on the way: it is neither https nor on this machine.
    Unencrypted,
    /// It has another scheme than https.
    Scheme(String),
    /// It has a fragment.
    Fragment,
    /// It names a user or a password.
    Credentials,
}

/// The schemes whose hosts the parser looks up international names for.
const WITH_HOSTS: [&str; 6] = ["https", "http", "wss", "ws", "ftp", "file"];

/// What a browser makes of `text`, but for hosts that are not spelled in ASCII: without the tables
/// for those, the parser must not meet one.
///
/// # Errors
/// Where it is no URL, or has such a host.
pub fn parse(text: &str) -> Result<Url, ParseError> {
    // As the parser leaves them out.
    let text = text.replace(['\t', '\n', '\r'], "");
    if host(&text).is_some_and(is_foreign) {
        return Err(ParseError::IdnaError);
    }
    Url::parse(&text)
}

/// The same of a host alone.
///
/// # Errors
/// Where it is none, or is not spelled in ASCII.
pub fn parse_host(text: &str) -> Result<Host, ParseError> {
    if is_foreign(text) {
        return Err(ParseError::IdnaError);
    }
    Host::parse(text)
}

/// Percent signs stand for what may be anything.
fn is_foreign(host: &str) -> bool {
    !host.is_ascii() || host.contains('%')
}

/// What the parser takes for the host, and perhaps its port.
fn host(text: &str) -> Option<&str> {
    let is_blank = |character: char| character <= ' ';
    let (scheme, rest) = text.trim_start_matches(is_blank).split_once(':')?;
    let mut known = WITH_HOSTS.iter();
    known.find(|known| known.eq_ignore_ascii_case(scheme))?;
    let authority = rest.trim_start_matches(['/', '\\']);
    let authority = authority.split(['/', '\\', '?', '#']).next()?;
    authority.rsplit('@').next()
}

/// An absolute URI, written out in full. The `url` crate would mend much in silence that a person
/// would rather hear of.
///
/// # Errors
/// Where `text` is anything else.
pub fn absolute(text: &str) -> Result<Url, BadUri> {
    let is_blank = |character: char| character.is_whitespace() || character.is_control();
    if text.contains(|character| is_blank(character) || character == '\\') {
        return Err(BadUri::Blanks);
    }
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    if scheme.is_empty() {
        return Err(BadUri::NoScheme);
    }
    let has_host = rest.starts_with("//") && !rest.starts_with("///");
    if matches!(scheme, "http" | "https") && !has_host {
        return Err(BadUri::NoHost(scheme.into()));
    }
    parse(text).map_err(|error| match error {
        ParseError::IdnaError => BadUri::International,
        error => BadUri::NotAUri(error.to_string()),
    })
}

/// An endpoint of the provider (RFC 6749 sections 3.1 and 3.2): https, or http on this machine.
///
/// # Errors
/// Where `text` is anything else.
pub fn endpoint(text: &str) -> Result<Url, BadUri> {
    let url = absolute(text)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url.host()) => {}
        "http" => return Err(BadUri::Unencrypted),
        scheme => return Err(BadUri::Scheme(scheme.into())),
    }
    if url.fragment().is_some() {
        return Err(BadUri::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUri::Credentials);
    }
    Ok(url)
}

/// Whether a host is this machine, by name or by address.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `Url::host` returns, and as cheap as a reference"
)]
pub fn is_loopback(host: Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_spelled_in_ascii() {
        for foreign in [
            "https://b\u{fc}cher.example/",
            "https:IIII\u{276}//b\u{fc}cher.example/d",
            " \u{1}hTTps:\\\\/A\u{fc}",
            "ht\ttp\ns://A\r\u{fc}",
            "http://me:%C3@%41%C3%BC:80/",
            "https:A\u{fc}?@a.example",
            "ftp:A\u{fc}#",
            "file:///\\A\u{fc}",
        ] {
            assert_eq!(parse(foreign), Err(ParseError::IdnaError), "{foreign}");
        }
        for good in [
            "https://Example.com/\u{fc}A?\u{fc}#\u{fc}",
            "https://\u{fc}%C3@EXAMPLE.com:80",
            "https://XN--MNCHEN-3YA.example",
            "urn:A\u{fc}%",
            "x://A\u{fc}",
        ] {
            assert_eq!(parse(good), Url::parse(good), "{good}");
            assert!(parse(good).is_ok(), "{good}");
        }
        for foreign in ["A\u{fc}", "%C3%BCA"] {
            assert_eq!(parse_host(foreign), Err(ParseError::IdnaError));
        }
        assert!(parse_host("LocalHost").is_ok() && parse_host("[::1]").is_ok());
    }
}
