//! The options: the one place that knows what they are called, where they may stand and of what
//! kind they are. It knows nothing of their values.

use std::fmt;

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
}

impl Kind {
    /// Whether `none`, which means that it is not set, is a value of this kind.
    pub(super) const fn may_be_none(self) -> bool {
        use Kind::{Certificates, Command, Listen, Resource, Secret, Text};
        matches!(
            self,
            Command | Listen | Secret | Text | Resource | Certificates
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
            Self::Method => "\"post\", \"basic\" or \"none\"",
            Self::Scopes => "a list of strings, for example [\"mail.read\", \"mail.send\"]",
            Self::Resource => "a URI, for example \"https://example.com/\"",
            Self::Fields => "a map, for example {\"prompt\": \"consent\"}",
            Self::Redirect => "a URI, for example \"http://localhost/\"",
            Self::Certificates => "a file's path, for example \"/etc/ssl/my-ca.pem\"",
        }
    }
}

/// An option.
pub(super) struct Spec {
    /// Its names, the preferred one first. Whichever is used, it is the same option.
    pub(super) names: &'static [&'static str],
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// Whether every account must have it.
    pub(super) mandatory: bool,
}

/// The options, as numbers into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    AuthNotifyCmd,
    AuthNotifyInterval,
    ErrorNotifyCmd,
    HttpListen,
    PersistCmd,
    RestoreCmd,
    StartupCmd,
    TokenEventCmd,
    RefreshRetry,
    RefreshBeforeExpiry,
    RefreshAtLeast,
    TransientErrorIfCmd,
    CaFile,
    AuthUri,
    TokenUri,
    ClientId,
    ClientSecret,
    ClientAuth,
    Scopes,
    Resource,
    LoginHint,
    AuthUriFields,
    RedirectUri,
}

/// How many options there are.
pub(super) const COUNT: usize = Key::RedirectUri as usize + 1;

const fn option(names: &'static [&'static str], place: Place, kind: Kind) -> Spec {
    Spec {
        names,
        place,
        kind,
        mandatory: false,
    }
}

const fn mandatory(names: &'static [&'static str], kind: Kind) -> Spec {
    Spec {
        names,
        place: Place::Account,
        kind,
        mandatory: true,
    }
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
    (Key::AuthUri, mandatory(&["auth_uri"], Kind::Endpoint)),
    (Key::TokenUri, mandatory(&["token_uri"], Kind::Endpoint)),
    (Key::ClientId, mandatory(&["client_id"], Kind::Identifier)),
    (
        Key::ClientSecret,
        option(&["client_secret"], Place::Account, Kind::Secret),
    ),
    (
        Key::ClientAuth,
        option(&["client_auth"], Place::Account, Kind::Method),
    ),
    (
        Key::Scopes,
        option(&["scopes"], Place::Account, Kind::Scopes),
    ),
    (
        Key::Resource,
        option(&["resource"], Place::Account, Kind::Resource),
    ),
    (
        Key::LoginHint,
        option(&["login_hint"], Place::Account, Kind::Text),
    ),
    (
        Key::AuthUriFields,
        option(&["auth_uri_fields"], Place::Account, Kind::Fields),
    ),
    (
        Key::RedirectUri,
        option(&["redirect_uri"], Place::Account, Kind::Redirect),
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

/// The options that every account must have.
pub(super) fn mandatory_keys() -> impl Iterator<Item = Key> {
    OPTIONS
        .iter()
        .filter(|(_, spec)| spec.mandatory)
        .map(|(key, _)| *key)
}

/// Whether an option, at any level, has this name.
pub(in crate::config) fn is_option(name: &str) -> bool {
    OPTIONS.iter().any(|(_, spec)| spec.names.contains(&name))
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
    match OPTIONS.iter().find(|(_, spec)| spec.names.contains(&name)) {
        Some((key, spec)) if spec.place.allows(level) => Lookup::Known(*key),
        Some((_, spec)) => Lookup::Elsewhere(spec.place),
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
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_keys_and_no_name_is_there_twice() {
        let mut names: Vec<&str> = Vec::new();
        for (at, (key, spec)) in OPTIONS.iter().enumerate() {
            assert_eq!(*key as usize, at);
            names.extend(spec.names);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn names_are_looked_up_per_level() {
        use Lookup::{Elsewhere, Known, Unknown};
        let cases = [
            ("client_id", Place::Account, Known(Key::ClientId)),
            ("client_id", Place::Global, Elsewhere(Place::Account)),
            ("http_listen", Place::Account, Elsewhere(Place::Global)),
            (
                "refresh_retry_interval",
                Place::Account,
                Known(Key::RefreshRetry),
            ),
            ("auth_error_cmd", Place::Global, Known(Key::ErrorNotifyCmd)),
            (
                "clientid",
                Place::Account,
                Unknown(Some((Key::ClientId, "client_id"))),
            ),
            (
                "Client-ID",
                Place::Account,
                Unknown(Some((Key::ClientId, "client_id"))),
            ),
            (
                "tokenuri",
                Place::Account,
                Unknown(Some((Key::TokenUri, "token_uri"))),
            ),
            (
                "auth_notify",
                Place::Global,
                Unknown(Some((Key::AuthNotifyCmd, "auth_notify_cmd"))),
            ),
            ("banana", Place::Account, Unknown(None)),
            ("x", Place::Account, Unknown(None)),
            ("", Place::Account, Unknown(None)),
        ];
        for (name, level, expected) in cases {
            assert_eq!(look_up(name, level), expected, "{name} at {level:?}");
        }
    }
}
