//! Time: the only caller of the operating system's clocks.
//!
//! Deadlines are [`Moment`]s, which go on counting while the machine sleeps and do not care what
//! the wall clock is set to. Wall-clock time ([`Timestamp`]) is for showing to people and for
//! dumps, which outlive a boot.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

pub use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// The clock of [`Moment`]s: since boot, including time spent asleep.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT_CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
/// macOS and the BSDs go on counting CLOCK_MONOTONIC while asleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT_CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// A point in time, in milliseconds since boot. Negative before it (a token restored from a dump
/// may have been obtained then). Arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The moment `milliseconds` after boot.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since boot.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let milliseconds = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// One reading of both clocks, to turn a [`Moment`] into wall-clock time and back.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Now, on the clock of deadlines.
    pub moment: Moment,
    /// Now, as people write it.
    pub wall: Timestamp,
}

impl Now {
    /// When `moment` is (or was) on the wall clock, as that is set at present.
    #[must_use]
    pub fn wall_time_of(&self, moment: Moment) -> Timestamp {
        let distance = moment.0.saturating_sub(self.moment.0);
        let wall = self.wall.as_millisecond().saturating_add(distance);
        Timestamp::from_millisecond(wall).unwrap_or(if distance < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// The moment at which the wall clock, as it is set at present, shows (or showed) `wall`.
    #[must_use]
    pub fn moment_of(&self, wall: Timestamp) -> Moment {
        let distance = wall
            .as_millisecond()
            .saturating_sub(self.wall.as_millisecond());
        Moment(self.moment.0.saturating_add(distance))
    }
}

/// The moment that it is.
#[must_use]
pub fn moment() -> Moment {
    // Neither clock can fail where it exists, and every supported system has it.
    clock_gettime(BOOT_CLOCK).map_or(Moment(0), |time| {
        Moment(time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
    })
}

/// How long the machine has slept since boot, as far as the system tells.
#[must_use]
pub fn asleep() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, |awake| {
        let awake = Moment(awake.tv_sec() * 1000 + awake.tv_nsec() / 1_000_000);
        moment().since(awake)
    })
}

/// Both clocks, read together.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that reads clocks"
)]
pub fn now() -> Now {
    Now {
        moment: moment(),
        wall: Timestamp::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Moment::from_millis(i64::MAX) + Duration::MAX;
        assert_eq!(late, Moment::from_millis(i64::MAX));
        assert_eq!(Moment::from_millis(0).since(late), Duration::ZERO);
    }

    #[test]
    fn wall_time_and_back() {
        let now = Now {
            moment: Moment::from_millis(5_000),
            wall: Timestamp::from_second(1_000_000).unwrap(),
        };
        let later = now.moment + Duration::from_secs(90);
        assert_eq!(now.wall_time_of(later).as_second(), 1_000_090);
        assert_eq!(now.moment_of(now.wall_time_of(later)), later);
        assert_eq!(
            now.wall_time_of(Moment::from_millis(i64::MAX)),
            Timestamp::MAX
        );
    }
}
