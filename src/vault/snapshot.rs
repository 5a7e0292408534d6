//! The dump: token state as a versioned JSON text with wall-clock times, and restoring it.
//!
//! A dump is secret. Each account in it carries a digest of the authority that its tokens were
//! issued under, so that they are never sent to anybody else.

mod digest;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(super) use self::digest::authority_digest;
use crate::clock::{Moment, Now, Timestamp};
use crate::config::{Account, AccountName};
use crate::secret::{AccessToken, RefreshToken, SecretText};
use crate::vault::Vault;
use crate::vault::entry::Entry;
use crate::vault::order::Outcome;
use crate::vault::token::{Access, Means, RenewableLogin, Renewal, TokenState};
use crate::vault::transition::Restored;

/// The version of the format that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// A dump that is further ahead of the clock does not tell how old its tokens are.
const AHEAD: Duration = Duration::from_secs(5 * 60);

#[derive(Serialize, Deserialize)]
struct Dump<A> {
    pizauth_dump: u32,
    accounts: Vec<A>,
}

/// Reads the version of a dump that may be of another one.
#[derive(Deserialize)]
struct AnyDump {
    pizauth_dump: u32,
}

/// One account, on its way out: nothing is copied.
#[derive(Serialize)]
struct Dumped<'a> {
    account: &'a str,
    authority: String,
    obtained_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<&'a str>,
}

/// One account, on its way in.
#[derive(Deserialize)]
struct Undumped {
    account: String,
    authority: String,
    obtained_at: Timestamp,
    access_token: Option<Zeroizing<String>>,
    expires_at: Option<Timestamp>,
    scope: Option<String>,
    refresh_token: Option<Zeroizing<String>>,
    redirect_uri: Option<String>,
}

/// Counts what is written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a text cannot be restored.
#[derive(Debug, PartialEq, Eq)]
pub enum BadDump {
    /// It is no dump, or damaged.
    Unreadable(String),
    /// It is a dump of this other version.
    Version(u32),
    /// This account is in it twice.
    Repeated(String),
    /// This account has neither token, or an access token without its expiry.
    Incomplete(String),
}

impl fmt::Display for BadDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "this is not a dump of pizauth: {reason}"),
            Self::Version(version) => write!(
                f,
                "this dump has version {version}, and this pizauth reads version {VERSION}"
            ),
            Self::Repeated(account) => write!(f, "the dump has account '{account}' twice"),
            Self::Incomplete(account) => {
                write!(f, "the dump has no complete token for account '{account}'")
            }
        }
    }
}

/// What restoring did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// How many accounts have tokens from the dump now.
    pub restored: usize,
    /// Which were left alone, and why.
    pub skipped: Vec<(String, Skipped)>,
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (account, reason) in &self.skipped {
            writeln!(f, "account '{account}' was left alone: {reason}")?;
        }
        match self.restored {
            1 => f.write_str("1 account was restored"),
            count => write!(f, "{count} accounts were restored"),
        }
    }
}

/// Why an account of a dump was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It is not configured.
    Unknown,
    /// Its tokens were issued under another authority.
    OtherAuthority,
    /// What the server has is as new, or newer.
    NotNewer,
    /// Its access token has expired, and there is no refresh token.
    Expired,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "it is not configured",
            Self::OtherAuthority => "its configuration has changed since, so it must log in anew",
            Self::NotNewer => "its present login is not older than the dump's",
            Self::Expired => "its token has expired",
        })
    }
}

/// A copy of all tokens: made in no time, and written as a text when nobody waits for the vault.
pub struct Snapshot {
    taken: Now,
    accounts: Vec<Held>,
}

struct Held {
    account: Arc<Account>,
    obtained: Moment,
    access: Option<Access>,
    login: Option<RenewableLogin>,
}

impl Snapshot {
    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The dump: a text that [`ReadDump::read`] takes.
    ///
    /// # Errors
    /// Never in practice: the text is built in memory.
    pub fn text(&self) -> Result<SecretText, serde_json::Error> {
        let accounts = self.accounts.iter();
        let dump = Dump {
            pizauth_dump: VERSION,
            accounts: accounts.map(|held| held.dumped(self.taken)).collect(),
        };
        // Measured first: a text that grows is moved, and leaves copies that nobody wipes.
        let mut length = Length(0);
        serde_json::to_writer_pretty(&mut length, &dump)?;
        let mut text = Zeroizing::new(Vec::with_capacity(length.0 + 1));
        serde_json::to_writer_pretty(&mut *text, &dump)?;
        text.push(b'\n');
        let text = String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default();
        Ok(SecretText::new(text))
    }
}

impl Held {
    fn copy(entry: &Entry) -> Option<Self> {
        let access = entry.state.access();
        let login = match entry.state.renewal().map(|renewal| &renewal.means) {
            Some(Means::RefreshToken(login)) => Some(login.duplicate()),
            Some(Means::ClientCredentials) | None => None,
        };
        Some(Self {
            account: Arc::clone(&entry.account),
            obtained: entry.state.obtained()?,
            access: access.map(Access::duplicate),
            login,
        })
    }

    fn dumped(&self, now: Now) -> Dumped<'_> {
        let access = self.access.as_ref();
        let login = self.login.as_ref();
        Dumped {
            account: self.account.name.as_str(),
            authority: authority_digest(&self.account.authority),
            obtained_at: now.wall_time_of(self.obtained),
            access_token: access.map(|access| access.token.expose()),
            expires_at: access.map(|access| now.wall_time_of(access.expires)),
            scope: access.and_then(|access| access.scope.as_deref()),
            refresh_token: login.map(|login| login.refresh_token.expose()),
            redirect_uri: login.and_then(|login| login.redirect_uri.as_deref()),
        }
    }
}

/// A dump that was read whole, and found to be one.
pub struct ReadDump(Dump<Undumped>);

impl ReadDump {
    /// Reads a dump.
    ///
    /// # Errors
    /// Where the text is no dump of this version.
    pub fn read(text: &str) -> Result<Self, BadDump> {
        read(text).map(Self)
    }
}

impl Vault {
    /// A copy of all tokens.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> Snapshot {
        Snapshot {
            taken: now,
            accounts: self.entries_in_order().filter_map(Held::copy).collect(),
        }
    }

    /// Puts the tokens of a dump in the place of older ones.
    pub fn restore(&mut self, dump: ReadDump, now: Now) -> Outcome<RestoreReport> {
        let mut report = RestoreReport::default();
        let mut orders = Vec::new();
        for undumped in dump.0.accounts {
            let name = undumped.account.clone();
            match self.judge(undumped, now) {
                Ok(restored) => {
                    report.restored += 1;
                    orders.extend(self.restore_account(&name, restored, now.moment));
                }
                Err(reason) => report.skipped.push((name, reason)),
            }
        }
        (report, orders)
    }

    /// What of a dumped account is to be put in force.
    fn judge(&self, undumped: Undumped, now: Now) -> Result<Restored, Skipped> {
        let entry = self.entries.get(undumped.account.as_str());
        let entry = entry.ok_or(Skipped::Unknown)?;
        if authority_digest(&entry.account.authority) != undumped.authority {
            return Err(Skipped::OtherAuthority);
        }
        if !is_newer(&undumped, entry, now) {
            return Err(Skipped::NotNewer);
        }
        undumped.into_tokens(now).ok_or(Skipped::Expired)
    }
}

/// Whether what was dumped should take the place of what there is. An old refresh token in the
/// place of the one it was rotated to would end the login, so all doubt is in favour of the
/// latter.
fn is_newer(undumped: &Undumped, entry: &Entry, now: Now) -> bool {
    if matches!(entry.state, TokenState::Exchanging(_)) {
        return false;
    }
    let held = entry
        .state
        .renewal()
        .and_then(Renewal::refresh_token)
        .map(RefreshToken::expose);
    let worthless = match &undumped.refresh_token {
        Some(token) => held == Some(token.as_str()) || entry.spent.has(token),
        None => held.is_some() || undumped.has_access_token_of(entry),
    };
    if worthless {
        return false;
    }
    // Where the dump seems to be of the future, the clock was set back, and tells nothing.
    let obtained = now.moment_of(undumped.obtained_at);
    let held_since = entry.state.obtained();
    held_since.is_none_or(|since| since < obtained && obtained <= now.moment)
}

impl Undumped {
    fn into_tokens(self, now: Now) -> Option<Restored> {
        // Not in the future, where the wall clock was set back since: it would delay the refresh.
        let obtained = now.moment_of(self.obtained_at).min(now.moment);
        let login = self.refresh_token.map(|token| RenewableLogin {
            refresh_token: RefreshToken::new(take(token)),
            redirect_uri: self.redirect_uri,
        });
        // Nor is the token's life any longer for it.
        let expires = self.expires_at.map(|expires_at| {
            let expires = now.moment_of(expires_at);
            let lifetime = expires.since(now.moment_of(self.obtained_at));
            expires.min(now.moment + lifetime)
        });
        let live = self.access_token.zip(expires);
        // Where it may be of any age, another one is got if that is possible.
        let is_known = login.is_none() || now.moment_of(self.obtained_at) <= now.moment + AHEAD;
        let live = live.filter(|(_, expires)| *expires > now.moment && is_known);
        let Some((token, expires)) = live else {
            return login.map(|login| Restored::Expired(login, obtained));
        };
        let access = Access {
            token: AccessToken::new(take(token)),
            obtained,
            expires,
            scope: self.scope,
        };
        Some(Restored::Active(access, login))
    }

    fn has_access_token_of(&self, entry: &Entry) -> bool {
        let held = entry.state.access().map(|held| held.token.expose());
        held.is_some() && held == self.access_token.as_deref().map(String::as_str)
    }

    fn is_complete(&self) -> bool {
        let has = |token: &Option<Zeroizing<String>>| token.as_ref().is_some_and(|t| !t.is_empty());
        if self.access_token.is_some() && (!has(&self.access_token) || self.expires_at.is_none()) {
            return false;
        }
        if self.refresh_token.is_some() && !has(&self.refresh_token) {
            return false;
        }
        has(&self.access_token) || has(&self.refresh_token)
    }
}

fn take(mut text: Zeroizing<String>) -> String {
    std::mem::take(&mut *text)
}

/// Reads a dump whole, and checks all that can be checked without the vault.
fn read(text: &str) -> Result<Dump<Undumped>, BadDump> {
    let unreadable = |error: serde_json::Error| {
        // The error's own text may quote the dump: only where it is wrong is told.
        BadDump::Unreadable(format!(
            "line {}, column {} is not as expected",
            error.line(),
            error.column()
        ))
    };
    let version = serde_json::from_str::<AnyDump>(text)
        .map_err(unreadable)?
        .pizauth_dump;
    if version != VERSION {
        return Err(BadDump::Version(version));
    }
    let dump: Dump<Undumped> = serde_json::from_str(text).map_err(unreadable)?;
    let mut seen = HashSet::new();
    for undumped in &dump.accounts {
        // Checked before the name is told to anybody: it might write to a terminal what it likes.
        if AccountName::new(&undumped.account).is_none() {
            return Err(BadDump::Unreadable(
                "an account's name is impossible".into(),
            ));
        }
        if !seen.insert(undumped.account.as_str()) {
            return Err(BadDump::Repeated(undumped.account.clone()));
        }
        if !undumped.is_complete() {
            return Err(BadDump::Incomplete(undumped.account.clone()));
        }
    }
    Ok(dump)
}
