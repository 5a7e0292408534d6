//! What issuers publish, held against what the configuration says.
//!
//! Judges documents that were fetched; fetches none.

use std::path::PathBuf;

use url::Url;

use super::finding::{Area, Finding, names};
use crate::config::{Account, ClientAuth, Dialect, GrantType, Issuer};
use crate::oauth::endpoints::Endpoints;
use crate::oauth::metadata::{Metadata, MetadataFault};
use crate::shell_word::shell_word;

/// The grant's name where metadata list it (RFC 8628 section 4).
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An issuer whose metadata are to be asked for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) issuer: Issuer,
    pub(super) dialect: Dialect,
    pub(super) ca_file: Option<PathBuf>,
}

impl Issued {
    /// The issuer that this account asks, where it asks one.
    pub(super) fn of(account: &Account) -> Option<Self> {
        let issuer = account.authority.issuer.as_ref()?;
        issuer.discovery.then(|| Self {
            issuer: issuer.clone(),
            dialect: account.dialect,
            ca_file: account.ca_file.clone(),
        })
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Discovered {
    Metadata(Box<Metadata>),
    /// Answers came, and this is wrong with them.
    Fault(MetadataFault),
    /// No answer came; that is told where the networks are.
    NoAnswer,
}

/// Judges what an issuer answered; these accounts go by it.
pub(super) fn issuer(issued: &Issued, found: &Discovered, accounts: &[String]) -> Option<Finding> {
    let identifier = &issued.issuer.identifier;
    let area = Area::Discovery;
    match found {
        Discovered::Metadata(_) => Some(Finding::good(
            area,
            format!("{identifier} publishes its endpoints, and names itself as 'issuer' has it"),
        )),
        Discovered::Fault(fault) => {
            let text = format!("{identifier}: {fault} (needed by {})", names(accounts));
            Some(Finding::problem(area, text).advise(advice(fault)))
        }
        Discovered::NoAnswer => None,
    }
}

const fn advice(fault: &MetadataFault) -> &'static str {
    match fault {
        MetadataFault::NotThere => "correct 'issuer', or set the endpoints themselves",
        MetadataFault::Passing(_) => {
            "wait, and try again; if it stays, set the endpoints themselves"
        }
        MetadataFault::Wrong(_) => {
            "write 'issuer' exactly as the provider's documentation has it, or set the endpoints themselves"
        }
    }
}

/// Judges what an account says against what its issuer publishes.
pub(super) fn account(account: &Account, metadata: &Metadata) -> Vec<Finding> {
    let name = account.name.as_str();
    let mut findings = differing(account, metadata);
    if let Err(reason) = Endpoints::discovered(account, metadata) {
        let advice = format!(
            "correct the account, then run 'pizauth reload' and 'pizauth login {}'",
            shell_word(name)
        );
        findings.push(Finding::problem(Area::Discovery, reason).advise(advice));
    }
    findings.extend(method(account, metadata));
    findings.extend(grant(account, metadata));
    findings.into_iter().map(|it| it.of(name)).collect()
}

/// Endpoints that the configuration has otherwise than the issuer.
fn differing(account: &Account, metadata: &Metadata) -> Vec<Finding> {
    let authority = &account.authority;
    let pairs = [
        (
            "auth_uri",
            &authority.auth_uri,
            &metadata.authorization_endpoint,
        ),
        ("token_uri", &authority.token_uri, &metadata.token_endpoint),
        (
            "device_uri",
            &account.device_uri,
            &metadata.device_authorization_endpoint,
        ),
        (
            "revoke_uri",
            &account.revoke_uri,
            &metadata.revocation_endpoint,
        ),
    ];
    let differs = |(option, ours, theirs): (&str, &Option<Url>, &Option<Url>)| {
        let (ours, theirs) = (ours.as_ref()?, theirs.as_ref()?);
        (bare(ours) != bare(theirs)).then(|| {
            let text = format!(
                "'{option}' is {}, and the issuer publishes {}",
                bare(ours),
                bare(theirs)
            );
            Finding::note(Area::Discovery, text).advise(format!(
                "yours is used; take '{option}' out unless you mean it"
            ))
        })
    };
    pairs.into_iter().filter_map(differs).collect()
}

/// A URL without its query, which is often the account's own.
fn bare(url: &Url) -> &str {
    url.as_str().split('?').next().unwrap_or_default()
}

/// Client authentication (RFC 8414 section 2). Many who list methods take public clients without
/// listing `none`, so that nothing is said of those.
fn method(account: &Account, metadata: &Metadata) -> Option<Finding> {
    let listed = &metadata.token_endpoint_auth_methods;
    let (ours, option, other, other_option) = match account.authority.client_auth {
        ClientAuth::None => return None,
        ClientAuth::Post(_) => ("client_secret_post", "post", "client_secret_basic", "basic"),
        ClientAuth::Basic(_) => ("client_secret_basic", "basic", "client_secret_post", "post"),
    };
    let lists = |method: &str| listed.iter().any(|it| it == method);
    if listed.is_empty() || lists(ours) {
        return None;
    }
    let text = format!(
        "the issuer does not list client_auth = \"{option}\" among the ways for a client to prove itself ({})",
        listed.join(", ")
    );
    let advice = match (lists(other), lists("none")) {
        (true, _) => format!("set client_auth = \"{other_option}\""),
        (false, true) => "take the client's secret out: it wants none".to_owned(),
        (false, false) => {
            "ask the provider for a client that proves itself with a secret".to_owned()
        }
    };
    Some(Finding::note(Area::Discovery, text).advise(advice))
}

fn grant(account: &Account, metadata: &Metadata) -> Option<Finding> {
    let (ours, option) = match account.authority.grant {
        GrantType::AuthorizationCode => ("authorization_code", "authorization_code"),
        GrantType::DeviceCode => (DEVICE_CODE, "device_code"),
        GrantType::ClientCredentials => ("client_credentials", "client_credentials"),
    };
    let listed = &metadata.grant_types;
    if listed.is_empty() || listed.iter().any(|it| it == ours) {
        return None;
    }
    let text = format!("the issuer does not list grant = \"{option}\" among its grants");
    Some(
        Finding::note(Area::Discovery, text)
            .advise("if the login is refused, set 'grant' to one that it lists"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::{account as configured, assert_one};
    use super::*;

    const ISSUER: &str = "issuer = \"https://op.example\";";

    fn metadata() -> Metadata {
        let url = |path: &str| Url::parse(&format!("https://op.example/{path}")).ok();
        Metadata {
            authorization_endpoint: url("auth"),
            token_endpoint: url("token"),
            ..Metadata::default()
        }
    }

    fn judged(more: &str, metadata: &Metadata) -> Vec<Finding> {
        account(&configured(&format!("{ISSUER} {more}")), metadata)
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn what_fits_is_not_mentioned() {
        assert!(judged("", &metadata()).is_empty());
        assert!(judged("token_uri = \"https://op.example/token?x=1\";", &metadata()).is_empty());
        let listed = Metadata {
            code_challenge_methods: words(&["S256"]),
            token_endpoint_auth_methods: words(&["client_secret_post"]),
            grant_types: words(&["authorization_code"]),
            ..metadata()
        };
        assert!(judged("client_secret = \"x\";", &listed).is_empty());
        assert!(judged("", &listed).is_empty());
    }

    #[test]
    fn what_differs_is() {
        let found = judged("token_uri = \"https://op.example/old\";", &metadata());
        assert_one(&found, Note, "'token_uri' is https://op.example/old");
        let found = judged("grant = \"device_code\";", &metadata());
        assert_one(&found, Problem, "device_uri");
        let plain = Metadata {
            code_challenge_methods: words(&["plain"]),
            ..metadata()
        };
        assert_one(&judged("", &plain), Problem, "S256");
        let basic = Metadata {
            token_endpoint_auth_methods: words(&["client_secret_basic"]),
            ..metadata()
        };
        let found = judged("client_secret = \"x\";", &basic);
        assert_one(&found, Note, "client_auth = \"basic\"");
        let other = Metadata {
            grant_types: words(&["implicit"]),
            ..metadata()
        };
        assert_one(&judged("", &other), Note, "grant");
    }

    #[test]
    fn what_an_issuer_answers() {
        let issued = Issued::of(&configured(ISSUER)).unwrap();
        let judge = |found: &Discovered| issuer(&issued, found, &["a".to_owned()]);
        let good = judge(&Discovered::Metadata(Box::default())).unwrap();
        assert_one(&[good], Good, "https://op.example publishes");
        for fault in [
            MetadataFault::NotThere,
            MetadataFault::Passing("HTTP 500".into()),
            MetadataFault::Wrong("the metadata are those of 'x'".into()),
        ] {
            let found = judge(&Discovered::Fault(fault.clone())).unwrap();
            assert_one(&[found], Problem, &fault.to_string());
        }
        assert_eq!(judge(&Discovered::NoAnswer), None);
        assert_eq!(
            Issued::of(&configured("provider = \"google\"; client_secret = \"x\";")),
            None
        );
    }
}
