//! The state machine: what follows from what, for one account. Pure.

use crate::clock::Moment;
use crate::oauth::authorize::{AuthorizationRequest, Callback};
use crate::oauth::token::{Failure, FailureKind, Grant};
use crate::secret::RefreshToken;
use crate::vault::backoff::backoff;
use crate::vault::token::{
    Access, Active, Attempt, Effect, Event, Exchange, Exchanging, Failures, Input, Pending, Policy,
    Probed, Renewal, Restored, TokenState, Trouble,
};

/// From how many failures in a row on they are worth telling the user of, and worth asking the
/// user's command about: one failure is a blip, which a laptop has each time that it wakes up.
const REPEATED: u32 = 2;

/// Takes one account from `state` to what follows from `input`, and says what is to be done.
///
/// Time is settled first, so that however late it is called, no token past its expiry is left.
#[must_use]
pub fn step(
    state: TokenState,
    input: Input,
    now: Moment,
    policy: &Policy,
) -> (TokenState, Vec<Effect>) {
    let mut effects = Vec::new();
    let state = settle(state, now, &mut effects);
    let state = match input {
        Input::Authorize(request) => authorize(state, request, now, policy, &mut effects),
        Input::Callback(callback) => called_back(state, callback, &mut effects),
        Input::ExchangeDone(result) => exchange_done(state, result, now, policy, &mut effects),
        Input::RefreshAsked => refresh_asked(state, &mut effects),
        Input::FresherWanted => fresher_wanted(state, &mut effects),
        Input::RefreshDone(result) => refresh_done(state, result, now, policy, &mut effects),
        Input::ProbeDone(probed) => probe_done(state, probed, &mut effects),
        Input::Tick => tick(state, now, policy, &mut effects),
        Input::Revoke => revoke(&state, &mut effects),
        Input::Restore(restored) => restore(restored, &mut effects),
        Input::Reconfigured => reconfigured(state, now, policy),
    };
    (state, effects)
}

/// Lets go of access tokens whose time is over.
fn settle(state: TokenState, now: Moment, effects: &mut Vec<Effect>) -> TokenState {
    match state {
        TokenState::Active(active) if active.access.expires <= now => {
            expired(active.renewal, effects)
        }
        TokenState::Pending(mut pending) if over(pending.carried.as_ref(), now) => {
            pending.carried = None;
            effects.push(Effect::Announce(Event::Invalidated));
            TokenState::Pending(pending)
        }
        TokenState::Exchanging(exchanging) if over(exchanging.carried.as_ref(), now) => {
            effects.push(Effect::Announce(Event::Invalidated));
            TokenState::Exchanging(Exchanging { carried: None })
        }
        state => state,
    }
}

fn over(access: Option<&Access>, now: Moment) -> bool {
    access.is_some_and(|access| access.expires <= now)
}

fn expired(renewal: Option<Renewal>, effects: &mut Vec<Effect>) -> TokenState {
    let Some(renewal) = renewal else {
        effects.extend([Effect::Supersede, Effect::Announce(Event::Invalidated)]);
        return TokenState::Empty;
    };
    if failures(renewal.attempt).count >= REPEATED {
        effects.push(Effect::Report(Trouble::StillFailing));
    }
    TokenState::Expired(renewal)
}

const fn failures(attempt: Attempt) -> Failures {
    match attempt {
        Attempt::InFlight(failures) | Attempt::Backoff { failures, .. } => failures,
        Attempt::Idle | Attempt::Halted => Failures {
            count: 0,
            probing: false,
        },
    }
}

fn authorize(
    state: TokenState,
    request: AuthorizationRequest,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let carried = match state {
        TokenState::Empty => None,
        TokenState::Active(Active {
            access,
            renewal: None,
        }) => Some(access),
        // One outstanding request is enough: a second URL would make the first one useless.
        state => return state,
    };
    effects.push(Effect::Supersede);
    if policy.remind_every.is_some() {
        effects.push(Effect::Remind);
    }
    TokenState::Pending(Pending {
        request,
        next_reminder: policy.remind_every.map(|interval| now + interval),
        carried,
    })
}

fn called_back(state: TokenState, callback: Callback, effects: &mut Vec<Effect>) -> TokenState {
    let pending = match state {
        TokenState::Pending(pending) if pending.request.state.matches(callback.state.expose()) => {
            pending
        }
        state => return state,
    };
    let Pending {
        request, carried, ..
    } = pending;
    match callback.outcome {
        Ok(code) => {
            effects.push(Effect::Exchange(Exchange {
                code,
                verifier: request.verifier,
                redirect_uri: request.redirect_uri,
            }));
            TokenState::Exchanging(Exchanging { carried })
        }
        Err(refusal) => {
            effects.push(Effect::Report(Trouble::LoginRefused(refusal.to_string())));
            without_login(carried)
        }
    }
}

/// What is left when a login came to nothing.
fn without_login(carried: Option<Access>) -> TokenState {
    carried.map_or(TokenState::Empty, |access| {
        TokenState::Active(Active {
            access,
            renewal: None,
        })
    })
}

fn exchange_done(
    state: TokenState,
    result: Result<Grant, Failure>,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let TokenState::Exchanging(exchanging) = state else {
        return state;
    };
    match result {
        Ok(grant) => granted(grant, None, Event::New, now, policy, effects),
        Err(failure) => {
            effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
            match failure.rotated {
                // The provider did log the user in: what it sent beside the unusable access token
                // may bring a usable one.
                Some(refresh_token) => {
                    effects.push(Effect::Supersede);
                    failed_once(refresh_token, now, policy)
                }
                None => without_login(exchanging.carried),
            }
        }
    }
}

/// Takes a grant in. `previous` is the refresh token that stays in use where none came with it.
fn granted(
    grant: Grant,
    previous: Option<RefreshToken>,
    event: Event,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    effects.push(Effect::Supersede);
    let refresh_token = grant.refresh_token.or(previous);
    let lifetime = grant.lifetime.unwrap_or(policy.refresh.at_least);
    effects.push(Effect::Announce(event));
    let access = Access {
        token: grant.access_token,
        obtained: now,
        expires: now + lifetime,
        scope: grant.scope,
    };
    let renewal = refresh_token.map(|token| Renewal::idle(token, now));
    TokenState::Active(Active { access, renewal })
}

fn failed_once(refresh_token: RefreshToken, now: Moment, policy: &Policy) -> TokenState {
    let failures = Failures {
        count: 1,
        probing: false,
    };
    let until = now + backoff(failures.count, None, now, policy);
    TokenState::Expired(Renewal {
        refresh_token,
        obtained: now,
        attempt: Attempt::Backoff { until, failures },
    })
}

fn refresh_asked(state: TokenState, effects: &mut Vec<Effect>) -> TokenState {
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::InFlight(_) => renewal,
        Attempt::Idle | Attempt::Halted => request_refresh(renewal, Failures::default(), effects),
        Attempt::Backoff { failures, .. } => {
            let over_again = Failures {
                count: 0,
                ..failures
            };
            request_refresh(renewal, over_again, effects)
        }
    })
}

/// Unlike the user's own wish, this does not cut a pause between tries short: a mail program may
/// want it every minute.
fn fresher_wanted(state: TokenState, effects: &mut Vec<Effect>) -> TokenState {
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
fn with_renewal(state: TokenState, change: impl FnOnce(Renewal) -> Renewal) -> TokenState {
    match state {
        TokenState::Active(Active { access, renewal }) => TokenState::Active(Active {
            access,
            renewal: renewal.map(change),
        }),
        TokenState::Expired(renewal) => TokenState::Expired(change(renewal)),
        state => state,
    }
}

fn refresh_done(
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
        return with_access(access, renewal);
    };
    match result {
        Ok(grant) => {
            let previous = Some(renewal.refresh_token);
            granted(grant, previous, Event::Refreshed, now, policy, effects)
        }
        Err(failure) => refresh_failed(access, renewal, failures, failure, now, policy, effects),
    }
}

fn with_access(access: Option<Access>, renewal: Renewal) -> TokenState {
    match access {
        Some(access) => TokenState::Active(Active {
            access,
            renewal: Some(renewal),
        }),
        None => TokenState::Expired(renewal),
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
    let attempt = match failure.kind {
        FailureKind::InvalidGrant => return gone(Trouble::LoginGone(failure.reason), effects),
        FailureKind::Misconfigured => {
            effects.push(Effect::Report(Trouble::Misconfigured(failure.reason)));
            Attempt::Halted
        }
        FailureKind::Passing { retry_after } => {
            let count = before.count.saturating_add(1);
            let repeated = count >= REPEATED;
            if access.is_none() && count == REPEATED {
                effects.push(Effect::Report(Trouble::StillFailing));
            }
            if policy.probes && repeated && !before.probing {
                effects.push(Effect::Probe);
            }
            Attempt::Backoff {
                until: now + backoff(count, retry_after, now, policy),
                failures: Failures {
                    count,
                    probing: before.probing || (policy.probes && repeated),
                },
            }
        }
    };
    let refresh_token = failure.rotated.unwrap_or(renewal.refresh_token);
    with_access(
        access,
        Renewal {
            refresh_token,
            attempt,
            ..renewal
        },
    )
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

fn probe_done(state: TokenState, probed: Probed, effects: &mut Vec<Effect>) -> TokenState {
    let waiting = state
        .renewal()
        .is_some_and(|renewal| matches!(renewal.attempt, Attempt::Backoff { .. }));
    // A request that is in flight will tell better than the command did.
    if probed == Probed::Gone && waiting {
        return gone(Trouble::LoginGivenUp, effects);
    }
    with_renewal(state, |renewal| {
        let attempt = match renewal.attempt {
            Attempt::InFlight(failures) => Attempt::InFlight(Failures {
                probing: false,
                ..failures
            }),
            Attempt::Backoff { until, failures } => Attempt::Backoff {
                until,
                failures: Failures {
                    probing: false,
                    ..failures
                },
            },
            attempt => attempt,
        };
        Renewal { attempt, ..renewal }
    })
}

fn tick(state: TokenState, now: Moment, policy: &Policy, effects: &mut Vec<Effect>) -> TokenState {
    if let TokenState::Pending(pending) = state {
        return TokenState::Pending(reminded(pending, now, policy, effects));
    }
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

fn reminded(pending: Pending, now: Moment, policy: &Policy, effects: &mut Vec<Effect>) -> Pending {
    if !pending.next_reminder.is_some_and(|due| due <= now) {
        return pending;
    }
    effects.push(Effect::Remind);
    Pending {
        next_reminder: policy.remind_every.map(|interval| now + interval),
        ..pending
    }
}

fn revoke(state: &TokenState, effects: &mut Vec<Effect>) -> TokenState {
    effects.push(Effect::Supersede);
    if state.holds_token() {
        effects.push(Effect::Announce(Event::Revoked));
    }
    TokenState::Empty
}

fn restore(restored: Restored, effects: &mut Vec<Effect>) -> TokenState {
    effects.push(Effect::Supersede);
    match restored {
        Restored::Active(access, refresh_token) => {
            let renewal = refresh_token.map(|token| Renewal::idle(token, access.obtained));
            TokenState::Active(Active { access, renewal })
        }
        Restored::Expired(refresh_token, obtained) => {
            TokenState::Expired(Renewal::idle(refresh_token, obtained))
        }
    }
}

/// The new configuration may be what a halted refresh was waiting for, and reminders may be
/// wanted at other times than before.
fn reconfigured(state: TokenState, now: Moment, policy: &Policy) -> TokenState {
    if let TokenState::Pending(pending) = state {
        let latest = policy.remind_every.map(|interval| now + interval);
        return TokenState::Pending(Pending {
            next_reminder: latest
                .map(|latest| pending.next_reminder.map_or(latest, |due| due.min(latest))),
            ..pending
        });
    }
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::Halted => Renewal {
            attempt: Attempt::Idle,
            ..renewal
        },
        _ => renewal,
    })
}
