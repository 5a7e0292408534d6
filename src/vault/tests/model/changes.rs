//! What happens to a whole vault at once: another configuration, another process, a dump.

use super::{ACCOUNTS, World, variant};
use crate::vault::Vault;
use crate::vault::test_support::{config, read, secs};
use crate::vault::tests::invariants;
use crate::vault::tests::job::Kind;

impl World {
    pub(super) fn reload(&mut self) {
        self.configure();
        let moved = self.random.once_in(5);
        let orders = self.vault.reload(&self.config, moved, self.now);
        self.take(orders);
    }

    /// Another process takes over, perhaps with another configuration.
    pub(super) fn replace(&mut self) {
        let Ok(text) = self.vault.hand_over() else {
            return;
        };
        // What has been asked on behalf of nobody any more ends with the old process.
        self.jobs.clear();
        for (job, _) in self.answers.drain(..) {
            if let Kind::Refresh(Some(token)) = &job.kind {
                self.provider.excuse(token);
            }
        }
        if self.random.once_in(4) {
            self.configure();
        }
        let moved = self.random.once_in(5);
        let mut vault = Vault::new(&self.config);
        let orders = vault.take_over(text.expose(), moved, self.now).unwrap();
        self.vault = vault;
        self.take(orders);
    }

    /// Somebody edits the configuration.
    fn configure(&mut self) {
        for name in ACCOUNTS {
            let before = self.variants[name];
            let after = match self.random.below(8) {
                0 => None,
                1 => Some(self.random.below(8)),
                // Everything but the authority.
                2 => before.map(|before| before % 2 + 2 * self.random.below(4)),
                3 => before.or(Some(0)),
                _ => before,
            };
            if after.is_none() {
                self.provider.excuse_account(name);
            }
            if before.map(|v| v % 2) != after.map(|v| v % 2) {
                self.may_lose.push(name.into());
            }
            self.variants.insert(name, after);
        }
        let present = ACCOUNTS
            .iter()
            .filter_map(|name| self.variants[name].map(|number| variant(name, number)));
        self.config = config(present);
        if self.random.once_in(4) {
            self.config.auth_notify_cmd = None;
        }
        self.config.auth_notify_interval = secs(self.random.pick(&[60, 900, 7200]));
    }

    pub(super) fn dump(&mut self) {
        let dump = self.vault.snapshot(self.clocks()).text().unwrap();
        if self.dumps.len() == 6 {
            self.dumps.remove(0);
        }
        self.dumps.push(dump.expose().to_owned());
    }

    pub(super) fn restore(&mut self) {
        if self.dumps.is_empty() {
            return;
        }
        let nth = self.random.below(self.dumps.len());
        let held = invariants::refresh_tokens(&self.vault);
        let requests = invariants::requests(&self.vault);
        let (_, orders) = self.vault.restore(read(&self.dumps[nth]), self.clocks());
        for (name, token) in invariants::refresh_tokens(&self.vault) {
            match held.get(&name) {
                None => self.provider.excuse(&token),
                Some(before) if *before == token => {
                    let request = self.vault.entries[name.as_str()].request;
                    assert_eq!(
                        request, requests[&name],
                        "{name}: two requests with one token"
                    );
                }
                // By another one, which the provider knows whether it is spent.
                Some(_) => self.may_lose.push(name),
            }
        }
        self.take(orders);
    }
}
