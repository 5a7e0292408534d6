//! Values that somebody else has to be asked for, which takes its time. Knows nothing of what they
//! are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{self, Moment};
use crate::oauth::token::{Failure, FailureKind};

/// Values that take long to come by, each fetched by one at a time and once.
pub(super) struct Fetched<V>(Mutex<HashMap<String, Arc<Mutex<Slot<V>>>>>);

struct Slot<V> {
    value: Option<Arc<V>>,
    /// The last failure, for those who waited for it.
    failed: Option<(Moment, FailureKind, String)>,
}

impl<V> Default for Fetched<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self {
            value: None,
            failed: None,
        }
    }
}

impl<V> Fetched<V> {
    fn slot(&self, key: &str) -> Arc<Mutex<Slot<V>>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.into()).or_default())
    }

    /// The value, where nobody has to be waited for.
    pub(super) fn at_hand(&self, key: &str) -> Option<Arc<V>> {
        let slot = self.slot(key);
        let slot = slot.try_lock().ok()?;
        slot.value.clone()
    }

    /// The value, which is fetched where it is not at hand.
    ///
    /// # Errors
    /// Why it could not be.
    #[expect(
        clippy::significant_drop_tightening,
        reason = "one at a time is the point of this lock"
    )]
    pub(super) fn get(
        &self,
        key: &str,
        fetch: impl FnOnce() -> Result<V, Failure>,
    ) -> Result<Arc<V>, Failure> {
        let since = clock::moment();
        let slot = self.slot(key);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = &slot.value {
            return Ok(Arc::clone(value));
        }
        // Whoever waited for somebody else's try has no better chance now.
        if let Some((at, kind, reason)) = &slot.failed
            && *at > since
        {
            return Err(Failure {
                kind: *kind,
                reason: reason.clone(),
                rotated: None,
            });
        }
        match fetch() {
            Ok(value) => {
                let value = Arc::new(value);
                slot.value = Some(Arc::clone(&value));
                Ok(value)
            }
            Err(failure) => {
                slot.failed = Some((clock::moment(), failure.kind, failure.reason.clone()));
                Err(failure)
            }
        }
    }

    /// Lets go of a value, whichever it is; who is just fetching it gets it all the same. Does not
    /// wait for that.
    pub(super) fn drop_value(&self, key: &str) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(key);
    }

    /// Lets go of a value, unless it is another one by now.
    pub(super) fn forget(&self, key: &str, value: &Arc<V>) {
        let slot = self.slot(key);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.value.take_if(|held| Arc::ptr_eq(held, value));
    }
}
