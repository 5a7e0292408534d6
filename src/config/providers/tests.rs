//! Which names are found, and what is recognised by its endpoints. What the presets expand to is
//! tested where accounts are read.

use super::*;

fn why_not(name: &str) -> NoProvider {
    Provider::find(name)
        .err()
        .unwrap_or_else(|| panic!("{name} is found"))
}

#[test]
fn every_preset_is_made_of_uris() {
    for (name, ..) in NAMES {
        let provider = Provider::find(name).ok().unwrap();
        let endpoints = [
            provider.auth_uri(),
            provider.token_uri(),
            provider.device_uri(),
            provider.revoke_uri(),
        ];
        let [Some(_), Some(_), device, revoke] = &endpoints else {
            panic!("{name}");
        };
        // What is in the preset must not be lost because it is spelt badly.
        assert_eq!(device.is_some(), provider.preset.device_uri.is_some());
        assert_eq!(revoke.is_some(), provider.preset.revoke_uri.is_some());
        for uri in endpoints.into_iter().flatten() {
            assert_eq!(uri.scheme(), "https", "{name}");
            assert!(!uri.as_str().contains(['{', '%', '?', '#']), "{name}");
        }
        assert!(!provider.scopes().is_empty(), "{name}");
    }
}

#[test]
fn tenants_of_microsoft() {
    for good in [
        "common",
        "9188040d-6c67-4c5b-b112-36a304b66dad",
        "contoso.onmicrosoft.com",
        "EXAMPLE.org",
    ] {
        let provider = Provider::find(&format!("microsoft:{good}")).ok().unwrap();
        let token_uri = format!("https://login.microsoftonline.com/{good}/oauth2/v2.0/token");
        assert_eq!(provider.token_uri().unwrap().as_str(), token_uri);
        assert_eq!(provider.lacks_tenant(), good == "common");
    }
    let too_long = format!("{}.com", "a".repeat(MAX_NAME));
    for bad in [
        "",
        "example",
        "..",
        ".com",
        "a..b",
        "-a.com",
        "a.com/x",
        "a.com:1",
        "a b.com",
        "ä.com",
        "9188040d-6c67-4c5b-b112-36a304b66dag",
        too_long.as_str(),
    ] {
        let found = why_not(&format!("microsoft:{bad}"));
        assert_eq!(found, NoProvider::BadTenant, "{bad}");
    }
    assert_eq!(
        why_not("microsoft-work:example.com"),
        NoProvider::OnlyOne("microsoft-work")
    );
}

#[test]
fn hosts_of_gitlab() {
    for (good, token_uri) in [
        ("gitlab", "https://gitlab.com/oauth/token"),
        (
            "gitlab:git.example.com",
            "https://git.example.com/oauth/token",
        ),
        (
            "gitlab:git.example.com:8443",
            "https://git.example.com:8443/oauth/token",
        ),
    ] {
        let provider = Provider::find(good).ok().unwrap();
        assert_eq!(provider.token_uri().unwrap().as_str(), token_uri);
    }
    for bad in [
        "",
        "git",
        "https://git.example.com",
        "git.example.com/",
        "git.example.com:",
        "git.example.com:0",
        "git.example.com:99999",
        "me@git.example.com",
    ] {
        assert_eq!(why_not(&format!("gitlab:{bad}")), NoProvider::BadHost);
    }
}

#[test]
fn names_that_are_nearly_right() {
    let cases = [
        ("gogle", Some("google")),
        ("Google", Some("google")),
        ("gmail", Some("google")),
        ("Outlook", Some("microsoft")),
        ("hotmail", Some("microsoft-personal")),
        ("microsoft_work", Some("microsoft-work")),
        ("fastmai", Some("fastmail")),
        ("MAIL.RU", Some("mailru")),
        ("icloud", None),
        ("", None),
        (" ", None),
    ];
    for (name, nearest) in cases {
        assert_eq!(why_not(name), NoProvider::Unknown(nearest), "{name}");
    }
    let long = "google".repeat(10_000);
    assert_eq!(why_not(&long), NoProvider::Unknown(None));
    for zoho in ["zoho", "Zoho", "zoho:eu"] {
        assert_eq!(why_not(zoho), NoProvider::NoMail);
    }
}

#[test]
fn endpoints_that_are_recognised() {
    let url = |text: &str| Url::parse(text).unwrap();
    for (token_uri, microsoft) in [
        (
            "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            true,
        ),
        ("https://login.microsoftonline.com/organizations/v2.0", true),
        // An older protocol, which wants a resource.
        (
            "https://login.microsoftonline.com/common/oauth2/token",
            false,
        ),
        ("https://example.com/common/oauth2/v2.0/token", false),
    ] {
        assert_eq!(is_microsoft_at(&url(token_uri)), microsoft, "{token_uri}");
        let template = dialect_at(&url(token_uri)).issuer_template;
        assert_eq!(template, microsoft, "{token_uri}");
    }
    assert!(dialect_at(&url("https://oauth.yandex.ru/token")).yandex);
    assert!(dialect_at(&url("https://gitlab.com/oauth/token")).redirect_uri_on_refresh);
    assert_eq!(
        dialect_at(&url("https://oauth2.googleapis.com/token")),
        NO_DIALECT
    );

    let google = "https://accounts.google.com/o/oauth2/v2/auth";
    let issuer = Some("https://accounts.google.com");
    assert_eq!(issuer_at(&url(google)), issuer);
    assert_eq!(issuer_at(&url(&format!("{google}?hd=example.com"))), issuer);
    assert_eq!(
        issuer_at(&url("https://accounts.google.com/o/oauth2/auth")),
        None
    );
}
