//! The configuration, valid by construction: whoever holds a [`Config`] need not check it.
//!
//! Knows what the options mean and their defaults; knows nothing of sockets, tokens or threads.

mod ast;
mod check;
mod default;
mod diagnostic;
pub mod endpoint;
mod error;
mod grammar;
mod hide;
mod lexer;
mod load;
mod providers;
pub mod redirect_uri;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;
mod trust;

use std::borrow::Borrow;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use self::check::options::{Place, option_names};
pub use self::diagnostic::Report;
pub use self::error::{ConfigError, FileProblem};
pub use self::load::{cannot_open, load, load_from, parse};
pub use self::providers::names as provider_names;
pub use self::redirect_uri::RedirectUri;
pub use self::trust::{Access, User, exposed_secrets};
use crate::protocol::is_account_name;
use crate::secret::ClientSecret;

/// What one configuration file says.
#[derive(Debug)]
pub struct Config {
    /// The accounts, in the file's order; at least one, and no name twice.
    pub accounts: Vec<Arc<Account>>,
    /// Run when an account needs authorising.
    pub auth_notify_cmd: Option<String>,
    /// How long until a person is reminded of a login that is still wanted.
    pub auth_notify_interval: Duration,
    /// Run when something went wrong that a person should know of; syslog gets it where unset.
    pub error_notify_cmd: Option<String>,
    /// Run for each event in an account's life.
    pub token_event_cmd: Option<String>,
    /// Given a dump on its standard input after changes of the tokens.
    pub persist_cmd: Option<String>,
    /// Prints a dump when the server starts.
    pub restore_cmd: Option<String>,
    /// Run once the server is ready.
    pub startup_cmd: Option<String>,
    /// Where the browser finds the redirect listener for http.
    pub http_listen: Listen,
    /// Where it finds the one for https.
    pub https_listen: Listen,
    /// What the one for https shows the browser.
    pub https_certificate: HttpsCertificate,
}

impl Config {
    /// Whether a client's secret is written in the file.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        let is_written = |account: &Arc<Account>| {
            matches!(
                account.authority.client_auth,
                ClientAuth::Post(SecretSource::Written(_))
                    | ClientAuth::Basic(SecretSource::Written(_))
            )
        };
        self.accounts.iter().any(is_written)
    }
}

/// What the https listener proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpsCertificate {
    /// A certificate for the loopback names, made when the server starts and signed by itself.
    SelfSigned,
    /// PEM files of the user's.
    Files {
        /// The certificate and those that it follows from.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Where a redirect listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Not at all.
    Off,
    /// At a free port, the same on 127.0.0.1 and on ::1.
    FreePort,
    /// At this loopback address (and, where it can be had, at the other family's loopback address
    /// with the same port, since `localhost` may mean either).
    At(SocketAddr),
}

/// The name of an account: not empty and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Arc<str>);

impl AccountName {
    /// `None` where `name` cannot be an account's name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        is_account_name(name).then(|| Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for AccountName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One account: whom to ask for tokens, and how to look after them.
#[derive(Debug)]
pub struct Account {
    /// Its name, unique in the configuration.
    pub name: AccountName,
    /// What a token was issued under.
    pub authority: Authority,
    /// When to refresh, and how to retry.
    pub refresh: RefreshPolicy,
    /// Decides whether repeated failures are passing: exit status 0 says so.
    pub transient_error_if_cmd: Option<String>,
    /// PEM certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The device authorisation endpoint (RFC 8628 section 3.1), where it is written down.
    pub device_uri: Option<Url>,
    /// The revocation endpoint (RFC 7009), where it is written down. Neither of these two decides
    /// what a token was issued under, so that adding one costs nobody a login.
    pub revoke_uri: Option<Url>,
    /// What the provider does otherwise than the RFCs have it.
    pub dialect: Dialect,
}

/// Where a provider's rules are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// A refresh must repeat the redirect URI of the login.
    pub redirect_uri_on_refresh: bool,
    /// Device codes and revocation are spelled as Yandex has them.
    pub yandex: bool,
    /// The issuer in the metadata is a template with the tenant left open (Microsoft's aliases).
    pub issuer_template: bool,
}

/// The security-relevant part of an account. A token survives a reload or a restart exactly when
/// the authority under which it was issued is unchanged.
#[derive(Debug, PartialEq, Eq)]
pub struct Authority {
    /// The authorisation endpoint (RFC 6749 section 3.1), where it is written down. It is, or there
    /// is an issuer to ask for it, where a browser is to be sent there.
    pub auth_uri: Option<Url>,
    /// The token endpoint (RFC 6749 section 3.2), where it is written down; else there is an
    /// issuer to ask for it.
    pub token_uri: Option<Url>,
    /// Who the provider says it is (RFC 8414 section 2).
    pub issuer: Option<Issuer>,
    /// How tokens are come by.
    pub grant: GrantType,
    /// The client identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// How the client authenticates at the token endpoint.
    pub client_auth: ClientAuth,
    /// The scopes asked for (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// The resource indicator (RFC 8707).
    pub resource: Option<String>,
    /// Where the browser is sent after authorisation (RFC 6749 section 3.1.2).
    pub redirect_uri: RedirectUri,
    /// Further fields of the authorisation URL, in order; `login_hint` is one of them.
    pub auth_uri_fields: Vec<(String, String)>,
}

impl Authority {
    /// A URI at the provider: accounts with the same host and port there share its fate.
    #[must_use]
    pub fn server(&self) -> Option<&Url> {
        let issuer = self.issuer.as_ref().map(|issuer| &issuer.uri);
        self.token_uri.as_ref().or(issuer)
    }
}

/// An issuer (RFC 8414 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As it was written: identifiers are compared character by character.
    pub identifier: String,
    /// The same as a URL, to ask at.
    pub uri: Url,
    /// Whether its metadata is to be asked for: a preset knows the endpoints already.
    pub discovery: bool,
}

/// How tokens are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// The user logs in with a browser that comes back (RFC 6749 section 4.1).
    AuthorizationCode,
    /// The user types a code into a browser anywhere (RFC 8628).
    DeviceCode,
    /// The client asks for itself; there is no user (RFC 6749 section 4.4).
    ClientCredentials,
}

/// Client authentication (RFC 6749 section 2.3). A method that needs a secret has it.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// A public client: only its `client_id` is sent.
    None,
    /// Identifier and secret in the request's body.
    Post(SecretSource),
    /// Identifier and secret in the HTTP Basic header.
    Basic(SecretSource),
}

/// Where the client's secret comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It is in the configuration.
    Written(Arc<ClientSecret>),
    /// This command prints it.
    Command(String),
}

impl SecretSource {
    /// A secret that is at hand.
    #[must_use]
    pub fn written(secret: ClientSecret) -> Self {
        Self::Written(Arc::new(secret))
    }
}

/// When tokens are refreshed. All durations are positive but `before_expiry`, which may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// This long before the access token expires.
    pub before_expiry: Duration,
    /// At least this often, whatever the provider said of the token's life.
    pub at_least: Duration,
    /// The first gap after a passing failure.
    pub retry: Duration,
}
