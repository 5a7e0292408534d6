//! What can be known of one account's tokens.
//!
//! The states are shaped so that the illegal ones cannot be written down: the fields of a retry
//! exist only beside a refresh token, and an account has one [`Attempt`], so that it can never
//! have two refreshes in flight. How one state follows from another is in [`super::step`].

use std::time::Duration;

use crate::clock::Moment;
use crate::config::{GrantType, RefreshPolicy};
use crate::oauth::authorize::AuthorizationRequest;
use crate::protocol::LoginPlace;
use crate::secret::{AccessToken, RefreshToken};
use crate::vault::device::login::DeviceLogin;

/// One account's tokens.
#[derive(Debug)]
pub enum TokenState {
    /// Nothing is known and nothing is under way.
    Empty,
    /// The provider is being asked how the user can log in.
    Preparing(Preparing),
    /// The user must visit a URL.
    Pending(Pending),
    /// The redirect was accepted: its state and verifier are spent, so no replay finds them.
    Exchanging(Exchanging),
    /// There is an access token, which had not expired when last looked at.
    Active(Active),
    /// There is no access token (any more); only what brings one remains.
    Expired(Renewal),
}

/// A login that the provider has to be asked about first.
#[derive(Debug)]
pub struct Preparing {
    /// By which grant the user will log in.
    pub grant: GrantType,
    /// As in [`Pending`].
    pub carried: Option<Access>,
}

/// A login that waits for the user.
#[derive(Debug)]
pub struct Pending {
    /// What the user has to do.
    pub login: Login,
    /// When the user was last told, or would have been if there were a command for it.
    pub told: Moment,
    /// A token that cannot be refreshed, but is good until the new login has succeeded.
    pub carried: Option<Access>,
}

/// How a user logs in.
#[derive(Debug)]
pub enum Login {
    /// With a browser that must bring an answer to this.
    Browser(AuthorizationRequest),
    /// With a code that is typed into a browser anywhere.
    Device(DeviceLogin),
}

/// A login whose code is being exchanged for tokens.
#[derive(Debug)]
pub struct Exchanging {
    /// The redirect URI of the login.
    pub redirect_uri: String,
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

/// What brings an access token without the user, and how that goes.
#[derive(Debug)]
pub struct Renewal {
    /// What it is.
    pub means: Means,
    /// When the provider last granted something with it, or sent it.
    pub obtained: Moment,
    /// The one refresh of this account.
    pub attempt: Attempt,
}

/// What brings an access token without the user.
#[derive(Debug, PartialEq, Eq)]
pub enum Means {
    /// A refresh token; replaced at once when the provider rotates it.
    RefreshToken(RenewableLogin),
    /// The client's own credentials (RFC 6749 section 4.4).
    ClientCredentials,
}

impl Means {
    /// A second copy, for a request.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::RefreshToken(login) => Self::RefreshToken(login.duplicate()),
            Self::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl RenewableLogin {
    /// A second copy, for a request or a dump.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            refresh_token: self.refresh_token.duplicate(),
            redirect_uri: self.redirect_uri.clone(),
        }
    }
}

/// A login that can be renewed.
#[derive(Debug, PartialEq, Eq)]
pub struct RenewableLogin {
    /// Renews it.
    pub refresh_token: RefreshToken,
    /// The redirect URI of the login, where the provider wants it repeated.
    pub redirect_uri: Option<String>,
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
        /// Before when there is none, whatever happens but the user's own wish: the provider asked
        /// for it, or the last try is not long ago.
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

/// What of the configuration decides how an account's state goes on.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// When to refresh, and how to retry.
    pub refresh: RefreshPolicy,
    /// How often to remind the user of a login; `None` where nobody is to be reminded.
    pub remind_every: Option<Duration>,
    /// Whether the user has a command that decides about repeated failures.
    pub probes: bool,
    /// Whether the client needs no user.
    pub asks_for_itself: bool,
    /// Whether a refresh must repeat the redirect URI of the login.
    pub repeats_redirect_uri: bool,
    /// Differs between accounts, so that those which failed together are not retried together.
    pub spread: u64,
}

impl TokenState {
    /// What there is with an access token, what renews one, both or neither.
    pub(super) fn of(access: Option<Access>, renewal: Option<Renewal>) -> Self {
        match (access, renewal) {
            (Some(access), renewal) => Self::Active(Active { access, renewal }),
            (None, Some(renewal)) => Self::Expired(renewal),
            (None, None) => Self::Empty,
        }
    }

    /// The next moment at which time alone changes something; in the past where it is overdue.
    #[must_use]
    pub fn deadline(&self, policy: &Policy) -> Option<Moment> {
        match self {
            Self::Empty => None,
            Self::Preparing(preparing) => expiry(&preparing.carried),
            Self::Pending(pending) => earliest(
                earliest(pending.next_reminder(policy), pending.login.due()),
                expiry(&pending.carried),
            ),
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
            | Self::Preparing(Preparing {
                carried: Some(access),
                ..
            })
            | Self::Exchanging(Exchanging {
                carried: Some(access),
                ..
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
        let renewal = self.renewal().filter(|it| it.refresh_token().is_some());
        access.max(renewal.map(|renewal| renewal.obtained))
    }

    /// Whether a token is held.
    #[must_use]
    pub fn holds_token(&self) -> bool {
        let refresh_token = self.renewal().and_then(Renewal::refresh_token);
        self.access().is_some() || refresh_token.is_some()
    }
}

impl Pending {
    /// When to remind the user; `None` where nobody is to be reminded.
    #[must_use]
    pub fn next_reminder(&self, policy: &Policy) -> Option<Moment> {
        policy.remind_every.map(|interval| self.told + interval)
    }
}

impl Login {
    /// When something is to be done for it that the user has no part in.
    #[must_use]
    pub const fn due(&self) -> Option<Moment> {
        match self {
            Self::Browser(_) => None,
            Self::Device(login) => login.due(),
        }
    }

    /// By which grant.
    #[must_use]
    pub const fn grant(&self) -> GrantType {
        match self {
            Self::Browser(_) => GrantType::AuthorizationCode,
            Self::Device(_) => GrantType::DeviceCode,
        }
    }

    /// Where the user goes.
    #[must_use]
    pub fn place(&self) -> LoginPlace {
        match self {
            Self::Browser(request) => LoginPlace {
                url: request.url.clone(),
                user_code: None,
            },
            Self::Device(login) => LoginPlace {
                url: login.verification_uri.clone(),
                user_code: Some(login.user_code.clone()),
            },
        }
    }
}

impl Renewal {
    /// A renewal that has nothing behind it.
    #[must_use]
    pub const fn idle(means: Means, obtained: Moment) -> Self {
        Self {
            means,
            obtained,
            attempt: Attempt::Idle,
        }
    }

    /// The refresh token, where it is one that renews.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&RefreshToken> {
        match &self.means {
            Means::RefreshToken(login) => Some(&login.refresh_token),
            Means::ClientCredentials => None,
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
