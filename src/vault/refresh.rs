//! The state machine beside a refresh token: when to refresh, and what follows from the answer.
//!
//! Pure, like all of [`super::step`], which it is a part of. Knows nothing of logins, but that one
//! has ended.

use std::time::Duration;

use crate::clock::Moment;
use crate::oauth::token::{Failure, FailureKind, Grant};
use crate::vault::backoff::backoff;
use crate::vault::grant::{self, Previous};
use crate::vault::token::{
    Access, Active, Attempt, Failures, Means, Policy, RenewableLogin, Renewal, TokenState,
};
use crate::vault::transition::{Effect, Event, Probed, Trouble};

/// From how many failures in a row on they are worth telling the user of, and worth asking the
/// user's command about: one failure is a blip, which a laptop has each time that it wakes up.
const REPEATED: u32 = 2;

/// Whether there is no access token because refreshing goes on failing.
pub(super) const fn is_failing(state: &TokenState) -> bool {
    matches!(state, TokenState::Expired(renewal) if failures(renewal.attempt).count >= REPEATED)
}

const fn failures(attempt: Attempt) -> Failures {
    match attempt {
        Attempt::InFlight(failures) | Attempt::Backoff { failures, .. } => failures,
        Attempt::Idle | Attempt::Halted => Failures {
            count: 0,
            streak: 0,
            probing: false,
        },
    }
}

/// A refresh token that came beside an access token which cannot be used.
pub(super) fn first_failure(login: RenewableLogin, now: Moment, policy: &Policy) -> Renewal {
    let failures = Failures {
        count: 1,
        streak: 1,
        probing: false,
    };
    Renewal {
        means: Means::RefreshToken(login),
        obtained: now,
        attempt: pause(failures, None, now, policy),
    }
}

/// A pause before the next try.
fn pause(
    failures: Failures,
    retry_after: Option<Duration>,
    now: Moment,
    policy: &Policy,
) -> Attempt {
    Attempt::Backoff {
        until: now + backoff(failures.streak, retry_after, now, policy),
        // However often others get through: this account may fail for reasons of its own.
        not_before: now + backoff(1, retry_after, now, policy),
        failures,
    }
}

pub(super) fn refresh_if_due(
    state: TokenState,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let due = state
        .renewal()
        .and_then(|renewal| renewal.due(state.access(), policy))
        .is_some_and(|due| due <= now);
    if !due {
        return state;
    }
    with_renewal(state, |renewal| {
        let failures = failures(renewal.attempt);
        request_refresh(renewal, failures, effects)
    })
}

pub(super) fn refresh_asked(state: TokenState, effects: &mut Vec<Effect>) -> TokenState {
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::InFlight(_) => renewal,
        Attempt::Idle | Attempt::Halted => request_refresh(renewal, Failures::default(), effects),
        Attempt::Backoff { failures, .. } => {
            let over_again = Failures {
                count: 0,
                streak: 0,
                ..failures
            };
            request_refresh(renewal, over_again, effects)
        }
    })
}

/// What stood in the way may be gone, so the pauses begin anew; but what the provider asked for
/// still holds, and so does what the user was told.
pub(super) fn way_clear(state: TokenState, now: Moment) -> TokenState {
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::Backoff {
            not_before,
            failures,
            ..
        } => Renewal {
            attempt: Attempt::Backoff {
                until: now.max(not_before),
                not_before,
                failures: Failures {
                    streak: 0,
                    ..failures
                },
            },
            ..renewal
        },
        _ => renewal,
    })
}

/// Unlike the user's own wish, this does not cut a pause between tries short: a mail program may
/// want it every minute.
pub(super) fn fresher_wanted(state: TokenState, effects: &mut Vec<Effect>) -> TokenState {
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::Idle => request_refresh(renewal, Failures::default(), effects),
        _ => renewal,
    })
}

fn request_refresh(renewal: Renewal, failures: Failures, effects: &mut Vec<Effect>) -> Renewal {
    effects.push(Effect::Refresh);
    Renewal {
        attempt: Attempt::InFlight(failures),
        ..renewal
    }
}

/// Changes the renewal, where there is one, and nothing else.
pub(super) fn with_renewal(
    state: TokenState,
    change: impl FnOnce(Renewal) -> Renewal,
) -> TokenState {
    match state {
        TokenState::Active(Active { access, renewal }) => TokenState::Active(Active {
            access,
            renewal: renewal.map(change),
        }),
        TokenState::Expired(renewal) => TokenState::Expired(change(renewal)),
        state => state,
    }
}

pub(super) fn refresh_done(
    state: TokenState,
    result: Result<Grant, Failure>,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let (access, renewal) = match state {
        TokenState::Active(Active {
            access,
            renewal: Some(renewal),
        }) => (Some(access), renewal),
        TokenState::Expired(renewal) => (None, renewal),
        state => return state,
    };
    let Attempt::InFlight(failures) = renewal.attempt else {
        return TokenState::of(access, Some(renewal));
    };
    match result {
        Ok(grant) => {
            let (refresh_token, redirect_uri, event) = match renewal.means {
                Means::RefreshToken(login) => {
                    let RenewableLogin {
                        refresh_token,
                        redirect_uri,
                    } = login;
                    (Some(refresh_token), redirect_uri, Event::Refreshed)
                }
                Means::ClientCredentials if access.is_none() => (None, None, Event::New),
                Means::ClientCredentials => (None, None, Event::Refreshed),
            };
            effects.extend([Effect::Supersede, Effect::Announce(event)]);
            let previous = Previous {
                refresh_token,
                redirect_uri,
                scope: access.and_then(|access| access.scope),
            };
            grant::active(grant, previous, now, policy)
        }
        Err(failure) => refresh_failed(access, renewal, failures, failure, now, policy, effects),
    }
}

fn refresh_failed(
    access: Option<Access>,
    renewal: Renewal,
    before: Failures,
    failure: Failure,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let has_login = renewal.refresh_token().is_some();
    let attempt = match failure.kind {
        FailureKind::InvalidGrant if has_login => {
            return gone(Trouble::LoginGone(failure.reason), effects);
        }
        // A client that asks for itself has no grant that could be invalid.
        FailureKind::InvalidGrant | FailureKind::Misconfigured => {
            effects.push(Effect::Report(Trouble::Misconfigured(failure.reason)));
            Attempt::Halted
        }
        FailureKind::Passing { retry_after } => {
            let count = before.count.saturating_add(1);
            let repeated = count >= REPEATED;
            if policy.probes && repeated && !before.probing {
                effects.push(Effect::Probe);
            }
            let failures = Failures {
                count,
                streak: before.streak.saturating_add(1),
                probing: before.probing || (policy.probes && repeated),
            };
            pause(failures, retry_after, now, policy)
        }
    };
    let renewal = match (failure.rotated, renewal.means) {
        (Some(refresh_token), Means::RefreshToken(login)) => Renewal {
            means: Means::RefreshToken(RenewableLogin {
                refresh_token,
                ..login
            }),
            obtained: now,
            attempt,
        },
        (_, means) => Renewal {
            means,
            attempt,
            obtained: renewal.obtained,
        },
    };
    TokenState::of(access, Some(renewal))
}

/// The login has ended: nothing of it is kept, and the user is asked anew.
fn gone(trouble: Trouble, effects: &mut Vec<Effect>) -> TokenState {
    effects.extend([
        Effect::Supersede,
        Effect::Announce(Event::Invalidated),
        Effect::Report(trouble),
        Effect::Reauthorize,
    ]);
    TokenState::Empty
}

pub(super) fn probe_done(
    state: TokenState,
    probed: Probed,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let waits_for_it = state.renewal().is_some_and(
        |renewal| matches!(renewal.attempt, Attempt::Backoff { failures, .. } if failures.probing),
    );
    // A request that is in flight will tell better than the command did, and what was asked before
    // the last success is of no interest.
    if probed == Probed::Gone && waits_for_it {
        return gone(Trouble::LoginGivenUp, effects);
    }
    with_renewal(state, |renewal| Renewal {
        attempt: not_probing(renewal.attempt),
        ..renewal
    })
}

const fn not_probing(attempt: Attempt) -> Attempt {
    let failures = Failures {
        probing: false,
        ..failures(attempt)
    };
    match attempt {
        Attempt::InFlight(_) => Attempt::InFlight(failures),
        Attempt::Backoff {
            until, not_before, ..
        } => Attempt::Backoff {
            until,
            not_before,
            failures,
        },
        Attempt::Idle | Attempt::Halted => attempt,
    }
}
