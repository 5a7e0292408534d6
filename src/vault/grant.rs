//! What the provider granted, as an account's state. Pure.

use crate::clock::Moment;
use crate::oauth::token::Grant;
use crate::secret::RefreshToken;
use crate::vault::token::{Access, Active, Policy, Renewal, TokenState};

/// What stays in force where a grant does not say otherwise (RFC 6749 sections 5.1 and 6).
#[derive(Default)]
pub(super) struct Previous {
    /// The refresh token that brought the grant.
    pub(super) refresh_token: Option<RefreshToken>,
    /// The scopes that had been granted before, as far as they are still known.
    pub(super) scope: Option<String>,
}

/// The state that follows from `grant`.
pub(super) fn active(grant: Grant, previous: Previous, now: Moment, policy: &Policy) -> TokenState {
    let lifetime = grant.lifetime.unwrap_or(policy.refresh.at_least);
    let refresh_token = grant.refresh_token.or(previous.refresh_token);
    TokenState::Active(Active {
        access: Access {
            token: grant.access_token,
            obtained: now,
            expires: now + lifetime,
            scope: grant.scope.or(previous.scope),
        },
        renewal: refresh_token.map(|token| Renewal::idle(token, now)),
    })
}
