//! What each provider's preset makes of an account: exact values.

use super::accounts::{account_of, fields, uri};
use super::*;

/// What a preset is expected to expand to.
struct Expected {
    names: &'static [&'static str],
    auth_uri: &'static str,
    token_uri: &'static str,
    device_uri: &'static str,
    revoke_uri: &'static str,
    issuer: &'static str,
    scopes: &'static [&'static str],
    fields: &'static [(&'static str, &'static str)],
    redirect_uri: &'static str,
    dialect: Dialect,
}

const NO_DIALECT: Dialect = Dialect {
    redirect_uri_on_refresh: false,
    yandex: false,
    issuer_template: false,
};

const MICROSOFT_SCOPES: &[&str] = &[
    "https://outlook.office.com/IMAP.AccessAsUser.All",
    "https://outlook.office.com/SMTP.Send",
    "offline_access",
];

macro_rules! microsoft {
    ($name:literal, $tenant:literal) => {
        Expected {
            names: &[$name],
            auth_uri: concat!(
                "https://login.microsoftonline.com/",
                $tenant,
                "/oauth2/v2.0/authorize"
            ),
            token_uri: concat!(
                "https://login.microsoftonline.com/",
                $tenant,
                "/oauth2/v2.0/token"
            ),
            device_uri: concat!(
                "https://login.microsoftonline.com/",
                $tenant,
                "/oauth2/v2.0/devicecode"
            ),
            revoke_uri: "",
            issuer: "",
            scopes: MICROSOFT_SCOPES,
            fields: &[],
            redirect_uri: "http://localhost/",
            dialect: Dialect {
                issuer_template: true,
                ..NO_DIALECT
            },
        }
    };
}

const EXPECTED: [Expected; 14] = [
    Expected {
        names: &["google"],
        auth_uri: "https://accounts.google.com/o/oauth2/v2/auth",
        token_uri: "https://oauth2.googleapis.com/token",
        device_uri: "",
        revoke_uri: "https://oauth2.googleapis.com/revoke",
        issuer: "https://accounts.google.com",
        scopes: &["https://mail.google.com/"],
        fields: &[("access_type", "offline"), ("prompt", "consent")],
        redirect_uri: "http://localhost/",
        dialect: NO_DIALECT,
    },
    microsoft!("microsoft", "common"),
    microsoft!("microsoft-work", "organizations"),
    microsoft!("microsoft-personal", "consumers"),
    microsoft!("microsoft:example.com", "example.com"),
    microsoft!(
        "microsoft:9188040d-6c67-4c5b-b112-36a304b66dad",
        "9188040d-6c67-4c5b-b112-36a304b66dad"
    ),
    Expected {
        names: &["fastmail"],
        auth_uri: "https://api.fastmail.com/oauth/authorize",
        token_uri: "https://api.fastmail.com/oauth/refresh",
        device_uri: "",
        revoke_uri: "https://api.fastmail.com/oauth/revoke",
        issuer: "",
        scopes: &[
            "https://www.fastmail.com/dev/protocol-imap",
            "https://www.fastmail.com/dev/protocol-smtp",
        ],
        fields: &[],
        redirect_uri: "http://localhost/",
        dialect: NO_DIALECT,
    },
    Expected {
        names: &["yahoo"],
        auth_uri: "https://api.login.yahoo.com/oauth2/request_auth",
        token_uri: "https://api.login.yahoo.com/oauth2/get_token",
        device_uri: "",
        revoke_uri: "https://api.login.yahoo.com/oauth2/revoke",
        issuer: "",
        scopes: &["mail-w"],
        fields: &[],
        redirect_uri: "https://127.0.0.1",
        dialect: NO_DIALECT,
    },
    Expected {
        names: &["aol"],
        auth_uri: "https://api.login.aol.com/oauth2/request_auth",
        token_uri: "https://api.login.aol.com/oauth2/get_token",
        device_uri: "",
        revoke_uri: "",
        issuer: "",
        scopes: &["mail-w"],
        fields: &[],
        redirect_uri: "https://127.0.0.1",
        dialect: NO_DIALECT,
    },
    Expected {
        names: &["yandex"],
        auth_uri: "https://oauth.yandex.com/authorize",
        token_uri: "https://oauth.yandex.com/token",
        device_uri: "https://oauth.yandex.com/device/code",
        revoke_uri: "https://oauth.yandex.com/revoke_token",
        issuer: "",
        scopes: &["mail:imap_full", "mail:smtp"],
        fields: &[],
        redirect_uri: "http://localhost/",
        dialect: Dialect {
            yandex: true,
            ..NO_DIALECT
        },
    },
    Expected {
        names: &["mailru", "mail.ru"],
        auth_uri: "https://o2.mail.ru/login",
        token_uri: "https://o2.mail.ru/token",
        device_uri: "",
        revoke_uri: "",
        issuer: "",
        scopes: &["mail.imap"],
        fields: &[],
        redirect_uri: "http://localhost/",
        dialect: NO_DIALECT,
    },
    Expected {
        names: &["github"],
        auth_uri: "https://github.com/login/oauth/authorize",
        token_uri: "https://github.com/login/oauth/access_token",
        device_uri: "https://github.com/login/device/code",
        revoke_uri: "",
        issuer: "",
        scopes: &["repo", "gist", "workflow"],
        fields: &[],
        redirect_uri: "http://127.0.0.1/",
        dialect: NO_DIALECT,
    },
    Expected {
        names: &["gitlab", "gitlab:gitlab.com"],
        auth_uri: "https://gitlab.com/oauth/authorize",
        token_uri: "https://gitlab.com/oauth/token",
        device_uri: "https://gitlab.com/oauth/authorize_device",
        revoke_uri: "https://gitlab.com/oauth/revoke",
        issuer: "",
        scopes: &["read_repository", "write_repository"],
        fields: &[],
        redirect_uri: "http://127.0.0.1/",
        dialect: Dialect {
            redirect_uri_on_refresh: true,
            ..NO_DIALECT
        },
    },
    Expected {
        names: &["gitlab:git.example.com"],
        auth_uri: "https://git.example.com/oauth/authorize",
        token_uri: "https://git.example.com/oauth/token",
        device_uri: "https://git.example.com/oauth/authorize_device",
        revoke_uri: "https://git.example.com/oauth/revoke",
        issuer: "",
        scopes: &["read_repository", "write_repository"],
        fields: &[],
        redirect_uri: "http://127.0.0.1/",
        dialect: Dialect {
            redirect_uri_on_refresh: true,
            ..NO_DIALECT
        },
    },
];

#[test]
fn a_provider_fills_in_exactly_this() {
    for expected in EXPECTED {
        for name in expected.names {
            let account = account_of(&format!("provider = \"{name}\";"));
            let authority = &account.authority;
            assert_eq!(uri(authority.auth_uri.as_ref()), expected.auth_uri);
            assert_eq!(uri(authority.token_uri.as_ref()), expected.token_uri);
            assert_eq!(uri(account.device_uri.as_ref()), expected.device_uri);
            assert_eq!(uri(account.revoke_uri.as_ref()), expected.revoke_uri);
            let issuer = authority.issuer.as_ref();
            let identifier = issuer.map_or("", |issuer| issuer.identifier.as_str());
            assert_eq!(identifier, expected.issuer);
            assert!(issuer.is_none_or(|issuer| !issuer.discovery));
            assert_eq!(authority.scopes, expected.scopes, "{name}");
            assert_eq!(fields(&account), expected.fields, "{name}");
            assert_eq!(authority.redirect_uri.to_string(), expected.redirect_uri);
            assert_eq!(authority.grant, GrantType::AuthorizationCode);
            assert_eq!(authority.resource, None);
            assert_eq!(authority.client_auth, ClientAuth::None);
            assert_eq!(account.dialect, expected.dialect, "{name}");
        }
    }
}

/// The options that say by hand what a preset says.
fn typed(expected: &Expected) -> String {
    let mut options = format!(
        "auth_uri = \"{}\"; token_uri = \"{}\"; redirect_uri = \"{}\"; scopes = {:?};",
        expected.auth_uri, expected.token_uri, expected.redirect_uri, expected.scopes
    );
    let fields = expected.fields.iter();
    let fields: Vec<String> = fields
        .map(|(key, value)| format!("\"{key}\": \"{value}\""))
        .collect();
    options += &format!("auth_uri_fields = {{{}}};", fields.join(", "));
    options
}

/// So that whoever shortens a configuration need not log in again.
#[test]
fn what_is_typed_is_the_same_authority() {
    for expected in EXPECTED {
        let preset = account_of(&format!("provider = \"{}\";", expected.names[0]));
        let by_hand = account_of(&typed(&expected));
        assert_eq!(preset.authority, by_hand.authority);
        // The host of a GitLab of one's own says nothing; all others are recognised.
        if !expected.token_uri.contains("example.com/oauth") {
            assert_eq!(preset.dialect, by_hand.dialect, "{}", expected.names[0]);
        }
    }
}
