//! The options: the one place that knows what they are called, where they may stand and of what
//! kind they are. It knows nothing of their values.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// Where an option may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the top level only.
    Global,
    /// Inside an account only.
    Account,
    /// At either; the account's wins.
    Both,
}

impl Place {
    /// Whether an option that belongs here may stand at `level`, which is not `Both`.
    fn allows(self, level: Self) -> bool {
        self == Self::Both || self == level
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "at the top level, outside the accounts",
            Self::Account => "inside an account",
            Self::Both => "at the top level or inside an account",
        })
    }
}

/// The kind of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A shell command.
    Command,
    /// A duration longer than zero.
    Time,
    /// A duration that may be zero.
    TimeOrZero,
    /// Where to listen.
    Listen,
    /// The URI of one of the provider's endpoints.
    Endpoint,
    /// The name of a provider that much is known of.
    Provider,
    /// The URI that a provider is called by.
    Issuer,
    /// How tokens are come by.
    Grant,
    /// A text that the provider knows the client by.
    Identifier,
    /// A text for the provider.
    Text,
    /// A text that nobody may see.
    Secret,
    /// How the client authenticates.
    Method,
    /// Scopes.
    Scopes,
    /// A resource indicator.
    Resource,
    /// Fields of a query.
    Fields,
    /// A redirect URI.
    Redirect,
    /// A file of PEM certificates.
    Certificates,
    /// A PEM file with a private key.
    PrivateKey,
}

impl Kind {
    /// Whether `none`, which means that it is not set, is a value of this kind.
    pub(super) const fn may_be_none(self) -> bool {
        use Kind::{Certificates, Command, Listen, PrivateKey, Resource, Secret, Text};
        matches!(
            self,
            Command | Listen | Secret | Text | Resource | Certificates | PrivateKey
        )
    }

    /// What a value looks like, for people.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Command => "a command in double quotes, for example \"logger pizauth\"",
            Self::Time | Self::TimeOrZero => {
                "a time without quotes, for example 90s, 15m, 2h or 1d"
            }
            Self::Listen => "an address with a port, for example \"127.0.0.1:8080\", or none",
            Self::Endpoint => "a URI, for example \"https://example.com/oauth2/authorize\"",
            Self::Identifier | Self::Text | Self::Secret => "a string in double quotes",
            Self::Provider => "a provider's name, for example \"google\"",
            Self::Issuer => "a URI, for example \"https://example.com\"",
            Self::Grant => "\"authorization_code\", \"device_code\" or \"client_credentials\"",
            Self::Method => "\"post\", \"basic\" or \"none\"",
            Self::Scopes => "a list of strings, for example [\"mail.read\", \"mail.send\"]",
            Self::Resource => "a URI, for example \"https://example.com/\"",
            Self::Fields => "a map, for example {\"prompt\": \"consent\"}",
            Self::Redirect => "a URI, for example \"http://localhost/\"",
            Self::Certificates => "a file's path, for example \"/etc/ssl/my-ca.pem\"",
            Self::PrivateKey => "a file's path, for example \"/etc/ssl/private/my-key.pem\"",
        }
    }
}

/// An option.
pub(super) struct Spec {
    /// Its names, the preferred one first. Whichever is used, it is the same option.
    pub(super) names: &'static [&'static str],
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// The options, as numbers into the table.
#[expect(
    clippy::enum_variant_names,
    reason = "'https_key' is about another kind of key"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    AuthNotifyCmd,
    AuthNotifyInterval,
    ErrorNotifyCmd,
    HttpListen,
    HttpsListen,
    HttpsCert,
    HttpsKey,
    PersistCmd,
    RestoreCmd,
    StartupCmd,
    TokenEventCmd,
    RefreshRetry,
    RefreshBeforeExpiry,
    RefreshAtLeast,
    TransientErrorIfCmd,
    CaFile,
    Provider,
    Issuer,
    AuthUri,
    TokenUri,
    DeviceUri,
    RevokeUri,
    ClientId,
    ClientSecret,
    ClientSecretCmd,
    ClientAuth,
    Grant,
    Scopes,
    Resource,
    LoginHint,
    AuthUriFields,
    RedirectUri,
}

/// How many options there are.
pub(super) const COUNT: usize = Key::RedirectUri as usize + 1;

const fn option(names: &'static [&'static str], place: Place, kind: Kind) -> Spec {
    Spec { names, place, kind }
}

/// An option that has one name and belongs inside an account.
const fn of_account(name: &'static [&'static str; 1], kind: Kind) -> Spec {
    option(name, Place::Account, kind)
}

/// All options, in the order of [`Key`].
static OPTIONS: [(Key, Spec); COUNT] = [
    (
        Key::AuthNotifyCmd,
        option(&["auth_notify_cmd"], Place::Global, Kind::Command),
    ),
    (
        Key::AuthNotifyInterval,
        option(&["auth_notify_interval"], Place::Global, Kind::Time),
    ),
    (
        Key::ErrorNotifyCmd,
        option(
            &["error_notify_cmd", "auth_error_cmd"],
            Place::Global,
            Kind::Command,
        ),
    ),
    (
        Key::HttpListen,
        option(&["http_listen"], Place::Global, Kind::Listen),
    ),
    (
        Key::HttpsListen,
        option(&["https_listen"], Place::Global, Kind::Listen),
    ),
    (
        Key::HttpsCert,
        option(&["https_cert"], Place::Global, Kind::Certificates),
    ),
    (
        Key::HttpsKey,
        option(&["https_key"], Place::Global, Kind::PrivateKey),
    ),
    (
        Key::PersistCmd,
        option(&["persist_cmd"], Place::Global, Kind::Command),
    ),
    (
        Key::RestoreCmd,
        option(&["restore_cmd"], Place::Global, Kind::Command),
    ),
    (
        Key::StartupCmd,
        option(&["startup_cmd"], Place::Global, Kind::Command),
    ),
    (
        Key::TokenEventCmd,
        option(&["token_event_cmd"], Place::Global, Kind::Command),
    ),
    (
        Key::RefreshRetry,
        option(
            &["refresh_retry", "refresh_retry_interval"],
            Place::Both,
            Kind::Time,
        ),
    ),
    (
        Key::RefreshBeforeExpiry,
        option(&["refresh_before_expiry"], Place::Both, Kind::TimeOrZero),
    ),
    (
        Key::RefreshAtLeast,
        option(&["refresh_at_least"], Place::Both, Kind::Time),
    ),
    (
        Key::TransientErrorIfCmd,
        option(&["transient_error_if_cmd"], Place::Both, Kind::Command),
    ),
    (
        Key::CaFile,
        option(&["ca_file"], Place::Both, Kind::Certificates),
    ),
    (Key::Provider, of_account(&["provider"], Kind::Provider)),
    (Key::Issuer, of_account(&["issuer"], Kind::Issuer)),
    (Key::AuthUri, of_account(&["auth_uri"], Kind::Endpoint)),
    (Key::TokenUri, of_account(&["token_uri"], Kind::Endpoint)),
    (Key::DeviceUri, of_account(&["device_uri"], Kind::Endpoint)),
    (Key::RevokeUri, of_account(&["revoke_uri"], Kind::Endpoint)),
    (Key::ClientId, of_account(&["client_id"], Kind::Identifier)),
    (
        Key::ClientSecret,
        of_account(&["client_secret"], Kind::Secret),
    ),
    (
        Key::ClientSecretCmd,
        of_account(&["client_secret_cmd"], Kind::Command),
    ),
    (Key::ClientAuth, of_account(&["client_auth"], Kind::Method)),
    (Key::Grant, of_account(&["grant"], Kind::Grant)),
    (Key::Scopes, of_account(&["scopes"], Kind::Scopes)),
    (Key::Resource, of_account(&["resource"], Kind::Resource)),
    (Key::LoginHint, of_account(&["login_hint"], Kind::Text)),
    (
        Key::AuthUriFields,
        of_account(&["auth_uri_fields"], Kind::Fields),
    ),
    (
        Key::RedirectUri,
        of_account(&["redirect_uri"], Kind::Redirect),
    ),
];

impl Key {
    pub(super) fn spec(self) -> &'static Spec {
        &OPTIONS[self as usize].1
    }

    /// The preferred name.
    pub(super) fn name(self) -> &'static str {
        self.spec().names[0]
    }
}

/// Every option: its names, the preferred one first, and where it may stand. The man page is held
/// against this.
pub fn option_names() -> impl Iterator<Item = (&'static [&'static str], Place)> {
    OPTIONS.iter().map(|(_, spec)| (spec.names, spec.place))
}

/// Whether an option, at any level, has this name.
pub(in crate::config) fn is_option(name: &str) -> bool {
    known(name).is_some()
}

fn known(name: &str) -> Option<Key> {
    static BY_NAME: LazyLock<HashMap<&str, Key>> = LazyLock::new(|| {
        let mut by_name = HashMap::new();
        for (key, spec) in &OPTIONS {
            by_name.extend(spec.names.iter().map(|name| (*name, *key)));
        }
        by_name
    });
    BY_NAME.get(name).copied()
}

/// What a name turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// An option that may stand here.
    Known(Key),
    /// An option that may stand only there.
    Elsewhere(Place),
    /// No option; the nearest name, where one is near.
    Unknown(Option<(Key, &'static str)>),
}

/// Longer names are near to none.
const MAX_COMPARED: usize = 64;
/// The beginning of a known name suggests it if it is this long.
const MIN_BEGINNING: usize = 6;

/// Looks up `name`, found at `level`.
pub(super) fn look_up(name: &str, level: Place) -> Lookup {
    match known(name) {
        Some(key) if key.spec().place.allows(level) => Lookup::Known(key),
        Some(key) => Lookup::Elsewhere(key.spec().place),
        None => Lookup::Unknown(nearest(name, level)),
    }
}

/// The name that was probably meant; one that may stand at `level` wins over one that may not.
fn nearest(name: &str, level: Place) -> Option<(Key, &'static str)> {
    // Comparing takes as long as the product of the lengths.
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    let max_edits = (name.len() / 3).max(1);
    let candidates = OPTIONS.iter().flat_map(|(key, spec)| {
        let elsewhere = !spec.place.allows(level);
        spec.names
            .iter()
            .map(move |known| (*key, elsewhere, *known))
    });
    candidates
        .filter_map(|(key, elsewhere, known)| {
            let edits = edits(&name, known, max_edits)?;
            Some((edits, elsewhere, key, known))
        })
        .min_by_key(|(edits, elsewhere, ..)| (*edits, *elsewhere))
        .map(|(_, _, key, known)| (key, known))
}

/// How far `name` is from `known`; `None` where that is further than `max`.
fn edits(name: &str, known: &str, max: usize) -> Option<usize> {
    // Who leaves out the end of a long name has made one mistake.
    if name.len() >= MIN_BEGINNING && known.starts_with(name) {
        return Some(max);
    }
    if name.len().abs_diff(known.len()) > max {
        return None;
    }
    Some(strsim::osa_distance(name, known)).filter(|edits| *edits <= max)
}

#[cfg(test)]
mod tests;
