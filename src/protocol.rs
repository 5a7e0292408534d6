//! The control protocol: what a client and the server say to each other, its limits, and how it
//! is written. The only place that knows the wire.
//!
//! A client sends one request: a line of fields with tabs between them, the first of which is the
//! verb. `restore` names in its second field how many bytes follow the line. The server sends one
//! reply, a line with its kind and the number of bytes that follow, so that a reply which was cut
//! off is never taken for a whole one, and closes the connection. Account names have no control
//! characters, so no field needs quoting.

mod wire;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::wire::{BadReply, Framing, framing};
use crate::secret::{AccessToken, SecretText};

/// The longest request line: an account's name is the longest thing in it. Only `restore` has
/// something after its line.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The longest URL that `complete` takes, as long as the redirect listener's request may be.
pub const MAX_URL: usize = 16 * 1024;
/// The longest dump that can be restored: some 4 KiB for each of 4,000 accounts.
pub const MAX_DUMP: usize = 16 * 1024 * 1024;
/// How long a client may take to send its request.
pub const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long `refresh` waits for the provider: a little longer than a request to it may take.
pub const REFRESH_TIME: Duration = Duration::from_secs(35);

/// How long a server may take to end: it awaits the last answers, and keeps the tokens.
const END_TIME: Duration = Duration::from_secs(80);
/// The longest time that a request can name: a day.
pub const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest reply that a client reads: a dump and some.
pub const MAX_REPLY: usize = 64 * 1024 * 1024;

/// Whether `name` can be an account's: it is not empty, and has none of the characters that
/// separate the fields of a request or that a terminal obeys.
#[must_use]
pub fn is_account_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// An access token.
    Show(Wanted),
    /// Refresh this account's token, or start a login.
    Refresh(String),
    /// Start a login for somebody who sits in front of it; the reply is a document ([`LoginOffer`]).
    Login(String, LoginMethod),
    /// Wait for the end of the login of this account and number, for this time at most; the reply
    /// is a document ([`LoggedIn`]).
    AwaitLogin(String, u64, Duration),
    /// The URL that a browser elsewhere ended at, which has a code in it; for this account, where
    /// one is named. The reply is as for [`Request::AwaitLogin`].
    Complete(Option<String>, SecretText),
    /// Revoke this account's tokens at the provider, where it offers that, and forget them.
    Revoke(String),
    /// Read the configuration again.
    Reload,
    /// Every account's state, as JSON ([`Status`]).
    Status,
    /// The server's own facts, as JSON ([`ServerInfo`]).
    Info,
    /// The token state, as a dump.
    Dump,
    /// Take the token state from this dump.
    Restore(SecretText),
    /// Hand everything over to the process that asks. It names the format that it understands.
    Replace(u32),
    /// End.
    Shutdown,
}

/// An access token that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub account: String,
    /// How long to wait for it where it is not there yet; `None`: not at all. At most
    /// [`MAX_TIME`].
    pub wait: Option<Duration>,
    /// How long it must be valid at least. At most [`MAX_TIME`].
    pub min_valid: Duration,
}

impl Wanted {
    /// A token that is there now, if only for a moment.
    #[must_use]
    pub fn now(account: &str) -> Self {
        Self {
            account: account.into(),
            wait: None,
            min_valid: Duration::ZERO,
        }
    }
}

impl Request {
    /// Whether asking twice does no more than asking once.
    #[must_use]
    pub const fn may_be_repeated(&self) -> bool {
        !matches!(self, Self::Shutdown | Self::Replace(_) | Self::Complete(..))
    }

    /// The same request of somebody who has waited for so long already; `None` where that makes no
    /// difference.
    #[must_use]
    pub fn after(&self, waited: Duration) -> Option<Self> {
        let Self::Show(wanted) = self else {
            return None;
        };
        let patience = wanted.wait?;
        Some(Self::Show(Wanted {
            wait: Some(patience.saturating_sub(waited)),
            ..wanted.clone()
        }))
    }

    /// How long the server may take over this request, beside what the machine needs.
    #[must_use]
    pub fn time(&self) -> Duration {
        match self {
            Self::Show(wanted) => wanted.wait.unwrap_or_default(),
            Self::AwaitLogin(_, _, patience) => *patience,
            Self::Refresh(_) | Self::Login(..) | Self::Complete(..) | Self::Revoke(_) => {
                REFRESH_TIME
            }
            Self::Shutdown => END_TIME,
            _ => Duration::ZERO,
        }
    }
}

/// What the server answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; the text, if any, is for the user to read (on stderr).
    Done(String),
    /// An access token.
    Token(AccessToken),
    /// A document for stdout: a dump, or JSON.
    Document(SecretText),
    /// The user must log in first, there.
    LoginNeeded(LoginPlace),
    /// Try again later, for this reason.
    TryLater(String),
    /// It cannot be done, for this reason (which may have several lines).
    Error(String),
}

/// How a login is to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// As the account's configuration has it.
    Configured,
    /// With a code that is typed into a browser anywhere (RFC 8628).
    Device,
}

/// Where a user logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPlace {
    /// The URL for the browser.
    pub url: String,
    /// The code to type in there, where it takes one.
    pub user_code: Option<String>,
}

/// A login that was begun, for whoever wants to bring it to its end. Times are RFC 3339, in UTC.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct LoginOffer {
    /// The account's name.
    pub account: String,
    /// Until when the token is good that is there already: there is nothing to log in for, and the
    /// rest is not set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logged_in_until: Option<String>,
    /// The login, for [`Request::AwaitLogin`].
    pub login: u64,
    /// The URL for the browser.
    pub url: String,
    /// The code to type in there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_code: Option<String>,
    /// A URL that has the code in it (RFC 8628 section 3.3.1).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url_with_code: Option<String>,
    /// Until when the code is good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code_expires_at: Option<String>,
    /// The port of the listener that the browser comes back to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redirect_port: Option<u16>,
    /// Whether the account could be logged in with a code, too.
    pub device_is_possible: bool,
}

/// A login that has ended well. Times are RFC 3339, in UTC.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct LoggedIn {
    /// The account's name.
    pub account: String,
    /// Until when the access token is good.
    pub expires_at: String,
    /// Whether it can be refreshed.
    pub refreshable: bool,
    /// The scopes that the provider granted, where it named them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub granted_scope: Option<String>,
}

/// The format of what one server hands to the next: the only one that this program knows.
pub const HANDOVER_FORMAT: u32 = 1;

/// The first bytes of a hand-over: how many follow. Sent together with the descriptors.
#[must_use]
pub fn handover_head(length: usize) -> String {
    format!("{HANDOVER_KIND} {length}\n")
}

/// What a head announces: a hand-over, or a reply which says why there is none; and its length.
#[must_use]
pub fn read_handover_head(line: &str) -> Option<(bool, usize)> {
    let (kind, length) = line.split_once(' ')?;
    let length = length.parse().ok().filter(|length| *length <= MAX_REPLY)?;
    Some((kind == HANDOVER_KIND, length))
}

const HANDOVER_KIND: &str = "handover";
/// The new server's word that it can begin.
pub const HANDOVER_READY: &[u8] = b"ready\n";
/// The old server's word that it has ended.
pub const HANDOVER_DONE: &[u8] = b"done\n";
/// The new server's word that it has heard so: only its death is told by the lack of it.
pub const HANDOVER_BEGUN: &[u8] = b"begun\n";

/// Every account's state.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Status {
    /// In the configuration's order.
    pub accounts: Vec<AccountStatus>,
}

/// One account's state. Times are RFC 3339, in UTC.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct AccountStatus {
    /// The account's name.
    pub account: String,
    /// What can be had of it now.
    pub state: AccountState,
    /// When the access token expires (or expired).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
    /// When the tokens at hand were obtained.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub obtained_at: Option<String>,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// Whether a request to the provider is under way.
    pub busy: bool,
    /// When the next refresh, or the next try of one, is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_refresh_at: Option<String>,
    /// The scopes that the provider granted, where it named them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub granted_scope: Option<String>,
    /// Where the user must log in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The code to type in there, where it takes one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_code: Option<String>,
    /// What went wrong last, since the last success.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error_at: Option<String>,
}

/// What can be had of an account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Nothing is known and nothing is under way: `show` starts a login.
    Empty,
    /// The provider is being asked how the user can log in.
    Preparing,
    /// The user must visit a URL.
    Pending,
    /// The user did; the code is being exchanged.
    Exchanging,
    /// There is an access token.
    Active,
    /// The access token has expired and is being refreshed.
    Expired,
    /// There is no access token; a client that needs no user is asking for one.
    Obtaining,
}

/// What the server says of itself.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ServerInfo {
    /// The program's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// The configuration file in force.
    pub config: String,
    /// Where the redirect listener listens, `127.0.0.1:1234` for example.
    pub http_listen: Vec<String>,
    /// Where the redirect listener for https listens.
    #[serde(default)]
    pub https_listen: Vec<String>,
    /// The SHA-256 fingerprint of its certificate, in hexadecimal with colons.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub https_fingerprint: Option<String>,
    /// How many accounts there are.
    pub accounts: usize,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// What protects the server's memory, and others from it.
    #[serde(default)]
    pub protections: Vec<Protection>,
    /// Why tokens are not kept by `persist_cmd` and `restore_cmd`, where they should be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keeping_error: Option<String>,
}

/// Something that protects the server, or others from it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Protection {
    /// What it is about.
    pub name: String,
    /// Whether it is in force.
    pub in_force: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}
