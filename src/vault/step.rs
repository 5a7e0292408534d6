//! The state machine: what follows from what, for one account. Pure.
//!
//! Knows how logins go; what goes on beside a refresh token is in [`super::refresh`].

use crate::clock::Moment;
use crate::oauth::authorize::Callback;
use crate::oauth::token::{Failure, Grant};
use crate::vault::begin::{authorize, obtain, prepare, prepared};
use crate::vault::device;
use crate::vault::grant::{self, Previous};
use crate::vault::refresh::{
    first_failure, fresher_wanted, is_failing, probe_done, refresh_asked, refresh_done,
    refresh_if_due, way_clear, with_renewal,
};
use crate::vault::token::{
    Access, Active, Attempt, Exchanging, Login, Means, Pending, Policy, Preparing, RenewableLogin,
    Renewal, TokenState,
};
use crate::vault::transition::{Effect, Event, Exchange, Input, Restored, Trouble};

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
        Input::Prepare(grant) => prepare(state, grant, &mut effects),
        Input::Prepared(result) => prepared(state, result, now, policy, &mut effects),
        Input::Obtain => obtain(state, now, &mut effects),
        Input::Polled(result) => device::polled(state, result, now, policy, &mut effects),
        Input::Callback(callback) => called_back(state, callback, &mut effects),
        Input::ExchangeDone(result) => exchange_done(state, result, now, policy, &mut effects),
        Input::RefreshAsked => refresh_asked(state, &mut effects),
        Input::WayClear => way_clear(state, now),
        Input::FresherWanted => fresher_wanted(state, &mut effects),
        Input::RefreshDone(result) => refresh_done(state, result, now, policy, &mut effects),
        Input::ProbeDone(probed) => probe_done(state, probed, &mut effects),
        Input::Tick => tick(state, now, policy, &mut effects),
        Input::Revoke => revoke(&state, &mut effects),
        Input::Restore(restored) => restore(restored, policy, &mut effects),
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
        TokenState::Preparing(preparing) if over(preparing.carried.as_ref(), now) => {
            effects.push(Effect::Announce(Event::Invalidated));
            TokenState::Preparing(Preparing {
                carried: None,
                ..preparing
            })
        }
        TokenState::Pending(pending) if over(pending.carried.as_ref(), now) => {
            effects.push(Effect::Announce(Event::Invalidated));
            TokenState::Pending(Pending {
                carried: None,
                ..pending
            })
        }
        TokenState::Exchanging(exchanging) if over(exchanging.carried.as_ref(), now) => {
            effects.push(Effect::Announce(Event::Invalidated));
            TokenState::Exchanging(Exchanging {
                carried: None,
                ..exchanging
            })
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

fn called_back(state: TokenState, callback: Callback, effects: &mut Vec<Effect>) -> TokenState {
    let (request, carried) = match state {
        TokenState::Pending(Pending {
            login: Login::Browser(request),
            carried,
            ..
        }) if request.state.matches(callback.state.expose()) => (request, carried),
        state => return state,
    };
    // Whatever it says: somebody else's answer is none (RFC 9207 section 2.4).
    if let Err(wrong) = request.issuer.check(callback.iss.as_deref()) {
        effects.push(Effect::Report(Trouble::LoginFailed(wrong.to_string())));
        return TokenState::of(carried, None);
    }
    match callback.outcome {
        Ok(code) => {
            effects.push(Effect::Exchange(Exchange {
                code,
                verifier: request.verifier,
                redirect_uri: request.redirect_uri.clone(),
            }));
            TokenState::Exchanging(Exchanging {
                redirect_uri: request.redirect_uri,
                carried,
            })
        }
        Err(refusal) => {
            effects.push(Effect::Report(Trouble::LoginRefused(refusal.to_string())));
            TokenState::of(carried, None)
        }
    }
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
    let redirect_uri = Some(exchanging.redirect_uri).filter(|_| policy.repeats_redirect_uri);
    match result {
        Ok(grant) => {
            effects.extend([Effect::Supersede, Effect::Announce(Event::New)]);
            let previous = Previous {
                redirect_uri,
                ..Previous::default()
            };
            grant::active(grant, previous, now, policy)
        }
        Err(failure) => {
            effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
            match failure.rotated {
                // The provider did log the user in: what it sent beside the unusable access token
                // may bring a usable one.
                Some(refresh_token) => {
                    let login = RenewableLogin {
                        refresh_token,
                        redirect_uri,
                    };
                    let renewal = first_failure(login, now, policy);
                    TokenState::of(exchanging.carried, Some(renewal))
                }
                None => TokenState::of(exchanging.carried, None),
            }
        }
    }
}

fn tick(state: TokenState, now: Moment, policy: &Policy, effects: &mut Vec<Effect>) -> TokenState {
    if let TokenState::Pending(pending) = state {
        let state = device::ask_if_due(pending, now, effects);
        return reminded(state, now, policy, effects);
    }
    refresh_if_due(state, now, policy, effects)
}

fn reminded(
    state: TokenState,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    match state {
        TokenState::Pending(pending)
            if pending.next_reminder(policy).is_some_and(|due| due <= now) =>
        {
            effects.push(Effect::Remind);
            TokenState::Pending(Pending {
                told: now,
                ..pending
            })
        }
        state => state,
    }
}

fn revoke(state: &TokenState, effects: &mut Vec<Effect>) -> TokenState {
    effects.push(Effect::Supersede);
    if state.holds_token() {
        effects.push(Effect::Announce(Event::Revoked));
    }
    TokenState::Empty
}

fn restore(restored: Restored, policy: &Policy, effects: &mut Vec<Effect>) -> TokenState {
    effects.push(Effect::Supersede);
    match restored {
        Restored::Active(access, login) => {
            let means = grant::means(login, policy);
            let renewal = means.map(|means| Renewal::idle(means, access.obtained));
            TokenState::Active(Active { access, renewal })
        }
        Restored::Expired(login, obtained) => {
            TokenState::Expired(Renewal::idle(Means::RefreshToken(login), obtained))
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
    let pending = match state {
        TokenState::Pending(pending) if matches!(pending.login, Login::Browser(_)) => pending,
        state => return state,
    };
    effects.extend([Effect::Supersede, Effect::Reauthorize]);
    TokenState::of(pending.carried, None)
}
