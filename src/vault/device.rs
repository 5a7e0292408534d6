//! The state machine beside a device code: when to ask whether the user has typed it in, and what
//! follows from the answer (RFC 8628 sections 3.3 to 3.5). Pure.

use std::time::Duration;

use crate::clock::Moment;
use crate::oauth::device::{DeviceAuthorization, PollFailure};
use crate::oauth::token::{FailureKind, Grant};
use crate::secret::DeviceCode;
use crate::vault::grant::{self, Previous};
use crate::vault::refresh::{first_failure, with_access};
use crate::vault::step::without_login;
use crate::vault::token::{
    Access, Effect, Event, Login, Pending, Policy, RenewableLogin, TokenState, Trouble,
};

/// What `slow_down` adds to the interval, for good (RFC 8628 section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// However often a question has failed on the way: a code does not live long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A login with a code that the user types into a browser anywhere.
#[derive(Debug)]
pub struct DeviceLogin {
    /// What the token endpoint is asked with.
    pub device_code: DeviceCode,
    /// What the user types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// Until when the code is good.
    pub expires: Moment,
    /// How long to wait between two questions.
    pub interval: Duration,
    /// How the questions go.
    pub poll: Poll,
}

/// How asking goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The next question is due then.
    Next {
        /// When.
        at: Moment,
        /// How many in a row did not reach the provider.
        failures: u32,
    },
    /// A question is under way.
    InFlight {
        /// As above.
        failures: u32,
    },
}

impl DeviceLogin {
    /// A login that has just been begun.
    #[must_use]
    pub fn new(authorization: DeviceAuthorization, now: Moment) -> Self {
        Self {
            device_code: authorization.device_code,
            user_code: authorization.user_code,
            verification_uri: authorization.verification_uri,
            verification_uri_complete: authorization.verification_uri_complete,
            expires: now + authorization.lifetime,
            interval: authorization.interval,
            poll: Poll::Next {
                at: now + authorization.interval,
                failures: 0,
            },
        }
    }

    /// When to ask, or to give up. An answer that is under way is waited for: it may bring the
    /// token.
    #[must_use]
    pub const fn due(&self) -> Option<Moment> {
        match self.poll {
            Poll::Next { at, .. } => Some(at),
            Poll::InFlight { .. } => None,
        }
    }

    /// The next question, no later than the end: that has to be noticed.
    fn ask_in(self, pause: Duration, failures: u32, now: Moment) -> Self {
        let at = (now + pause).min(self.expires.max(now));
        Self {
            poll: Poll::Next { at, failures },
            ..self
        }
    }
}

/// Asks, or gives up, where it is time to.
pub(super) fn ask_if_due(pending: Pending, now: Moment, effects: &mut Vec<Effect>) -> TokenState {
    let Login::Device(login) = pending.login else {
        return TokenState::Pending(pending);
    };
    let Poll::Next { at, failures } = login.poll else {
        return TokenState::Pending(Pending {
            login: Login::Device(login),
            ..pending
        });
    };
    if login.expires <= now {
        return expired(pending.carried, effects);
    }
    let mut login = login;
    if at <= now {
        effects.push(Effect::Poll);
        login.poll = Poll::InFlight { failures };
    }
    TokenState::Pending(Pending {
        login: Login::Device(login),
        ..pending
    })
}

fn expired(carried: Option<Access>, effects: &mut Vec<Effect>) -> TokenState {
    let reason = "nobody typed the code in before it expired";
    effects.push(Effect::Report(Trouble::LoginFailed(reason.into())));
    without_login(carried)
}

/// Takes in an answer.
pub(super) fn polled(
    state: TokenState,
    result: Result<Grant, PollFailure>,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let TokenState::Pending(Pending {
        login: Login::Device(login),
        told,
        carried,
    }) = state
    else {
        return state;
    };
    let Poll::InFlight { failures } = login.poll else {
        let login = Login::Device(login);
        return TokenState::Pending(Pending {
            login,
            told,
            carried,
        });
    };
    let interval = login.interval;
    let login = match result {
        Ok(grant) => {
            effects.extend([Effect::Supersede, Effect::Announce(Event::New)]);
            return grant::active(grant, Previous::default(), now, policy);
        }
        Err(PollFailure::Pending) => login.ask_in(interval, 0, now),
        Err(PollFailure::SlowDown) => {
            let interval = interval + SLOW_DOWN;
            DeviceLogin { interval, ..login }.ask_in(interval, 0, now)
        }
        Err(PollFailure::Expired) => return expired(carried, effects),
        Err(PollFailure::Refused(reason)) => {
            effects.push(Effect::Report(Trouble::LoginRefused(reason)));
            return without_login(carried);
        }
        Err(PollFailure::Failed(failure)) => match (failure.rotated, failure.kind) {
            // The user did log in: what came beside the unusable access token may bring a usable
            // one.
            (Some(refresh_token), _) => {
                effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
                let login = RenewableLogin {
                    refresh_token,
                    redirect_uri: None,
                };
                return with_access(carried, first_failure(login, now, policy));
            }
            (None, FailureKind::Passing { retry_after }) => {
                let pause = pause(interval, failures).max(retry_after.unwrap_or_default());
                login.ask_in(pause, failures.saturating_add(1), now)
            }
            (None, FailureKind::InvalidGrant | FailureKind::Misconfigured) => {
                effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
                return without_login(carried);
            }
        },
    };
    let pending = Pending {
        login: Login::Device(login),
        told,
        carried,
    };
    ask_if_due(pending, now, effects)
}

/// Twice as long after each failure on the way (RFC 8628 section 3.5).
fn pause(interval: Duration, failures: u32) -> Duration {
    let doubled = interval.saturating_mul(2_u32.saturating_pow(failures.saturating_add(1).min(16)));
    doubled.min(LONGEST_PAUSE).max(interval)
}
