//! An account's redirect URI, kept as it was written: providers compare it byte by byte, so it is
//! never normalised, and the only thing ever put in is the listener's port.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use url::Host;

use super::endpoint::{self, is_loopback};

/// A redirect URI (RFC 8252 section 7.3): http or https on a loopback host. Thousands of accounts
/// share the one that holds by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    /// As written, up to where a port belongs.
    head: Arc<str>,
    /// The port, where the URI names one.
    port: Option<u16>,
    /// As written, from the path on.
    tail: Arc<str>,
    /// The path of a request that comes back to this URI; never empty.
    path: Arc<str>,
    is_https: bool,
}

/// What is wrong with a redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRedirectUri {
    /// It is not a URI, for this reason.
    NotAUri(String),
    /// It has another scheme than http and https.
    Scheme(String),
    /// Its host is not `localhost`, `127.0.0.1` or `[::1]`.
    NotLoopback(String),
    /// It has a fragment (RFC 6749 section 3.1.2 forbids it).
    Fragment,
    /// It names a user or a password.
    Credentials,
    /// It names port 0, at which nobody can listen.
    NoPort,
}

impl RedirectUri {
    /// Reads `text`.
    ///
    /// # Errors
    /// Where `text` is not an http or https URI on a loopback host, or has a fragment or credentials.
    pub fn parse(text: &str) -> Result<Self, BadRedirectUri> {
        let url =
            endpoint::parse(text).map_err(|error| BadRedirectUri::NotAUri(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadRedirectUri::Scheme(url.scheme().into()));
        }
        if url.fragment().is_some() {
            return Err(BadRedirectUri::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadRedirectUri::Credentials);
        }
        if !is_listened_at(url.host()) {
            return Err(BadRedirectUri::NotLoopback(
                url.host_str().unwrap_or_default().into(),
            ));
        }
        let (head, port, tail) = split_at_port(text)
            .ok_or_else(|| BadRedirectUri::NotAUri("it is not written out in full".into()))?;
        if port == Some(0) {
            return Err(BadRedirectUri::NoPort);
        }
        Ok(Self {
            head: head.into(),
            port,
            tail: tail.into(),
            path: url.path().into(),
            is_https: url.scheme() == "https",
        })
    }

    /// The URI to send: with the listener's port where it names none of its own.
    #[must_use]
    pub fn with_port(&self, listener_port: u16) -> String {
        let port = self.port.unwrap_or(listener_port);
        format!("{}:{port}{}", self.head, self.tail)
    }

    /// The port, where the URI names one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the browser comes back by https, and so to the listener for that.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// The path that the browser asks for when it comes back.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for RedirectUri {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.tail)
    }
}

/// Whether a listener for the browser is at this host: of the loopback addresses, at the usual one
/// of each family only.
fn is_listened_at(host: Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        other => is_loopback(other),
    }
}

/// `scheme://host`, the port, and the rest. `None` where the text, although a parser makes a URI of
/// it, is not spelled `scheme://host[:port]...`.
fn split_at_port(text: &str) -> Option<(&str, Option<u16>, &str)> {
    let host_at = text.find("://")? + 3;
    let authority_end = text[host_at..]
        .find(['/', '?', '\\'])
        .map_or(text.len(), |at| host_at + at);
    let authority = &text[host_at..authority_end];
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| bracket + at),
        None => authority.find(':'),
    };
    let tail = &text[authority_end..];
    match colon.map(|at| host_at + at) {
        None => Some((&text[..authority_end], None, tail)),
        Some(colon) if colon + 1 == authority_end => Some((&text[..colon], None, tail)),
        Some(colon) => {
            let port = text[colon + 1..authority_end].parse().ok()?;
            Some((&text[..colon], Some(port), tail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_put_in_and_nothing_else_changes() {
        let cases = [
            ("http://localhost", "http://localhost:77"),
            ("http://localhost/", "http://localhost:77/"),
            ("http://127.0.0.1/", "http://127.0.0.1:77/"),
            ("http://[::1]/back?x=%20", "http://[::1]:77/back?x=%20"),
            ("http://localhost?x=1", "http://localhost:77?x=1"),
            ("http://localhost:80/", "http://localhost:80/"),
            ("http://[::1]:99", "http://[::1]:99"),
            ("http://LOCALHOST:/A", "http://LOCALHOST:77/A"),
            ("https://127.0.0.1", "https://127.0.0.1:77"),
            ("HTTPS://localhost/x?y", "HTTPS://localhost:77/x?y"),
            ("https://[::1]:443/", "https://[::1]:443/"),
        ];
        for (written, sent) in cases {
            assert_eq!(RedirectUri::parse(written).unwrap().with_port(77), sent);
        }
    }

    #[test]
    fn the_scheme_is_told_however_it_is_written() {
        let is_https = |text| RedirectUri::parse(text).unwrap().is_https();
        assert!(is_https("https://localhost/") && is_https("HTTPS://[::1]"));
        assert!(!is_https("http://localhost/https://") && !is_https("Http://127.0.0.1"));
    }

    #[test]
    fn what_is_refused() {
        use BadRedirectUri as Bad;
        let of = |text| RedirectUri::parse(text).unwrap_err();
        assert_eq!(of("ftp://localhost/"), Bad::Scheme("ftp".into()));
        assert_eq!(
            of("https://example.com/"),
            Bad::NotLoopback("example.com".into())
        );
        assert_eq!(
            of("http://example.com/"),
            Bad::NotLoopback("example.com".into())
        );
        assert_eq!(
            of("http://127.0.0.2/"),
            Bad::NotLoopback("127.0.0.2".into())
        );
        assert_eq!(of("http://localhost:0/"), Bad::NoPort);
        assert_eq!(of("http://localhost/#x"), Bad::Fragment);
        assert_eq!(of("http://me:pw@localhost/"), Bad::Credentials);
        assert!(matches!(of("localhost"), Bad::NotAUri(_)));
        assert!(matches!(of("http:localhost/"), Bad::NotAUri(_)));
        assert!(matches!(of("http://localhost:99999/"), Bad::NotAUri(_)));
    }
}
