//! What can happen to an account's tokens, and what is to be done then. How one state follows from
//! another is in [`super::step`].

use crate::clock::Moment;
use crate::config::GrantType;
use crate::oauth::authorize::{AuthorizationRequest, Callback};
use crate::oauth::device::{DeviceAuthorization, PollFailure};
use crate::oauth::token::{Failure, Grant};
use crate::secret::{Code, RefreshToken, Verifier};
use crate::vault::token::{Access, RenewableLogin};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A login is wanted; here is a fresh request in case that there is none.
    Authorize(AuthorizationRequest),
    /// A login by this grant is wanted, which the provider must be asked about first.
    Prepare(GrantType),
    /// The provider has said how the user can log in.
    Prepared(Result<Prepared, Failure>),
    /// A token is wanted that the client gets without a user.
    Obtain,
    /// The token endpoint answered the question whether the user has typed the code in.
    Polled(Result<Grant, PollFailure>),
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

/// A login that waits for nothing but the user.
#[derive(Debug)]
pub enum Prepared {
    /// One with a browser that comes back.
    Browser(AuthorizationRequest),
    /// One with a code.
    Device(DeviceAuthorization),
}

/// Tokens from a dump: at least one of the two.
#[derive(Debug)]
pub enum Restored {
    /// An access token, and perhaps what renews it.
    Active(Access, Option<RenewableLogin>),
    /// What renews a login, which last brought something at that moment.
    Expired(RenewableLogin, Moment),
}

impl Restored {
    /// The refresh token, where there is one.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&RefreshToken> {
        match self {
            Self::Active(_, None) => None,
            Self::Active(_, Some(login)) | Self::Expired(login, _) => Some(&login.refresh_token),
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
    /// Refresh (RFC 6749 section 6), or ask as the client itself. The token is fetched when the
    /// request's turn has come.
    Refresh,
    /// Ask the provider how the user can log in by this grant.
    Prepare(GrantType),
    /// Ask whether the user has typed the code in (RFC 8628 section 3.4). The device code is
    /// fetched when the request's turn has come.
    Poll,
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
