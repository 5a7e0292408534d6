//! Which refresh tokens of an account have been replaced, so that no dump puts one back.
//!
//! Times alone do not tell: somebody may have set the wall clock back since the dump. And a
//! provider that rotates refresh tokens takes a spent one for theft, and ends the login.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many are remembered for each account: with hourly refreshes, those of more than a day.
const REMEMBERED: usize = 32;

/// Digests of the refresh tokens that were replaced last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Spent {
    digests: VecDeque<[u8; 32]>,
}

impl Spent {
    /// Takes note that `token` is of no use any more.
    pub(super) fn add(&mut self, token: &str) {
        if self.digests.len() == REMEMBERED {
            self.digests.pop_front();
        }
        self.digests.push_back(digest(token));
    }

    /// Whether `token` is known to be of no use.
    pub(super) fn has(&self, token: &str) -> bool {
        !self.digests.is_empty() && self.digests.contains(&digest(token))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut spent = Spent::default();
        assert!(!spent.has("0"));
        for n in 0..=REMEMBERED {
            spent.add(&n.to_string());
        }
        assert!(!spent.has("0"));
        assert!(spent.has("1"));
        assert!(spent.has(&REMEMBERED.to_string()));
        assert_eq!(spent.digests.len(), REMEMBERED);
    }
}
