//! The state machine where a login begins: with a browser, with something that the provider has to
//! be asked first, or without a user at all. Pure, like all of [`super::step`].

use crate::clock::Moment;
use crate::config::GrantType;
use crate::oauth::authorize::AuthorizationRequest;
use crate::oauth::token::{Failure, FailureKind};
use crate::vault::device::login::DeviceLogin;
use crate::vault::refresh::refresh_asked;
use crate::vault::token::{Access, Login, Means, Pending, Policy, Preparing, Renewal, TokenState};
use crate::vault::transition::{Effect, Prepared, Trouble};

pub(super) fn authorize(
    state: TokenState,
    request: AuthorizationRequest,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    if !is_free(&state, GrantType::AuthorizationCode) {
        return state;
    }
    let carried = carried(state);
    effects.push(Effect::Supersede);
    pending(Login::Browser(request), carried, now, policy, effects)
}

/// Whether a login by `grant` may be begun. One is enough: a second URL would make the first one
/// useless; but one by another grant takes its place.
fn is_free(state: &TokenState, grant: GrantType) -> bool {
    match state {
        TokenState::Empty => true,
        TokenState::Active(active) => active.renewal.is_none(),
        TokenState::Pending(pending) => pending.login.grant() != grant,
        TokenState::Preparing(preparing) => preparing.grant != grant,
        TokenState::Exchanging(_) | TokenState::Expired(_) => false,
    }
}

/// The token that is good until the new login has succeeded.
fn carried(state: TokenState) -> Option<Access> {
    match state {
        TokenState::Active(active) => Some(active.access),
        TokenState::Pending(pending) => pending.carried,
        TokenState::Preparing(preparing) => preparing.carried,
        TokenState::Exchanging(exchanging) => exchanging.carried,
        TokenState::Empty | TokenState::Expired(_) => None,
    }
}

fn pending(
    login: Login,
    carried: Option<Access>,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    if policy.remind_every.is_some() {
        effects.push(Effect::Remind);
    }
    TokenState::Pending(Pending {
        login,
        told: now,
        carried,
    })
}

pub(super) fn prepare(
    state: TokenState,
    grant: GrantType,
    effects: &mut Vec<Effect>,
) -> TokenState {
    if !is_free(&state, grant) {
        return state;
    }
    let carried = carried(state);
    effects.extend([Effect::Supersede, Effect::Prepare(grant)]);
    TokenState::Preparing(Preparing { grant, carried })
}

pub(super) fn prepared(
    state: TokenState,
    result: Result<Prepared, Failure>,
    now: Moment,
    policy: &Policy,
    effects: &mut Vec<Effect>,
) -> TokenState {
    let TokenState::Preparing(preparing) = state else {
        return state;
    };
    let carried = preparing.carried;
    let login = match result {
        Ok(Prepared::Browser(request)) => Login::Browser(request),
        Ok(Prepared::Device(authorization)) => Login::Device(DeviceLogin::new(authorization, now)),
        Err(failure) => {
            // What may pass is told to whoever asks for the token: there is nothing to be done.
            if !matches!(failure.kind, FailureKind::Passing { .. }) {
                effects.push(Effect::Report(Trouble::LoginFailed(failure.reason)));
            }
            return TokenState::of(carried, None);
        }
    };
    pending(login, carried, now, policy, effects)
}

/// There is no user to ask, so the token is asked for at once.
pub(super) fn obtain(state: TokenState, now: Moment, effects: &mut Vec<Effect>) -> TokenState {
    if !is_free(&state, GrantType::ClientCredentials) {
        return state;
    }
    let access = carried(state);
    effects.push(Effect::Supersede);
    let renewal = Renewal::idle(Means::ClientCredentials, now);
    refresh_asked(TokenState::of(access, Some(renewal)), effects)
}
