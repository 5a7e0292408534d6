//! What can be known of one account's tokens, what can happen to it, and what is to be done then.
//!
//! The states are shaped so that the illegal ones cannot be written down: the fields of a retry
//! exist only beside a refresh token, and an account has one [`Attempt`], so that it can never
//! have two refreshes in flight. How one state follows from another is in [`super::step`].

use std::time::Duration;

use crate::clock::Moment;
use crate::config::RefreshPolicy;
use crate::oauth::authorize::{AuthorizationRequest, Callback};
use crate::oauth::token::{Failure, Grant};
use crate::secret::{AccessToken, Code, RefreshToken, Verifier};

/// One account's tokens.
#[derive(Debug)]
pub enum TokenState {
    /// Nothing is known and nothing is under way.
    Empty,
    /// The user must visit a URL.
    Pending(Pending),
    /// The redirect was accepted: its state and verifier are spent, so no replay finds them.
    Exchanging(Exchanging),
    /// There is an access token, which had not expired when last looked at.
    Active(Active),
    /// The access token is wiped; only the refresh token remains.
    Expired(Renewal),
}

/// A login that waits for the user.
#[derive(Debug)]
pub struct Pending {
    /// What the user's browser must bring an answer to.
    pub request: AuthorizationRequest,
    /// When the user was last told, or would have been if there were a command for it.
    pub told: Moment,
    /// A token that cannot be refreshed, but is good until the new login has succeeded.
    pub carried: Option<Access>,
}

/// A login whose code is being exchanged for tokens.
#[derive(Debug)]
pub struct Exchanging {
    /// As in [`Pending`].
    pub carried: Option<Access>,
}

/// An access token, and perhaps what renews it.
#[derive(Debug)]
pub struct Active {
    /// What `show` hands out.
    pub access: Access,
    /// `None` where the provider gave no refresh token.
    pub renewal: Option<Renewal>,
}

/// An access token and its times.
#[derive(Debug)]
pub struct Access {
    /// The token.
    pub token: AccessToken,
    /// When it came.
    pub obtained: Moment,
    /// From when on it must not be shown.
    pub expires: Moment,
    /// The scopes granted, where the provider named them.
    pub scope: Option<String>,
}

/// A refresh token, and how refreshing with it goes.
#[derive(Debug)]
pub struct Renewal {
    /// The token; replaced at once when the provider rotates it.
    pub refresh_token: RefreshToken,
    /// When the provider last granted something with it, or sent it.
    pub obtained: Moment,
    /// The one refresh of this account.
    pub attempt: Attempt,
}

/// Where an account's refresh stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// None is under way; the next one follows from the access token's times.
    Idle,
    /// A request is queued or on its way to the provider.
    InFlight(Failures),
    /// It failed, in a way that may pass, and is tried again then.
    Backoff {
        /// When.
        until: Moment,
        /// Before when the provider wants none, whatever happens.
        not_before: Moment,
        /// What went before.
        failures: Failures,
    },
    /// The provider refuses the configuration: no try before that is changed, or the user asks.
    Halted,
}

/// Failures of one refresh in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// How many since the retries last began anew: the gap before the next one follows from it.
    pub streak: u32,
    /// Whether the user's command is just now deciding if they are passing.
    pub probing: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A login is wanted; here is a fresh request in case that there is none.
    Authorize(AuthorizationRequest),
    /// The browser came back.
    Callback(Callback),
    /// The token endpoint answered the exchange of a code.
    ExchangeDone(Result<Grant, Failure>),
    /// The user wants a refresh now.
    RefreshAsked,
    /// Somebody wants a token that lasts longer than the one at hand.
    FresherWanted,
    /// The way to the provider may be clear again: the machine woke up, or another account of the
    /// same provider got through.
    WayClear,
    /// The token endpoint answered a refresh.
    RefreshDone(Result<Grant, Failure>),
    /// The user's command has decided about repeated failures.
    ProbeDone(Probed),
    /// Time has passed.
    Tick,
    /// The user wants the tokens gone.
    Revoke,
    /// Tokens from a dump take the place of what is there.
    Restore(Restored),
    /// The configuration was read again; the account's authority is what it was.
    Reconfigured,
    /// Browsers that are out on a login would come back to where nobody listens any more.
    ListenerMoved,
}

/// Tokens from a dump: at least one of the two.
#[derive(Debug)]
pub enum Restored {
    /// An access token, and perhaps a refresh token.
    Active(Access, Option<RefreshToken>),
    /// A refresh token, which last brought something at that moment.
    Expired(RefreshToken, Moment),
}

impl Restored {
    /// The refresh token, where there is one.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&RefreshToken> {
        match self {
            Self::Active(_, refresh_token) => refresh_token.as_ref(),
            Self::Expired(refresh_token, _) => Some(refresh_token),
        }
    }
}

/// What `transient_error_if_cmd` decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The failures are passing, or the command could not tell.
    Passing,
    /// The login is gone.
    Gone,
}

/// What to do.
#[derive(Debug)]
pub enum Effect {
    /// Results of requests that were made before this must not be applied any more.
    Supersede,
    /// Exchange a code for tokens (RFC 6749 section 4.1.3).
    Exchange(Exchange),
    /// Refresh (RFC 6749 section 6). The token is fetched when the request's turn has come.
    Refresh,
    /// Tell the user where to log in.
    Remind,
    /// Tell the user what went wrong.
    Report(Trouble),
    /// Run the user's command for events.
    Announce(Event),
    /// Ask the user's command whether the failures are passing.
    Probe,
    /// The login, or the request for one, is gone: start a new one.
    Reauthorize,
}

/// What the exchange of a code needs; nothing else has it any more.
#[derive(Debug)]
pub struct Exchange {
    /// The authorisation code.
    pub code: Code,
    /// The PKCE verifier of the request that it answers.
    pub verifier: Verifier,
    /// The redirect URI of that request.
    pub redirect_uri: String,
}

/// What a person should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The provider, or the user there, refused the login.
    LoginRefused(String),
    /// The code could not be exchanged.
    LoginFailed(String),
    /// The provider ended the login.
    LoginGone(String),
    /// The user's command decided that the login is gone.
    LoginGivenUp,
    /// The provider refuses the configuration.
    Misconfigured(String),
    /// The access token has expired and refreshing it goes on failing.
    StillFailing,
}

/// An event in an account's life, as `token_event_cmd` is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A login brought a token.
    New,
    /// A refresh brought a token.
    Refreshed,
    /// The tokens are gone without the user's wish.
    Invalidated,
    /// The tokens are gone, as the user wished.
    Revoked,
}

impl Trouble {
    /// What the provider, or the way to it, gave as the reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::LoginRefused(reason)
            | Self::LoginFailed(reason)
            | Self::LoginGone(reason)
            | Self::Misconfigured(reason) => Some(reason),
            Self::LoginGivenUp | Self::StillFailing => None,
        }
    }
}

impl Event {
    /// `$PIZAUTH_EVENT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "token_new",
            Self::Refreshed => "token_refreshed",
            Self::Invalidated => "token_invalidated",
            Self::Revoked => "token_revoked",
        }
    }
}

/// What of the configuration decides how an account's state goes on.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// When to refresh, and how to retry.
    pub refresh: RefreshPolicy,
    /// How often to remind the user of a login; `None` where nobody is to be reminded.
    pub remind_every: Option<Duration>,
    /// Whether the user has a command that decides about repeated failures.
    pub probes: bool,
    /// Differs between accounts, so that those which failed together are not retried together.
    pub spread: u64,
}

impl TokenState {
    /// The next moment at which time alone changes something; in the past where it is overdue.
    #[must_use]
    pub fn deadline(&self, policy: &Policy) -> Option<Moment> {
        match self {
            Self::Empty => None,
            Self::Pending(pending) => {
                earliest(pending.next_reminder(policy), expiry(&pending.carried))
            }
            Self::Exchanging(exchanging) => expiry(&exchanging.carried),
            Self::Active(active) => {
                let refresh = active
                    .renewal
                    .as_ref()
                    .and_then(|renewal| renewal.due(Some(&active.access), policy));
                earliest(refresh, Some(active.access.expires))
            }
            Self::Expired(renewal) => renewal.due(None, policy),
        }
    }

    /// The access token that may be handed out, provided that time has been settled.
    #[must_use]
    pub const fn access(&self) -> Option<&Access> {
        match self {
            Self::Active(Active { access, .. })
            | Self::Pending(Pending {
                carried: Some(access),
                ..
            })
            | Self::Exchanging(Exchanging {
                carried: Some(access),
            }) => Some(access),
            _ => None,
        }
    }

    /// The refresh token and its attempt.
    #[must_use]
    pub const fn renewal(&self) -> Option<&Renewal> {
        match self {
            Self::Active(Active {
                renewal: Some(renewal),
                ..
            })
            | Self::Expired(renewal) => Some(renewal),
            _ => None,
        }
    }

    /// When the provider last sent any of the tokens that are held.
    #[must_use]
    pub fn obtained(&self) -> Option<Moment> {
        let access = self.access().map(|access| access.obtained);
        access.max(self.renewal().map(|renewal| renewal.obtained))
    }

    /// Whether a token is held.
    #[must_use]
    pub const fn holds_token(&self) -> bool {
        self.access().is_some() || self.renewal().is_some()
    }
}

impl Pending {
    /// When to remind the user; `None` where nobody is to be reminded.
    #[must_use]
    pub fn next_reminder(&self, policy: &Policy) -> Option<Moment> {
        policy.remind_every.map(|interval| self.told + interval)
    }
}

impl Renewal {
    /// A renewal that has nothing behind it.
    #[must_use]
    pub const fn idle(refresh_token: RefreshToken, obtained: Moment) -> Self {
        Self {
            refresh_token,
            obtained,
            attempt: Attempt::Idle,
        }
    }

    /// When the next request is due, beside `access` if that is still good. `None` while one is
    /// in flight or none is to be made.
    #[must_use]
    pub fn due(&self, access: Option<&Access>, policy: &Policy) -> Option<Moment> {
        match self.attempt {
            Attempt::Idle => Some(access.map_or(self.obtained, |access| access.refresh_at(policy))),
            Attempt::Backoff { until, .. } => Some(until),
            Attempt::InFlight(_) | Attempt::Halted => None,
        }
    }
}

impl Access {
    /// A second copy, for a dump.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            token: self.token.duplicate(),
            obtained: self.obtained,
            expires: self.expires,
            scope: self.scope.clone(),
        }
    }

    /// When to refresh: `before_expiry` ahead of the end, but not in the first half of the token's
    /// life, so that short-lived tokens are not refreshed all the time; and `at_least` that often.
    fn refresh_at(&self, policy: &Policy) -> Moment {
        let half = self.expires.since(self.obtained) / 2;
        let ahead = (self.expires - policy.refresh.before_expiry).max(self.obtained + half);
        ahead.min(self.obtained + policy.refresh.at_least)
    }
}

fn expiry(access: &Option<Access>) -> Option<Moment> {
    access.as_ref().map(|access| access.expires)
}

fn earliest(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    a.into_iter().chain(b).min()
}
