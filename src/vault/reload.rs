//! Putting another configuration in force.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Moment;
use crate::config::{Account, AccountName, Config, RedirectUri};
use crate::vault::Vault;
use crate::vault::entry::{asks_for_itself, policy};
use crate::vault::order::{Order, Task};
use crate::vault::transition::{Event, Input};

/// Which of the redirect listeners are elsewhere than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The one for http.
    pub http: bool,
    /// The one for https.
    pub https: bool,
}

impl Moved {
    /// Whether a browser that was told to come back to `uri` no longer arrives.
    pub(super) fn leads_astray(self, uri: &RedirectUri) -> bool {
        let moved = if uri.is_https() {
            self.https
        } else {
            self.http
        };
        moved && uri.port().is_none()
    }
}

/// Both, or neither.
impl From<bool> for Moved {
    fn from(moved: bool) -> Self {
        Self {
            http: moved,
            https: moved,
        }
    }
}

impl Vault {
    /// Puts another configuration in force. A token survives exactly where the account's authority
    /// is unchanged; a login that waits for the user survives where its redirect would also still
    /// arrive, and is begun anew where not, which `moved` says.
    pub fn reload(&mut self, config: &Config, moved: impl Into<Moved>, now: Moment) -> Vec<Order> {
        let moved = moved.into();
        let mut orders = Vec::new();
        let mut kept = HashMap::with_capacity(config.accounts.len());
        for account in &config.accounts {
            if let Some(entry) = self.entries.remove(account.name.as_str()) {
                kept.insert(account.name.clone(), entry);
            }
        }
        let dropped: Vec<AccountName> = self.entries.keys().cloned().collect();
        for name in &dropped {
            orders.extend(self.forget(name, now));
        }
        self.entries = kept;
        for account in &config.accounts {
            orders.extend(self.reconfigure(config, account, moved, now));
        }
        self.order = names(config);
        orders
    }

    /// Takes everything from an account that is about to go or to change its authority.
    fn forget(&mut self, name: &AccountName, now: Moment) -> Vec<Order> {
        let held = self
            .entries
            .get(name)
            .is_some_and(|entry| entry.state.holds_token());
        let mut orders = self.apply(name.as_str(), Input::Revoke, now);
        // Nobody wished for it: it is a consequence of the new configuration.
        orders.retain(|order| !matches!(order.task, Task::Announce(_)));
        if let Some(entry) = self.entries.get(name).filter(|_| held) {
            orders.push(entry.order(Task::Announce(Event::Invalidated)));
        }
        orders
    }

    fn reconfigure(
        &mut self,
        config: &Config,
        account: &Arc<Account>,
        moved: Moved,
        now: Moment,
    ) -> Vec<Order> {
        let name = &account.name;
        let Some(entry) = self.entries.get(name) else {
            self.insert(config, account);
            return Vec::new();
        };
        let same = entry.account.authority == account.authority;
        let astray = moved.leads_astray(&account.authority.redirect_uri);
        let mut orders = Vec::new();
        if !same {
            orders = self.forget(name, now);
        }
        let Some(entry) = self.entries.get_mut(name) else {
            return orders;
        };
        entry.account = Arc::clone(account);
        entry.policy = policy(config, account);
        if !same {
            entry.last_error = None;
        }
        if !same && asks_for_itself(account) {
            orders.extend(self.apply(name.as_str(), Input::Obtain, now));
        }
        orders.extend(self.apply(name.as_str(), Input::Reconfigured, now));
        if astray {
            orders.extend(self.apply(name.as_str(), Input::ListenerMoved, now));
        }
        orders
    }
}

/// The accounts in the configuration's order.
pub(super) fn names(config: &Config) -> Vec<AccountName> {
    config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect()
}
