//! When the token state may be handed to `persist_cmd`: so that a good dump is never overwritten
//! by an empty one. Pure.

use serde::{Deserialize, Serialize};

use crate::config::GrantType;
use crate::vault::transition::Event;

/// What has happened that decides it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Keeping {
    /// `restore_cmd` failed, and what it should have brought may still be there.
    unrestored: bool,
    /// The user has revoked a token since the last full dump was kept.
    revoked: bool,
}

impl Keeping {
    /// `restore_cmd` has failed.
    pub const fn restore_failed(&mut self) {
        self.unrestored = true;
    }

    /// Whether what `restore_cmd` should have brought is missing, and may still be there.
    #[must_use]
    pub const fn is_unrestored(&self) -> bool {
        self.unrestored
    }

    /// A token was obtained, or the user restored a dump by hand: there is something to keep.
    pub const fn obtained(&mut self) {
        self.unrestored = false;
    }

    /// The user has revoked a token: that it is gone is to be kept.
    pub const fn revoked(&mut self) {
        self.revoked = true;
    }

    /// A dump was kept.
    pub const fn kept(&mut self, empty: bool) {
        if !empty {
            self.revoked = false;
        }
    }

    /// Whether a dump may take the place of what was kept before.
    #[must_use]
    pub const fn allows(&self, empty: bool) -> bool {
        !self.unrestored && (!empty || self.revoked)
    }
}

/// Whether this tells that there is something to keep in the place of what could not be restored.
/// A token that is got without the user tells nothing of what the user has logged in to.
#[must_use]
pub fn is_something_to_keep(event: Event, grant: GrantType) -> bool {
    matches!(event, Event::New | Event::Refreshed) && grant != GrantType::ClientCredentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_state_is_kept_only_where_the_user_revoked() {
        let mut keeping = Keeping::default();
        assert!(keeping.allows(false));
        assert!(!keeping.allows(true));
        keeping.revoked();
        assert!(keeping.allows(true));
        keeping.kept(true);
        assert!(keeping.allows(true));
        keeping.kept(false);
        assert!(!keeping.allows(true));
    }

    #[test]
    fn nothing_is_kept_after_a_failed_restore_until_there_is_something() {
        let mut keeping = Keeping::default();
        keeping.restore_failed();
        keeping.revoked();
        assert!(!keeping.allows(false));
        assert!(!keeping.allows(true));
        keeping.obtained();
        assert!(keeping.allows(false));
    }
}
