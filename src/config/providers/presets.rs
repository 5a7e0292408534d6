//! The presets. Each fact has its public source beside it; none was asked of a live endpoint.

use crate::config::Dialect;

/// What is the same for all accounts at one provider. `{}` in a URI is its tenant or host.
pub(super) struct Preset {
    pub(super) auth_uri: &'static str,
    pub(super) token_uri: &'static str,
    pub(super) device_uri: Option<&'static str>,
    pub(super) revoke_uri: Option<&'static str>,
    /// What the provider names itself in the redirect (RFC 9207): only where a source has seen it
    /// there, since a wrong one would end every login.
    pub(super) issuer: Option<&'static str>,
    /// What a user is asked to allow.
    pub(super) scopes: &'static [&'static str],
    /// What a client may ask for in its own name.
    pub(super) client_scopes: &'static [&'static str],
    /// What must be in the authorisation URL for a refresh token.
    pub(super) auth_uri_fields: &'static [(&'static str, &'static str)],
    /// Where `http://localhost/` is not what the provider wants.
    pub(super) redirect_uri: Option<&'static str>,
    pub(super) dialect: Dialect,
}

pub(super) const NO_DIALECT: Dialect = Dialect {
    redirect_uri_on_refresh: false,
    yandex: false,
    issuer_template: false,
};

/// What most providers do not have.
const PLAIN: Preset = Preset {
    auth_uri: "",
    token_uri: "",
    device_uri: None,
    revoke_uri: None,
    issuer: None,
    scopes: &[],
    client_scopes: &[],
    auth_uri_fields: &[],
    redirect_uri: None,
    dialect: NO_DIALECT,
};

/// Endpoints and issuer: Google's OpenID Connect discovery document, and GNOME Online Accounts'
/// and Thunderbird for Android's settings. Older pairs of endpoints can be refused at consent.
/// Scope: Google's "OAuth 2.0 scopes for Google APIs"; nothing narrower works for IMAP and SMTP.
/// Fields: Google's "Using OAuth 2.0 for web server applications"; without `prompt`, a second login
/// brings no refresh token. Device codes are for few scopes there, and mail is not among them.
pub(super) static GOOGLE: Preset = Preset {
    auth_uri: "https://accounts.google.com/o/oauth2/v2/auth",
    token_uri: "https://oauth2.googleapis.com/token",
    revoke_uri: Some("https://oauth2.googleapis.com/revoke"),
    // Thunderbird's OAuth2Providers: it comes back with the browser.
    issuer: Some("https://accounts.google.com"),
    scopes: &["https://mail.google.com/"],
    auth_uri_fields: &[("access_type", "offline"), ("prompt", "consent")],
    ..PLAIN
};

/// Endpoints: Microsoft's identity platform documentation (authorisation code and device code
/// flows). No revocation endpoint is documented. Scopes: Thunderbird's OAuth2Providers and
/// Microsoft's "Authenticate an IMAP, POP or SMTP connection using OAuth"; the latter also for what
/// clients ask for in their own name. The issuer of an alias is a template with the tenant left
/// open, so that none can be known.
pub(super) static MICROSOFT: Preset = Preset {
    auth_uri: "https://login.microsoftonline.com/{}/oauth2/v2.0/authorize",
    token_uri: "https://login.microsoftonline.com/{}/oauth2/v2.0/token",
    device_uri: Some("https://login.microsoftonline.com/{}/oauth2/v2.0/devicecode"),
    scopes: &[
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
        "offline_access",
    ],
    client_scopes: &["https://outlook.office365.com/.default"],
    dialect: Dialect {
        issuer_template: true,
        ..NO_DIALECT
    },
    ..PLAIN
};

/// Endpoints and scopes: Thunderbird's OAuth2Providers; the token endpoint is called `refresh` for
/// codes too. Revocation: the notes of several other programs.
pub(super) static FASTMAIL: Preset = Preset {
    auth_uri: "https://api.fastmail.com/oauth/authorize",
    token_uri: "https://api.fastmail.com/oauth/refresh",
    revoke_uri: Some("https://api.fastmail.com/oauth/revoke"),
    scopes: &[
        "https://www.fastmail.com/dev/protocol-imap",
        "https://www.fastmail.com/dev/protocol-smtp",
    ],
    ..PLAIN
};

/// Endpoints, scope and redirect: Thunderbird's OAuth2Providers. Revocation: Yahoo's OpenID Connect
/// discovery document, as others copied it. http redirects are refused.
pub(super) static YAHOO: Preset = Preset {
    auth_uri: "https://api.login.yahoo.com/oauth2/request_auth",
    token_uri: "https://api.login.yahoo.com/oauth2/get_token",
    revoke_uri: Some("https://api.login.yahoo.com/oauth2/revoke"),
    scopes: &["mail-w"],
    redirect_uri: Some("https://127.0.0.1"),
    ..PLAIN
};

/// Thunderbird's OAuth2Providers.
pub(super) static AOL: Preset = Preset {
    auth_uri: "https://api.login.aol.com/oauth2/request_auth",
    token_uri: "https://api.login.aol.com/oauth2/get_token",
    scopes: &["mail-w"],
    redirect_uri: Some("https://127.0.0.1"),
    ..PLAIN
};

/// Endpoints and scopes: Thunderbird's OAuth2Providers and the documentation of Yandex ID, which
/// also has the names that device codes and revocation go by.
pub(super) static YANDEX: Preset = Preset {
    auth_uri: "https://oauth.yandex.com/authorize",
    token_uri: "https://oauth.yandex.com/token",
    device_uri: Some("https://oauth.yandex.com/device/code"),
    revoke_uri: Some("https://oauth.yandex.com/revoke_token"),
    scopes: &["mail:imap_full", "mail:smtp"],
    dialect: Dialect {
        yandex: true,
        ..NO_DIALECT
    },
    ..PLAIN
};

/// Thunderbird's OAuth2Providers and Mail.ru's page for developers. The one scope is for SMTP too.
pub(super) static MAIL_RU: Preset = Preset {
    auth_uri: "https://o2.mail.ru/login",
    token_uri: "https://o2.mail.ru/token",
    scopes: &["mail.imap"],
    ..PLAIN
};

/// GitHub's "Authorizing OAuth apps", and Git Credential Manager's GitHubConstants. Tokens are
/// revoked by a REST call of GitHub's own only.
pub(super) static GITHUB: Preset = Preset {
    auth_uri: "https://github.com/login/oauth/authorize",
    token_uri: "https://github.com/login/oauth/access_token",
    device_uri: Some("https://github.com/login/device/code"),
    scopes: &["repo", "gist", "workflow"],
    redirect_uri: Some("http://127.0.0.1/"),
    ..PLAIN
};

/// GitLab's "OAuth 2.0 identity provider API", which has the rule for refreshing too; scopes and
/// redirect: Git Credential Manager's GitLabConstants.
pub(super) static GITLAB: Preset = Preset {
    auth_uri: "https://{}/oauth/authorize",
    token_uri: "https://{}/oauth/token",
    device_uri: Some("https://{}/oauth/authorize_device"),
    revoke_uri: Some("https://{}/oauth/revoke"),
    scopes: &["read_repository", "write_repository"],
    redirect_uri: Some("http://127.0.0.1/"),
    dialect: Dialect {
        redirect_uri_on_refresh: true,
        ..NO_DIALECT
    },
    ..PLAIN
};

/// The providers by name, each with the tenant or host that the name stands for.
pub(super) static NAMES: [(&str, &Preset, &str); 12] = [
    ("google", &GOOGLE, ""),
    ("microsoft", &MICROSOFT, "common"),
    ("microsoft-work", &MICROSOFT, "organizations"),
    ("microsoft-personal", &MICROSOFT, "consumers"),
    ("fastmail", &FASTMAIL, ""),
    ("yahoo", &YAHOO, ""),
    ("aol", &AOL, ""),
    ("yandex", &YANDEX, ""),
    ("mailru", &MAIL_RU, ""),
    ("mail.ru", &MAIL_RU, ""),
    ("github", &GITHUB, ""),
    ("gitlab", &GITLAB, "gitlab.com"),
];
