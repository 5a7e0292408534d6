//! Taking in what came of what the vault had ordered, and that time has passed.

use url::Url;

use crate::clock::Moment;
use crate::config::{AccountName, Authority};
use crate::oauth::token::{Failure, Grant};
use crate::vault::Vault;
use crate::vault::entry::LastError;
use crate::vault::order::{Order, Ticket};
use crate::vault::token::Means;
use crate::vault::transition::{Input, Probed};

impl Vault {
    /// What to refresh with, where that was ordered; `None` where it has been overtaken by events
    /// and no request must be made.
    #[must_use]
    pub fn means(&self, ticket: &Ticket) -> Option<Means> {
        let entry = self.current(ticket).filter(|entry| entry.awaits(ticket))?;
        Some(entry.state.renewal()?.means.duplicate())
    }

    /// Takes in how an exchange ended.
    pub fn exchange_done(
        &mut self,
        ticket: &Ticket,
        result: Result<Grant, Failure>,
        now: Moment,
    ) -> Vec<Order> {
        self.request_done(ticket, result, Input::ExchangeDone, now)
    }

    /// Takes in how a refresh ended.
    pub fn refresh_done(
        &mut self,
        ticket: &Ticket,
        result: Result<Grant, Failure>,
        now: Moment,
    ) -> Vec<Order> {
        self.request_done(ticket, result, Input::RefreshDone, now)
    }

    fn request_done(
        &mut self,
        ticket: &Ticket,
        result: Result<Grant, Failure>,
        input: fn(Result<Grant, Failure>) -> Input,
        now: Moment,
    ) -> Vec<Order> {
        let Some(entry) = self.current_mut(ticket) else {
            return Vec::new();
        };
        if !entry.awaits(ticket) {
            return Vec::new();
        }
        entry.replace_refresh_token(match &result {
            Ok(grant) => grant.refresh_token.as_ref(),
            Err(failure) => failure.rotated.as_ref(),
        });
        let reason = result.as_ref().err().map(|failure| failure.reason.clone());
        self.answered(ticket, reason, now);
        let Some(entry) = self.current(ticket) else {
            return Vec::new();
        };
        let through = result.is_ok().then(|| entry.account.clone());
        let mut orders = self.apply(ticket.account.as_str(), input(result), now);
        if let Some(account) = through {
            // The others of the same provider have no reason to wait any longer.
            let reached = account.authority.server();
            orders.extend(self.try_again(|other| same_server(other.server(), reached), now));
        }
        orders
    }

    /// A request has been answered; what is wrong with the answer is what went wrong last.
    pub(super) fn answered(&mut self, ticket: &Ticket, reason: Option<String>, now: Moment) {
        let Some(entry) = self.current_mut(ticket) else {
            return;
        };
        entry.request = None;
        entry.last_error = reason.map(|reason| LastError {
            at: now,
            reason,
            passing: true,
        });
    }

    /// Takes in what `transient_error_if_cmd` decided.
    pub fn probe_done(&mut self, ticket: &Ticket, probed: Probed, now: Moment) -> Vec<Order> {
        if self.current(ticket).is_none() {
            return Vec::new();
        }
        self.apply(ticket.account.as_str(), Input::ProbeDone(probed), now)
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Moment) -> Vec<Order> {
        let due = self.schedule.due(now);
        due.iter()
            .flat_map(|name| self.apply(name.as_str(), Input::Tick, now))
            .collect()
    }

    /// The machine has woken up: what failed before may succeed now.
    pub fn woken_up(&mut self, now: Moment) -> Vec<Order> {
        self.try_again(|_| true, now)
    }

    /// Begins the retries of the failing accounts anew that `may_succeed`.
    fn try_again(&mut self, may_succeed: impl Fn(&Authority) -> bool, now: Moment) -> Vec<Order> {
        let failing = self.failing.iter().filter(|name| {
            let entry = self.entries.get(name.as_str());
            entry.is_some_and(|entry| may_succeed(&entry.account.authority))
        });
        let failing: Vec<AccountName> = failing.cloned().collect();
        failing
            .iter()
            .flat_map(|name| self.apply(name.as_str(), Input::WayClear, now))
            .collect()
    }
}

fn same_server(a: Option<&Url>, b: Option<&Url>) -> bool {
    a.zip(b).is_some_and(|(a, b)| {
        a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
    })
}
