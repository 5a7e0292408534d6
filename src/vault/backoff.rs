//! How long to wait before the next try.

use std::time::Duration;

use crate::clock::Moment;
use crate::vault::token::Policy;

/// The longest gap between two tries of a refresh, unless the user configured a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// The gap before the try that follows `count` failures: doubling from the configured one, made a
/// little shorter by an amount that differs between accounts, but not before `retry_after`.
pub(super) fn backoff(
    count: u32,
    retry_after: Option<Duration>,
    now: Moment,
    policy: &Policy,
) -> Duration {
    let first = policy.refresh.retry;
    let longest = LONGEST_BACKOFF.max(first);
    let doublings = count.saturating_sub(1).min(31);
    let gap = first.saturating_mul(1 << doublings).min(longest);
    // At most a quarter. Divided first: the other way round, a very long gap would overflow.
    let jitter = gap / 400 * jitter_percent(policy.spread, now);
    (gap - jitter).max(retry_after.unwrap_or_default())
}

/// Between 0 and 99, and evenly spread over accounts and moments (splitmix64's mixing).
fn jitter_percent(spread: u64, now: Moment) -> u32 {
    let mut mixed = spread
        ^ now
            .as_millis()
            .cast_unsigned()
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed ^ (mixed >> 31)) % 100).unwrap_or(0)
}
