//! Redirect URIs: whether the provider takes them, and whether the browser that it sends there finds
//! pizauth.
//!
//! The providers' rules are from their documentation and the notes of other programs; what is known
//! from the latter alone makes a note at most.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::finding::{Area, Finding};
use super::who::Who;
use crate::config::{Account, GrantType, Listen, RedirectUri};

/// Where the listener for an account's scheme is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listening {
    /// The server listens at these addresses.
    At(Vec<SocketAddr>),
    /// There is no server; the next one will listen at this port.
    AtPort(u16),
    /// Nor is it known where it will.
    Somewhere,
}

impl Listening {
    /// Where a server that is yet to be started will listen.
    pub(super) fn planned(listen: &Listen) -> Self {
        match listen {
            Listen::At(address) if address.port() != 0 => Self::AtPort(address.port()),
            Listen::At(_) | Listen::FreePort => Self::Somewhere,
            Listen::Off => Self::At(Vec::new()),
        }
    }
}

/// Whether the port stays the same when the server is restarted.
pub(super) const fn has_fixed_port(listen: &Listen) -> bool {
    matches!(listen, Listen::At(address) if address.port() != 0)
}

/// Judges an account's redirect URI; nothing comes back for the other grants.
pub(super) fn judge(
    account: &Account,
    who: Who,
    listening: &Listening,
    fixed_port: bool,
) -> Vec<Finding> {
    if account.authority.grant != GrantType::AuthorizationCode {
        return Vec::new();
    }
    let uri = &account.authority.redirect_uri;
    let Some(facts) = Facts::of(uri, listening, fixed_port) else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = not_listening(&facts, listening)
        .into_iter()
        .chain(rule(&facts, who))
        .collect();
    if findings.is_empty() {
        let text = format!("{uri} is a redirect URI that works with {}", who.name());
        let text = match who {
            Who::Other => format!("the browser that is sent to {uri} comes back to pizauth"),
            _ => text,
        };
        findings.push(Finding::good(Area::RedirectUri, text));
    }
    let name = account.name.as_str();
    findings.into_iter().map(|it| it.of(name)).collect()
}

/// What matters of a redirect URI.
struct Facts<'a> {
    uri: &'a RedirectUri,
    host: String,
    is_ipv6: bool,
    /// Whether it will be the same tomorrow, port included.
    is_fixed: bool,
}

impl<'a> Facts<'a> {
    fn of(uri: &'a RedirectUri, listening: &Listening, fixed_port: bool) -> Option<Self> {
        let url = Url::parse(&uri.to_string()).ok()?;
        let is_fixed = uri.port().is_some() || fixed_port;
        let is_fixed = is_fixed || matches!(listening, Listening::AtPort(_));
        Some(Self {
            uri,
            host: url.host_str()?.to_ascii_lowercase(),
            is_ipv6: matches!(url.host(), Some(Host::Ipv6(_))),
            is_fixed,
        })
    }

    const fn option(&self) -> &'static str {
        if self.uri.is_https() {
            "https_listen"
        } else {
            "http_listen"
        }
    }

    fn is_at(&self, address: IpAddr) -> bool {
        self.host.trim_matches(['[', ']']) == address.to_string()
    }

    fn is_local_name(&self) -> bool {
        self.host == "localhost"
    }
}

/// Whether the browser finds nobody where it is sent.
fn not_listening(facts: &Facts<'_>, listening: &Listening) -> Option<Finding> {
    let option = facts.option();
    let uri = facts.uri;
    let problem = |text: String| Finding::problem(Area::RedirectUri, text);
    let ports: Vec<u16> = match listening {
        Listening::At(addresses) if addresses.is_empty() => {
            let text = format!("nobody listens where the browser comes back to ({uri})");
            return Some(problem(text).advise(format!(
                "take '{option} = none' out of the configuration, and run 'pizauth reload'"
            )));
        }
        Listening::At(addresses) => {
            let has_address = addresses.iter().any(|it| facts.is_at(it.ip()));
            if !facts.is_local_name() && !has_address {
                let text = format!(
                    "the browser is sent to {uri}, and pizauth does not listen at {}",
                    facts.host
                );
                return Some(problem(text).advise(
                    "write localhost in 'redirect_uri', or the address that pizauth listens at",
                ));
            }
            addresses.iter().map(SocketAddr::port).collect()
        }
        Listening::AtPort(port) => vec![*port],
        Listening::Somewhere => Vec::new(),
    };
    let wanted = uri.port()?;
    if ports.contains(&wanted) {
        return None;
    }
    let text = match ports.first() {
        Some(port) => format!(
            "the browser comes back to port {wanted} ({uri}), and pizauth listens at port {port}"
        ),
        None => format!(
            "the browser comes back to port {wanted} ({uri}), and pizauth listens at whatever port is free"
        ),
    };
    Some(problem(text).advise(format!(
        "set {option} = \"127.0.0.1:{wanted}\", or leave the port out of 'redirect_uri' (unless something forwards that port)"
    )))
}

/// What the provider does not take, or not as it stands.
fn rule(facts: &Facts<'_>, who: Who) -> Option<Finding> {
    match who {
        Who::Google => plain_http_only(facts, who),
        Who::Microsoft => microsoft(facts),
        Who::Fastmail => plain_http_only(facts, who),
        Who::Yahoo => yahoo(facts),
        Who::MailRu | Who::Yandex => exact(facts, who),
        Who::GitHub | Who::GitLab => by_address(facts, who),
        Who::Other => None,
    }
}

fn plain_http_only(facts: &Facts<'_>, who: Who) -> Option<Finding> {
    facts.uri.is_https().then(|| {
        let text = format!(
            "{} lets programs come back by http, and {} is https",
            who.name(),
            facts.uri
        );
        Finding::note(Area::RedirectUri, text)
            .advise("set redirect_uri = \"http://localhost/\" if the login page refuses it")
    })
}

fn microsoft(facts: &Facts<'_>) -> Option<Finding> {
    let uri = facts.uri;
    if facts.is_ipv6 {
        let text =
            format!("Microsoft does not take {uri}: no redirect URI there is an IPv6 address");
        return Some(Finding::problem(Area::RedirectUri, text).advise(
            "register http://localhost/ under \"Mobile and desktop applications\", and set redirect_uri = \"http://localhost/\"",
        ));
    }
    if !facts.is_local_name() {
        let text = format!(
            "Microsoft takes {uri} only where the registration's manifest was edited by hand, since its pages refuse the address"
        );
        return Some(Finding::note(Area::RedirectUri, text).advise(
            "register http://localhost/ under \"Mobile and desktop applications\", and set redirect_uri = \"http://localhost/\"",
        ));
    }
    None
}

fn yahoo(facts: &Facts<'_>) -> Option<Finding> {
    (!facts.uri.is_https()).then(|| {
        let text = format!("Yahoo and AOL want https, and {} is http", facts.uri);
        Finding::problem(Area::RedirectUri, text)
            .advise("set redirect_uri = \"https://127.0.0.1\", and register it so")
    })
}

/// Compared character by character, the port included.
fn exact(facts: &Facts<'_>, who: Who) -> Option<Finding> {
    if facts.is_fixed {
        return None;
    }
    let text = format!(
        "{} compares the redirect URI with the one that is registered, and the port in {} changes with each start of the server",
        who.name(),
        facts.uri
    );
    let advice = format!(
        "set {} = \"127.0.0.1:14204\" for example, and register {} with that port, down to the '/' at its end",
        facts.option(),
        facts.uri
    );
    let finding = match who {
        Who::MailRu => Finding::problem(Area::RedirectUri, text),
        _ => Finding::note(Area::RedirectUri, text),
    };
    Some(finding.advise(advice))
}

fn by_address(facts: &Facts<'_>, who: Who) -> Option<Finding> {
    (facts.is_local_name() && !facts.is_fixed).then(|| {
        let text = format!(
            "{} is known to overlook the port of http://127.0.0.1/, and perhaps not that of {}",
            who.name(),
            facts.uri
        );
        Finding::note(Area::RedirectUri, text)
            .advise("set redirect_uri = \"http://127.0.0.1/\", and register it so")
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{self, Good, Note, Problem};
    use super::super::testing::{OWN, account, assert_one, plain};
    use super::*;

    fn found(uri: &str, who: Who, listening: &Listening, fixed: bool) -> Vec<Finding> {
        let account = plain(&format!("redirect_uri = \"{uri}\";"));
        judge(&account, who, listening, fixed)
    }

    fn at(addresses: &[&str]) -> Listening {
        Listening::At(addresses.iter().map(|it| it.parse().unwrap()).collect())
    }

    #[test]
    fn what_providers_take() {
        let cases: [(&str, Who, bool, Verdict, &str); 16] = [
            ("http://localhost/", Who::Google, false, Good, "Google"),
            ("http://127.0.0.1", Who::Google, false, Good, "Google"),
            (
                "https://localhost/",
                Who::Google,
                false,
                Note,
                "http://localhost/",
            ),
            (
                "http://localhost/",
                Who::Microsoft,
                false,
                Good,
                "Microsoft",
            ),
            ("http://127.0.0.1/", Who::Microsoft, false, Note, "manifest"),
            ("http://[::1]/", Who::Microsoft, false, Problem, "IPv6"),
            ("http://[::1]/", Who::Fastmail, false, Good, "Fastmail"),
            ("http://localhost/", Who::Yahoo, false, Problem, "https"),
            ("https://127.0.0.1", Who::Yahoo, false, Good, "Yahoo"),
            ("http://localhost/", Who::MailRu, false, Problem, "port"),
            ("http://localhost/", Who::MailRu, true, Good, "Mail.ru"),
            ("http://localhost/", Who::Yandex, false, Note, "port"),
            ("http://localhost/", Who::GitHub, false, Note, "127.0.0.1"),
            ("http://127.0.0.1/", Who::GitHub, false, Good, "GitHub"),
            ("http://127.0.0.1/", Who::GitLab, false, Good, "GitLab"),
            ("http://localhost/", Who::Other, false, Good, "comes back"),
        ];
        for (uri, who, fixed, verdict, words) in cases {
            let found = found(uri, who, &Listening::Somewhere, fixed);
            assert_one(&found, verdict, words);
        }
    }

    #[test]
    fn where_pizauth_listens() {
        let both = at(&["127.0.0.1:7", "[::1]:7"]);
        let good = [
            ("http://localhost/", both.clone()),
            ("http://localhost:7/", both.clone()),
            ("http://[::1]/", both.clone()),
            ("http://localhost/", at(&["127.0.0.1:7"])),
            ("http://localhost:7/", Listening::AtPort(7)),
            ("http://localhost/", Listening::Somewhere),
        ];
        for (uri, listening) in good {
            assert_one(&found(uri, Who::Other, &listening, false), Good, "");
        }
        let bad = [
            ("http://localhost:8/", both, "listens at port 7"),
            ("http://localhost:8/", Listening::AtPort(7), "127.0.0.1:8"),
            ("http://localhost:8/", Listening::Somewhere, "is free"),
            ("http://localhost/", at(&[]), "none"),
            ("http://[::1]/", at(&["127.0.0.1:7"]), "[::1]"),
            (
                "http://127.0.0.1/",
                at(&["127.0.0.2:7", "[::1]:7"]),
                "127.0.0.1",
            ),
        ];
        for (uri, listening, words) in bad {
            assert_one(&found(uri, Who::Other, &listening, false), Problem, words);
        }
    }

    #[test]
    fn what_is_planned() {
        let port = |text: &str| Listening::planned(&Listen::At(text.parse().unwrap()));
        assert_eq!(port("127.0.0.1:9"), Listening::AtPort(9));
        assert_eq!(port("127.0.0.1:0"), Listening::Somewhere);
        assert_eq!(Listening::planned(&Listen::FreePort), Listening::Somewhere);
        assert_eq!(Listening::planned(&Listen::Off), at(&[]));
        assert!(has_fixed_port(&Listen::At("[::1]:9".parse().unwrap())));
        assert!(!has_fixed_port(&Listen::FreePort));
    }

    #[test]
    fn without_a_browser_there_is_no_redirect() {
        let account = account(OWN);
        let found = judge(&account, Who::Yahoo, &at(&[]), false);
        assert!(found.is_empty());
    }
}
