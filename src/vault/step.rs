//! The state machine: what follows from what, for one account. Pure.
//!
//! Knows how logins go; what goes on beside a refresh token is in [`super::refresh`].

use crate::clock::Moment;
use crate::oauth::authorize::{AuthorizationRequest, Callback};
use crate::oauth::token::{Failure, Grant};
use crate::vault::grant::{self, Previous};
use crate::vault::refresh::{
    first_failure, fresher_wanted, is_failing, probe_done, refresh_asked, refresh_done,
    refresh_if_due, way_clear, with_access, with_renewal,
};
use crate::vault::token::{
    Access, Active, Attempt, Effect, Event, Exchange, Exchanging, Input, Pending, Policy, Renewal,
    Restored, TokenState, Trouble,
};

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
    let was_failing = is_failing(&state);
    let state = settle(state, now, &mut effects);
    let state = match input {
        Input::Authorize(request) => authorize(state, request, now, policy, &mut effects),
        Input::Callback(callback) => called_back(state, callback, &mut effects),
        Input::ExchangeDone(result) => exchange_done(state, result, now, policy, &mut effects),
        Input::RefreshAsked => refresh_asked(state, &mut effects),
        Input::WayClear => way_clear(state, now),
        Input::FresherWanted => fresher_wanted(state, &mut effects),
        Input::RefreshDone(result) => refresh_done(state, result, now, policy, &mut effects),
        Input::ProbeDone(probed) => probe_done(state, probed, &mut effects),
        Input::Tick => tick(state, now, policy, &mut effects),
        Input::Revoke => revoke(&state, &mut effects),
        Input::Restore(restored) => restore(restored, &mut effects),
        Input::Reconfigured => reconfigured(state),
        Input::ListenerMoved => listener_moved(state, &mut effects),
    };
    // Told last and once, so that a late success is not announced as a failure.
    if is_failing(&state) && !was_failing {
        effects.push(Effect::Report(Trouble::StillFailing));
    }
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
    TokenState::Expired(renewal)
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
        told: now,
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
        Ok(grant) => {
            effects.extend([Effect::Supersede, Effect::Announce(Event::New)]);
            grant::active(grant, Previous::default(), now, policy)
        }
        Err(failure) => {
            effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
            match failure.rotated {
                // The provider did log the user in: what it sent beside the unusable access token
                // may bring a usable one.
                Some(refresh_token) => with_access(
                    exchanging.carried,
                    first_failure(refresh_token, now, policy),
                ),
                None => without_login(exchanging.carried),
            }
        }
    }
}

fn tick(state: TokenState, now: Moment, policy: &Policy, effects: &mut Vec<Effect>) -> TokenState {
    if let TokenState::Pending(pending) = state {
        return TokenState::Pending(reminded(pending, now, policy, effects));
    }
    refresh_if_due(state, now, policy, effects)
}

fn reminded(pending: Pending, now: Moment, policy: &Policy, effects: &mut Vec<Effect>) -> Pending {
    if pending.next_reminder(policy).is_none_or(|due| due > now) {
        return pending;
    }
    effects.push(Effect::Remind);
    Pending {
        told: now,
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

/// The new configuration may be what a halted refresh was waiting for.
fn reconfigured(state: TokenState) -> TokenState {
    with_renewal(state, |renewal| match renewal.attempt {
        Attempt::Halted => Renewal {
            attempt: Attempt::Idle,
            ..renewal
        },
        _ => renewal,
    })
}

/// The user has a URL that leads nowhere now: they get another one. What is carried along stays.
fn listener_moved(state: TokenState, effects: &mut Vec<Effect>) -> TokenState {
    let TokenState::Pending(pending) = state else {
        return state;
    };
    effects.extend([Effect::Supersede, Effect::Reauthorize]);
    without_login(pending.carried)
}
