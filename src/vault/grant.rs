//! What the provider granted, as an account's state. Pure.

use crate::clock::Moment;
use crate::oauth::token::Grant;
use crate::secret::RefreshToken;
use crate::vault::token::{Access, Active, Means, Policy, RenewableLogin, Renewal, TokenState};

/// What stays in force where a grant does not say otherwise (RFC 6749 sections 5.1 and 6).
#[derive(Default)]
pub(super) struct Previous {
    /// The refresh token that brought the grant.
    pub(super) refresh_token: Option<RefreshToken>,
    /// The redirect URI of the login, where it will be wanted again.
    pub(super) redirect_uri: Option<String>,
    /// The scopes that had been granted before, as far as they are still known.
    pub(super) scope: Option<String>,
}

/// The state that follows from `grant`.
pub(super) fn active(grant: Grant, previous: Previous, now: Moment, policy: &Policy) -> TokenState {
    let lifetime = grant.lifetime.unwrap_or(policy.refresh.at_least);
    let refresh_token = grant.refresh_token.or(previous.refresh_token);
    let login = refresh_token.map(|refresh_token| RenewableLogin {
        refresh_token,
        redirect_uri: previous.redirect_uri,
    });
    TokenState::Active(Active {
        access: Access {
            token: grant.access_token,
            obtained: now,
            expires: now + lifetime,
            scope: grant.scope.or(previous.scope),
        },
        renewal: means(login, policy).map(|means| Renewal::idle(means, now)),
    })
}

/// What renews a token: a client that asks for itself needs no refresh token, and should not be
/// given one (RFC 6749 section 4.4.3).
pub(super) fn means(login: Option<RenewableLogin>, policy: &Policy) -> Option<Means> {
    if policy.asks_for_itself {
        return Some(Means::ClientCredentials);
    }
    login.map(Means::RefreshToken)
}
