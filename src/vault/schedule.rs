//! What is due when: one deadline for each account, and the earliest one without a scan.

use std::collections::BTreeSet;

use crate::clock::Moment;
use crate::config::AccountName;

/// The accounts' deadlines.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    deadlines: BTreeSet<(Moment, AccountName)>,
}

impl Schedule {
    /// Puts `account`'s deadline from `before` to `after`.
    pub(super) fn put(
        &mut self,
        account: &AccountName,
        before: Option<Moment>,
        after: Option<Moment>,
    ) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.deadlines.remove(&(before, account.clone()));
        }
        if let Some(after) = after {
            self.deadlines.insert((after, account.clone()));
        }
    }

    /// The earliest deadline of all.
    #[must_use]
    pub(super) fn earliest(&self) -> Option<Moment> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The accounts whose deadline has come, the longest overdue first.
    #[must_use]
    pub(super) fn due(&self, now: Moment) -> Vec<AccountName> {
        self.deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now)
            .map(|(_, account)| account.clone())
            .collect()
    }
}
