//! Which endpoint wins, and what is missed.

use std::time::Duration;

use super::*;
use crate::config::{AccountName, ClientAuth, Dialect, Issuer, RefreshPolicy};
use crate::oauth::testing::authority;

const ISSUER: &str = "https://login.example/common";

fn url(text: &str) -> Option<Url> {
    Url::parse(text).ok()
}

/// An account that writes nothing but its issuer.
fn account(grant: GrantType) -> Account {
    let mut authority = authority(ClientAuth::None);
    authority.auth_uri = None;
    authority.token_uri = None;
    authority.grant = grant;
    authority.issuer = Some(Issuer {
        identifier: ISSUER.into(),
        uri: Url::parse(ISSUER).unwrap(),
        discovery: true,
    });
    Account {
        name: AccountName::new("a").unwrap(),
        authority,
        refresh: RefreshPolicy {
            before_expiry: Duration::ZERO,
            at_least: Duration::from_secs(1),
            retry: Duration::from_secs(1),
        },
        transient_error_if_cmd: None,
        ca_file: None,
        device_uri: None,
        revoke_uri: None,
        dialect: Dialect::default(),
    }
}

fn metadata() -> Metadata {
    Metadata {
        authorization_endpoint: url("https://m.example/auth"),
        token_endpoint: url("https://m.example/token"),
        device_authorization_endpoint: url("https://m.example/device"),
        revocation_endpoint: url("https://m.example/revoke"),
        iss_promised: true,
        ..Metadata::default()
    }
}

#[test]
fn what_is_published_fills_the_gaps() {
    let account = account(GrantType::AuthorizationCode);
    assert_eq!(Endpoints::written(&account), None);
    let endpoints = Endpoints::discovered(&account, &metadata()).unwrap();
    let expected = Endpoints {
        auth_uri: url("https://m.example/auth"),
        token_uri: Url::parse("https://m.example/token").unwrap(),
        device_uri: url("https://m.example/device"),
        revoke_uri: url("https://m.example/revoke"),
        issuer: ExpectedIssuer {
            identifier: Some(ISSUER.into()),
            promised: true,
        },
    };
    assert_eq!(endpoints, expected);
}

#[test]
fn what_is_written_wins() {
    let mut account = account(GrantType::AuthorizationCode);
    account.authority.auth_uri = url("https://w.example/auth");
    account.authority.token_uri = url("https://w.example/token");
    account.device_uri = url("https://w.example/device");
    account.revoke_uri = url("https://w.example/revoke");
    for metadata in [metadata(), Metadata::default()] {
        let endpoints = Endpoints::discovered(&account, &metadata).unwrap();
        assert_eq!(endpoints.auth_uri, url("https://w.example/auth"));
        assert_eq!(endpoints.token_uri.as_str(), "https://w.example/token");
        assert_eq!(endpoints.device_uri, url("https://w.example/device"));
        assert_eq!(endpoints.revoke_uri, url("https://w.example/revoke"));
        assert_eq!(endpoints.issuer.promised, metadata.iss_promised);
    }
}

#[test]
fn of_many_tenants_none_is_expected() {
    let mut account = account(GrantType::AuthorizationCode);
    account.dialect.issuer_template = true;
    let endpoints = Endpoints::discovered(&account, &metadata()).unwrap();
    assert_eq!(endpoints.issuer.identifier, None);
    write_down(&mut account);
    let endpoints = Endpoints::written(&account).unwrap();
    assert_eq!(endpoints.issuer, ExpectedIssuer::default());
}

/// A preset's account: all is known, and the issuer is there to be compared with.
fn write_down(account: &mut Account) {
    account.authority.token_uri = url("https://w.example/token");
    let issuer = account.authority.issuer.as_mut().unwrap();
    issuer.discovery = false;
}

#[test]
fn a_preset_names_its_issuer_and_promises_nothing() {
    let mut account = account(GrantType::AuthorizationCode);
    write_down(&mut account);
    let endpoints = Endpoints::written(&account).unwrap();
    assert_eq!(endpoints.issuer.identifier.as_deref(), Some(ISSUER));
    assert!(!endpoints.issuer.promised);
    assert!(!endpoints.allow(GrantType::AuthorizationCode));
    assert!(!endpoints.allow(GrantType::DeviceCode));
    assert!(endpoints.allow(GrantType::ClientCredentials));
}

#[test]
fn each_grant_misses_what_it_needs() {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode};
    type Without = fn(&mut Metadata);
    let cases: [(Without, [Option<&str>; 3]); 4] = [
        (|it| it.token_endpoint = None, [Some("set token_uri"); 3]),
        (
            |it| it.authorization_endpoint = None,
            [Some("set auth_uri"), None, None],
        ),
        (
            |it| it.device_authorization_endpoint = None,
            [None, Some("set device_uri"), None],
        ),
        (|it| it.revocation_endpoint = None, [None; 3]),
    ];
    for (without, expected) in cases {
        let mut metadata = metadata();
        without(&mut metadata);
        for (grant, hint) in [AuthorizationCode, DeviceCode, ClientCredentials]
            .into_iter()
            .zip(expected)
        {
            let error = Endpoints::discovered(&account(grant), &metadata).err();
            assert_eq!(error.is_some(), hint.is_some(), "{grant:?} {error:?}");
            let error = error.unwrap_or_default();
            assert!(error.ends_with(hint.unwrap_or_default()), "{error}");
        }
    }
}

#[test]
fn a_provider_must_take_our_challenges() {
    let with = |methods: &[&str], grant| {
        let metadata = Metadata {
            code_challenge_methods: methods.iter().map(|it| (*it).into()).collect(),
            ..metadata()
        };
        Endpoints::discovered(&account(grant), &metadata)
    };
    let browser = GrantType::AuthorizationCode;
    assert!(with(&[], browser).is_ok());
    assert!(with(&["plain", "S256"], browser).is_ok());
    assert_eq!(
        with(&["plain", "s256"], browser).unwrap_err(),
        "the provider takes no PKCE challenge by S256 (only by: plain, s256), and pizauth makes no others"
    );
    assert!(with(&["plain"], GrantType::DeviceCode).is_ok());
    assert!(with(&["plain"], GrantType::ClientCredentials).is_ok());
}
