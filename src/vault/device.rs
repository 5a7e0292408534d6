//! The state machine beside a device code: when to ask whether the user has typed it in, and what
//! follows from the answer (RFC 8628 sections 3.3 to 3.5). Pure.

pub mod login;

use std::time::Duration;

use self::login::{DeviceLogin, Poll};
use crate::clock::Moment;
use crate::oauth::device::PollFailure;
use crate::oauth::token::{FailureKind, Grant};
use crate::vault::grant::{self, Previous};
use crate::vault::refresh::first_failure;
use crate::vault::token::{Access, Login, Pending, Policy, RenewableLogin, TokenState};
use crate::vault::transition::{Effect, Event, Trouble};

/// What `slow_down` adds to the interval, for good (RFC 8628 section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// However often a question has failed on the way: a code does not live long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    TokenState::of(carried, None)
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
            return TokenState::of(carried, None);
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
                let renewal = first_failure(login, now, policy);
                return TokenState::of(carried, Some(renewal));
            }
            (None, FailureKind::Passing { retry_after }) => {
                let pause = pause(interval, failures).max(retry_after.unwrap_or_default());
                login.ask_in(pause, failures.saturating_add(1), now)
            }
            (None, FailureKind::InvalidGrant | FailureKind::Misconfigured) => {
                effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
                return TokenState::of(carried, None);
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
