//! URIs and addresses: which are good enough to send a user's secrets to, or to listen at.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::Url;

use super::super::diagnostic::quoted;
use super::super::endpoint::{BadUri, absolute, endpoint};
use super::super::redirect_uri::BadRedirectUri;
use super::super::{Issuer, Listen, RedirectUri};

/// Why a text is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong, to be read after the option's name.
    pub(super) title: String,
    /// What to do about it.
    pub(super) label: String,
    /// What else to know.
    pub(super) notes: Vec<String>,
}

pub(super) fn fault(title: impl Into<String>, label: impl Into<String>) -> Fault {
    Fault {
        title: title.into(),
        label: label.into(),
        notes: Vec::new(),
    }
}

impl Fault {
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A bad URI in words; `example` is a good one.
fn fault_in(bad: BadUri, example: &str) -> Fault {
    match bad {
        BadUri::Blanks => fault("is not a URI", "a URI has neither spaces nor backslashes"),
        BadUri::NoScheme => fault(
            "is not a URI",
            format!("write it in full, for example {example}"),
        ),
        BadUri::NoHost(scheme) => fault(
            "is not a URI",
            format!("'//' and a host follow '{scheme}:'"),
        ),
        BadUri::NotAUri(why) => fault("is not a URI", why),
        BadUri::International => fault(
            "has no host that can be looked up",
            "spell its host in ASCII",
        )
        .note("the ASCII form of an international name begins with 'xn--': a browser shows it")
        .note("a letter of another script can look like one of ours, and the host be another's"),
        BadUri::Unencrypted => fault("would be sent without encryption", "use https")
            .note("http is accepted for a host on this machine only, such as localhost"),
        BadUri::Scheme(scheme) => {
            let title = format!("has the scheme {}", quoted(&scheme));
            fault(title, "an endpoint's scheme is https")
        }
        BadUri::Fragment => fault("has a fragment", "take out '#' and what follows it"),
        BadUri::Credentials => {
            let label = "take out what is before '@'";
            fault("has a user's name or password in it", label).note(
                "whom to log in as is said by 'login_hint'; the client's own secret by 'client_secret'",
            )
        }
    }
}

/// Endpoints that proved good. Accounts often share them.
#[derive(Default)]
pub(super) struct Endpoints(HashMap<String, Url>);

impl Endpoints {
    /// RFC 6749 sections 3.1 and 3.2: an endpoint of the provider.
    pub(super) fn check(&mut self, text: &str) -> Result<Url, Fault> {
        if let Some(seen) = self.0.get(text) {
            return Ok(seen.clone());
        }
        let example = "\"https://example.com/oauth2/authorize\"";
        let url = endpoint(text).map_err(|bad| fault_in(bad, example))?;
        self.0.insert(text.into(), url.clone());
        Ok(url)
    }
}

/// The end of an address that tells of an issuer (RFC 8414 section 3, OpenID Connect Discovery).
const WELL_KNOWN: &str = "/.well-known/";

/// RFC 8414 section 2: an endpoint's URI without a query. It is compared as it is written.
pub(super) fn issuer(text: String) -> Result<Issuer, Fault> {
    let example = "\"https://example.com\"";
    let uri = endpoint(&text).map_err(|bad| fault_in(bad, example))?;
    if uri.query().is_some() {
        return Err(fault("has a query", "take out '?' and what follows it")
            .note("an issuer's identifier has none (RFC 8414, section 2)"));
    }
    if uri.path().contains(WELL_KNOWN) {
        let label = "write the issuer that the document there names, as it is spelled there";
        return Err(fault("is where an issuer is told of, not an issuer", label)
            .note("pizauth adds what follows '/.well-known/' itself"));
    }
    Ok(Issuer {
        identifier: text,
        uri,
        discovery: true,
    })
}

/// RFC 8707 section 2: an absolute URI without a fragment. It is sent as it is written.
pub(super) fn resource(text: String) -> Result<String, Fault> {
    let fault = |bad| fault_in(bad, "\"https://example.com/\"");
    let url = absolute(&text).map_err(fault)?;
    if url.fragment().is_some() {
        return Err(fault(BadUri::Fragment));
    }
    Ok(text)
}

/// RFC 8252 section 7.3: where the browser comes back to.
pub(super) fn redirect(text: &str) -> Result<RedirectUri, Fault> {
    absolute(text).map_err(|bad| fault_in(bad, "\"http://localhost/\""))?;
    RedirectUri::parse(text).map_err(|bad| match bad {
        BadRedirectUri::NotAUri(why) => fault("is not a URI", why),
        BadRedirectUri::Scheme(scheme) => fault(
            format!("has the scheme {}", quoted(&scheme)),
            "pizauth listens for http and https, for example \"http://localhost/\"",
        ),
        BadRedirectUri::NoPort => fault(
            "names port 0",
            "leave the port out: that of the listener is put in",
        ),
        BadRedirectUri::NotLoopback(host)
            if host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback()) =>
        {
            fault(
                "points to an address where pizauth does not listen",
                "its host must be localhost, 127.0.0.1 or [::1]",
            )
        }
        BadRedirectUri::NotLoopback(_) => fault(
            "points to another machine",
            "its host must be localhost, 127.0.0.1 or [::1]",
        )
        .note("the browser hands the login to whoever listens there (RFC 8252, section 7.3)"),
        BadRedirectUri::Fragment => fault("has a fragment", "take out '#' and what follows it"),
        BadRedirectUri::Credentials => fault(
            "has a user's name or password in it",
            "take out what is before '@'",
        ),
    })
}

/// Where to listen.
pub(super) fn listen(text: &str) -> Result<Listen, Fault> {
    const EXAMPLE: &str = "write an address and a port, for example \"127.0.0.1:8080\"";
    let local = text
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok());
    let address = match local {
        Some(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        None => match text.parse::<SocketAddr>() {
            Ok(address) => address,
            Err(_) if text.parse::<IpAddr>().is_ok() || text == "localhost" => {
                return Err(fault("names no port", EXAMPLE).note("port 0 takes a free one"));
            }
            Err(_) => return Err(fault("is not an address with a port", EXAMPLE)),
        },
    };
    if !address.ip().is_loopback() {
        return Err(fault(
            "is open to other machines",
            "use an address of this machine only, for example \"127.0.0.1:8080\"",
        )
        .note("whoever can reach the listener could interfere with a login (RFC 8252, section 8.3)")
        .note(
            "for a browser on another machine, forward the port: ssh -L 8080:127.0.0.1:8080 HOST",
        ));
    }
    Ok(Listen::At(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let mut endpoints = Endpoints::default();
        let mut endpoint = |text: &str| endpoints.check(text);
        for good in [
            "https://example.com",
            "https://example.com/authorize?tenant=a%20b",
            "http://localhost:8080/x",
            "http://127.0.0.1/",
            "http://[::1]:99/token",
            "https://xn--mnchen-3ya.example/",
        ] {
            assert_eq!(endpoint(good).unwrap(), Url::parse(good).unwrap());
            assert_eq!(endpoint(good).unwrap(), Url::parse(good).unwrap());
        }
        let cases = [
            ("", "is not a URI"),
            ("example.com/auth", "is not a URI"),
            ("https:example.com", "is not a URI"),
            ("https:///example.com", "is not a URI"),
            ("https://exa mple.com", "is not a URI"),
            (" https://example.com", "is not a URI"),
            ("https://example.com\\x", "is not a URI"),
            ("https://example.com:99999/", "is not a URI"),
            ("https://", "is not a URI"),
            // Cyrillic, both.
            (
                "https://l\u{43e}gin.example/",
                "has no host that can be looked up",
            ),
            ("https://xn--/", "has no host that can be looked up"),
            ("http://example.com/", "would be sent without encryption"),
            (
                "http://localhost.example.com/",
                "would be sent without encryption",
            ),
            ("ftp://example.com/", "has the scheme 'ftp'"),
            ("https://example.com/#", "has a fragment"),
            (
                "https://me@example.com/",
                "has a user's name or password in it",
            ),
            (
                "https://:pw@example.com/",
                "has a user's name or password in it",
            ),
        ];
        for (text, title) in cases {
            assert_eq!(endpoint(text).unwrap_err().title, title, "{text}");
        }
    }

    #[test]
    fn issuers() {
        for good in [
            "https://example.com",
            "https://example.com/",
            "https://Example.com/tenant/v2.0",
            "http://localhost:8080",
        ] {
            let issuer = issuer(good.into()).unwrap();
            assert_eq!(issuer.identifier, good);
            assert!(issuer.discovery);
        }
        let cases = [
            ("https://example.com/?x=1", "has a query"),
            ("https://example.com/#x", "has a fragment"),
            ("http://example.com", "would be sent without encryption"),
            ("example.com", "is not a URI"),
            (
                "https://me@example.com/",
                "has a user's name or password in it",
            ),
            (
                "https://example.com/.well-known/openid-configuration",
                "is where an issuer is told of, not an issuer",
            ),
        ];
        for (text, title) in cases {
            assert_eq!(issuer(text.into()).unwrap_err().title, title, "{text}");
        }
    }

    #[test]
    fn resources() {
        assert_eq!(
            resource("https://Example.com".into()).unwrap(),
            "https://Example.com"
        );
        assert_eq!(
            resource("urn:example:mail".into()).unwrap(),
            "urn:example:mail"
        );
        assert_eq!(resource("mail".into()).unwrap_err().title, "is not a URI");
        assert_eq!(
            resource("https://a/#x".into()).unwrap_err().title,
            "has a fragment"
        );
    }

    #[test]
    fn redirects() {
        assert!(redirect("http://localhost/").is_ok());
        assert!(redirect("http://127.0.0.1:1234/cb?x=1").is_ok());
        assert!(redirect("https://localhost:1234/").is_ok());
        let cases = [
            ("urn:ietf:wg:oauth:2.0:oob", "has the scheme 'urn'"),
            ("http://example.com/", "points to another machine"),
            ("https://example.com/", "points to another machine"),
            ("http://localhost/#", "has a fragment"),
            ("localhost", "is not a URI"),
        ];
        for (text, title) in cases {
            assert_eq!(redirect(text).unwrap_err().title, title, "{text}");
        }
    }

    #[test]
    fn listeners() {
        let at = |text: &str| Listen::At(text.parse().unwrap());
        assert_eq!(listen("127.0.0.1:8080").unwrap(), at("127.0.0.1:8080"));
        assert_eq!(listen("127.8.8.8:0").unwrap(), at("127.8.8.8:0"));
        assert_eq!(listen("[::1]:8080").unwrap(), at("[::1]:8080"));
        assert_eq!(listen("localhost:8080").unwrap(), at("127.0.0.1:8080"));
        let cases = [
            ("127.0.0.1", "names no port"),
            ("::1", "names no port"),
            ("localhost", "names no port"),
            ("localhost:70000", "is not an address with a port"),
            ("example.com:80", "is not an address with a port"),
            ("", "is not an address with a port"),
            ("0.0.0.0:80", "is open to other machines"),
            ("[::]:80", "is open to other machines"),
            ("192.168.1.1:80", "is open to other machines"),
        ];
        for (text, title) in cases {
            assert_eq!(listen(text).unwrap_err().title, title, "{text}");
        }
    }
}
