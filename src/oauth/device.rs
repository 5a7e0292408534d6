//! Device codes: forms for the device authorisation endpoint and for polling, and what the answers
//! mean (RFC 8628).

use std::time::Duration;

use crate::oauth::token::Failure;
use crate::secret::DeviceCode;

/// A code for the user to type into a browser anywhere (RFC 8628 section 3.2).
#[derive(Debug)]
pub struct DeviceAuthorization {
    /// What the token endpoint is asked with; never shown.
    pub device_code: DeviceCode,
    /// What the user types; safe to print.
    pub user_code: String,
    /// Where; http or https, and safe to print.
    pub verification_uri: String,
    /// The same with the code in it, where the provider has such a thing.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good.
    pub lifetime: Duration,
    /// How long to wait between two questions, at least.
    pub interval: Duration,
}

/// A question for the token that brought none (RFC 8628 section 3.5).
#[derive(Debug)]
pub enum PollFailure {
    /// The user has not decided yet.
    Pending,
    /// The same, and the questions come too often: ask less often from now on, for good.
    SlowDown,
    /// The code is good no more.
    Expired,
    /// The user refused, or the provider did; safe to print.
    Refused(String),
    /// Anything else. What may pass leaves the code alone.
    Failed(Failure),
}
