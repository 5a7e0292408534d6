//! Every decision about tokens: which account is in which state, and what is to be done next.
//!
//! Pure: every call takes the time and returns [`Order`]s, which somebody else carries out. No
//! call scans the accounts but those that are about all of them.

pub mod answer;
mod backoff;
mod begin;
pub mod device;
mod entry;
mod grant;
pub mod handover;
pub mod keeping;
mod login;
pub mod order;
mod refresh;
pub mod reload;
pub mod report;
mod results;
mod schedule;
pub mod snapshot;
mod spent;
mod step;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
pub mod token;
pub mod transition;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use self::answer::{Refreshed, Refreshing, Revoked, Shown};
use self::entry::{Entry, LastError, initial, policy};
use self::order::{Order, Outcome, Ticket};
use self::reload::names;
use self::schedule::Schedule;
use self::spent::Spent;
pub use self::step::step;
use self::token::{Attempt, Renewal, TokenState};
use self::transition::{Effect, Event, Input, Restored};
use crate::clock::Moment;
use crate::config::{Account, AccountName, Config};
use crate::secret::RefreshToken;

/// All accounts and their tokens.
#[derive(Debug)]
pub struct Vault {
    /// Boxed, so that a map which grows, or is made anew, has little to move.
    entries: HashMap<AccountName, Box<Entry>>,
    /// The configuration's order, for listings.
    order: Vec<AccountName>,
    schedule: Schedule,
    /// Whose login a `state` belongs to, by the state's digest: a look-up by the state itself
    /// would tell by its duration how much of a guess is right.
    logins: HashMap<[u8; 32], AccountName>,
    /// The accounts whose refresh waits for another try, and could hear that the way is clear.
    failing: BTreeSet<AccountName>,
    /// The last of the numbers given to generations and requests, none of which is used twice.
    last_number: u64,
    changes: u64,
    visible_changes: u64,
}

impl Vault {
    /// A vault with the accounts of `config`, none of which has a token.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut vault = Self {
            entries: HashMap::with_capacity(config.accounts.len()),
            order: Vec::new(),
            schedule: Schedule::default(),
            logins: HashMap::new(),
            failing: BTreeSet::new(),
            last_number: 0,
            changes: 0,
            visible_changes: 0,
        };
        for account in &config.accounts {
            vault.insert(config, account);
        }
        vault.order = names(config);
        vault
    }

    fn insert(&mut self, config: &Config, account: &Arc<Account>) {
        self.last_number += 1;
        let policy = policy(config, account);
        let state = initial(account);
        let deadline = state.deadline(&policy);
        self.schedule.put(&account.name, None, deadline);
        let entry = Entry {
            account: Arc::clone(account),
            policy,
            state,
            generation: self.last_number,
            request: None,
            deadline,
            last_error: None,
            spent: Spent::default(),
            logged_in: None,
        };
        self.entries.insert(account.name.clone(), Box::new(entry));
    }

    /// When [`Self::tick`] must be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.schedule.earliest()
    }

    /// Counts the changes of the tokens at hand.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Counts the changes that somebody who waits for an answer of this vault's could see.
    #[must_use]
    pub const fn visible_changes(&self) -> u64 {
        self.visible_changes
    }

    /// Whether any account holds a token.
    #[must_use]
    pub fn holds_tokens(&self) -> bool {
        self.entries.values().any(|entry| entry.state.holds_token())
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no account; a valid configuration has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The account of this name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.entries
            .get(name)
            .map(|entry| Arc::clone(&entry.account))
    }

    /// What `show` prints that wants a token which is valid for `min_valid`. A refresh is started
    /// where it takes one. `None` where there is no such account.
    pub fn show(&mut self, name: &str, min_valid: Duration, now: Moment) -> Outcome<Option<Shown>> {
        let mut orders = self.settle(name, now);
        let mut shown = self
            .entries
            .get(name)
            .map(|entry| entry.shown(min_valid, now));
        if matches!(shown, Some(Shown::TooShort(_))) {
            orders.extend(self.apply(name, Input::FresherWanted, now));
            shown = self
                .entries
                .get(name)
                .map(|entry| entry.shown(min_valid, now));
        }
        (shown, orders)
    }

    /// Does what has become due for one account.
    fn settle(&mut self, name: &str, now: Moment) -> Vec<Order> {
        let due = self
            .entries
            .get(name)
            .and_then(|entry| entry.deadline)
            .is_some_and(|deadline| deadline <= now);
        if due {
            self.apply(name, Input::Tick, now)
        } else {
            Vec::new()
        }
    }

    /// Starts a refresh, or joins the one that is under way. `None` where there is no such account.
    pub fn refresh(&mut self, name: &str, now: Moment) -> Outcome<Option<Refreshing>> {
        let orders = self.apply(name, Input::RefreshAsked, now);
        let refreshing = self.entries.get(name).map(|entry| match &entry.state {
            state if state.renewal().is_some() => Refreshing::Started(entry.ticket()),
            TokenState::Exchanging(_) => Refreshing::Exchanging,
            TokenState::Preparing(_) => Refreshing::Preparing,
            _ => Refreshing::Impossible,
        });
        (refreshing, orders)
    }

    /// How the refresh of this ticket ended; `None` while it is under way.
    #[must_use]
    pub fn refreshed(&self, ticket: &Ticket) -> Option<Refreshed> {
        let Some(entry) = self.entries.get(ticket.account.as_str()) else {
            return Some(Refreshed::Gone(
                "the account is no longer configured".into(),
            ));
        };
        let reason = || entry.last_error.as_ref().map(|error| error.reason.clone());
        let attempt = entry.state.renewal().map(|renewal| renewal.attempt);
        let superseded = entry.generation != ticket.generation;
        match attempt {
            _ if entry.awaits(ticket) => None,
            _ if superseded && matches!(entry.state, TokenState::Active(_)) => {
                Some(Refreshed::Done)
            }
            None => Some(Refreshed::Gone(
                reason().unwrap_or_else(|| "the tokens were revoked".into()),
            )),
            Some(_) if superseded => Some(Refreshed::Done),
            Some(Attempt::Halted) => Some(Refreshed::Refused(reason().unwrap_or_default())),
            Some(_) => Some(Refreshed::Passing(reason().unwrap_or_default())),
        }
    }

    /// Forgets an account's tokens and its login, and says what there is to be revoked at the
    /// provider. `None` where there is no such account.
    pub fn revoke(&mut self, name: &str, now: Moment) -> Outcome<Option<Revoked>> {
        let Some(entry) = self.entries.get_mut(name) else {
            return (None, Vec::new());
        };
        let held = !matches!(entry.state, TokenState::Empty);
        let refresh_token = entry.state.renewal().and_then(Renewal::refresh_token);
        let access = entry.state.access();
        let revoked = Revoked {
            account: Arc::clone(&entry.account),
            held,
            refresh_token: refresh_token.map(RefreshToken::duplicate),
            access_token: access.map(|access| access.token.duplicate()),
        };
        entry.last_error = None;
        (Some(revoked), self.apply(name, Input::Revoke, now))
    }

    /// Puts tokens from a dump in the place of what an account has.
    fn restore_account(&mut self, name: &str, restored: Restored, now: Moment) -> Vec<Order> {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.last_error = None;
            entry.replace_refresh_token(restored.refresh_token());
        }
        self.apply(name, Input::Restore(restored), now)
    }

    /// Takes one account a step further, and keeps what is derived from its state in step with it.
    fn apply(&mut self, name: &str, input: Input, now: Moment) -> Vec<Order> {
        let Some(entry) = self.entries.get_mut(name) else {
            return Vec::new();
        };
        let (login_before, outline_before) = (entry.login(), entry.outline());
        let obtained_before = entry.state.obtained();
        let waited = matches!(
            entry.state,
            TokenState::Pending(_) | TokenState::Exchanging(_)
        );
        let login = waited.then_some(entry.generation);
        let state = std::mem::replace(&mut entry.state, TokenState::Empty);
        let (state, effects) = step(state, input, now, &entry.policy);
        entry.state = state;
        let mut orders = Vec::with_capacity(effects.len());
        for effect in effects {
            self.last_number += 1;
            match &effect {
                Effect::Supersede => (entry.generation, entry.request) = (self.last_number, None),
                Effect::Exchange(_) | Effect::Refresh | Effect::Prepare(_) | Effect::Poll => {
                    entry.request = Some(self.last_number);
                }
                Effect::Announce(Event::New) => entry.logged_in = login,
                _ => {}
            }
            if let Effect::Report(trouble) = &effect
                && let Some(reason) = trouble.reason()
            {
                entry.last_error = Some(LastError {
                    at: now,
                    reason: reason.into(),
                    passing: false,
                });
            }
            orders.extend(entry.task(effect).map(|task| entry.order(task)));
        }
        if entry.state.obtained() != obtained_before {
            self.changes += 1;
        }
        let login = entry.login();
        if login_before != login {
            login_before.map(|digest| self.logins.remove(&digest));
            login.map(|digest| self.logins.insert(digest, entry.account.name.clone()));
        }
        if entry.is_failing() {
            self.failing.insert(entry.account.name.clone());
        } else {
            self.failing.remove(name);
        }
        let deadline = entry.state.deadline(&entry.policy);
        self.schedule
            .put(&entry.account.name, entry.deadline, deadline);
        entry.deadline = deadline;
        if outline_before != entry.outline() {
            self.visible_changes += 1;
        }
        orders
    }

    fn entries_in_order(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.order.iter().filter_map(|name| self.entries.get(name));
        entries.map(AsRef::as_ref)
    }

    fn current(&self, ticket: &Ticket) -> Option<&Entry> {
        let entry = self.entries.get(ticket.account.as_str())?;
        (entry.generation == ticket.generation).then_some(entry)
    }

    fn current_mut(&mut self, ticket: &Ticket) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(ticket.account.as_str())?;
        (entry.generation == ticket.generation).then_some(entry)
    }
}
