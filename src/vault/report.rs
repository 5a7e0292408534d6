//! What `status` says of each account. Holds no secret.

use crate::clock::{Moment, Now};
use crate::protocol::{AccountState, AccountStatus, Status};
use crate::vault::Vault;
use crate::vault::entry::Entry;
use crate::vault::token::{Attempt, TokenState};

impl Vault {
    /// Every account's state, in the configuration's order.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        Status {
            accounts: self
                .entries_in_order()
                .map(|entry| account_status(entry, now))
                .collect(),
        }
    }
}

fn account_status(entry: &Entry, now: Now) -> AccountStatus {
    let time = |moment: Moment| now.wall_time_of(moment).to_string();
    // An expiry that has passed since the state was last settled must not be told as a live token.
    let access = entry
        .state
        .access()
        .filter(|access| access.expires > now.moment);
    let renewal = entry.state.renewal();
    let place = match &entry.state {
        TokenState::Pending(pending) => Some(pending.login.place()),
        _ => None,
    };
    let obtained = access
        .map(|access| access.obtained)
        .or_else(|| entry.state.obtained());
    let next_refresh = renewal.and_then(|renewal| renewal.due(access, &entry.policy));
    AccountStatus {
        account: entry.account.name.to_string(),
        state: state(&entry.state, access.is_some()),
        expires_at: access.map(|access| time(access.expires)),
        obtained_at: obtained.map(time),
        refreshable: renewal.is_some(),
        busy: is_busy(&entry.state),
        next_refresh_at: next_refresh.map(time),
        granted_scope: access.and_then(|access| access.scope.clone()),
        url: place.as_ref().map(|place| place.url.clone()),
        user_code: place.and_then(|place| place.user_code),
        last_error: entry.last_error.as_ref().map(|error| error.reason.clone()),
        last_error_at: entry.last_error.as_ref().map(|error| time(error.at)),
    }
}

const fn state(state: &TokenState, live: bool) -> AccountState {
    match state {
        TokenState::Preparing(_) => AccountState::Preparing,
        TokenState::Pending(_) => AccountState::Pending,
        TokenState::Exchanging(_) => AccountState::Exchanging,
        TokenState::Active(_) if live => AccountState::Active,
        TokenState::Active(active) if active.renewal.is_some() => AccountState::Expired,
        TokenState::Expired(renewal) if renewal.refresh_token().is_none() => {
            AccountState::Obtaining
        }
        TokenState::Expired(_) => AccountState::Expired,
        TokenState::Active(_) | TokenState::Empty => AccountState::Empty,
    }
}

fn is_busy(state: &TokenState) -> bool {
    let refreshing = state
        .renewal()
        .is_some_and(|renewal| matches!(renewal.attempt, Attempt::InFlight(_)));
    refreshing || matches!(state, TokenState::Exchanging(_) | TokenState::Preparing(_))
}
