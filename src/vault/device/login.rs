//! A login with a device code: what is known of it, and when to ask next.

use std::time::Duration;

use crate::clock::Moment;
use crate::oauth::device::DeviceAuthorization;
use crate::secret::DeviceCode;

/// A login with a code that the user types into a browser anywhere.
#[derive(Debug)]
pub struct DeviceLogin {
    /// What the token endpoint is asked with.
    pub device_code: DeviceCode,
    /// What the user types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// Until when the code is good.
    pub expires: Moment,
    /// How long to wait between two questions.
    pub interval: Duration,
    /// How the questions go.
    pub poll: Poll,
}

/// How asking goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The next question is due then.
    Next {
        /// When.
        at: Moment,
        /// How many in a row did not reach the provider.
        failures: u32,
    },
    /// A question is under way.
    InFlight {
        /// As above.
        failures: u32,
    },
}

impl DeviceLogin {
    /// A login that has just been begun.
    #[must_use]
    pub fn new(authorization: DeviceAuthorization, now: Moment) -> Self {
        Self {
            device_code: authorization.device_code,
            user_code: authorization.user_code,
            verification_uri: authorization.verification_uri,
            verification_uri_complete: authorization.verification_uri_complete,
            expires: now + authorization.lifetime,
            interval: authorization.interval,
            poll: Poll::Next {
                at: now + authorization.interval,
                failures: 0,
            },
        }
    }

    /// When to ask, or to give up. An answer that is under way is waited for: it may bring the
    /// token.
    #[must_use]
    pub const fn due(&self) -> Option<Moment> {
        match self.poll {
            Poll::Next { at, .. } => Some(at),
            Poll::InFlight { .. } => None,
        }
    }

    /// The next question, no later than the end: that has to be noticed.
    pub(super) fn ask_in(self, pause: Duration, failures: u32, now: Moment) -> Self {
        let at = (now + pause).min(self.expires.max(now));
        Self {
            poll: Poll::Next { at, failures },
            ..self
        }
    }
}
