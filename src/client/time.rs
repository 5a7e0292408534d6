//! Points in time for people: local, and how far from now.
//!
//! Knows how times are written; decides nothing by them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::console::one_line;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What the time is, and where.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// The system's clock and time zone.
    pub(crate) fn read() -> Self {
        Self {
            now: crate::clock::now().wall,
            zone: TimeZone::system(),
        }
    }

    /// An RFC 3339 time as `14:02 (in 52m)`, with the date where that is not today's. What is no
    /// such time is shown as it is.
    pub(crate) fn tell(&self, time: &str) -> String {
        match time.parse() {
            Ok(time) => format!("{} ({})", self.local(time), self.distance(time)),
            Err(_) => one_line(time).into_owned(),
        }
    }

    /// The same without the distance, for a sentence that goes on.
    pub(super) fn point(&self, time: &str) -> String {
        match time.parse() {
            Ok(time) => self.local(time),
            Err(_) => one_line(time).into_owned(),
        }
    }

    /// Whether this RFC 3339 time is over; one that cannot be read is not.
    pub(super) fn is_past(&self, time: &str) -> bool {
        time.parse::<Timestamp>().is_ok_and(|time| time <= self.now)
    }

    fn local(&self, time: Timestamp) -> String {
        let local = time.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date();
        let format = match local.date() == today {
            true => "%H:%M",
            false => "%Y-%m-%d %H:%M",
        };
        local.strftime(format).to_string()
    }

    fn distance(&self, time: Timestamp) -> String {
        let seconds = time.as_second().saturating_sub(self.now.as_second());
        let span = span(seconds.unsigned_abs());
        match seconds {
            0 => "now".to_owned(),
            1.. => format!("in {span}"),
            _ => format!("{span} ago"),
        }
    }
}

/// The two largest units that say something; minutes are the smallest beside another.
fn span(seconds: u64) -> String {
    let (large, unit, small, smaller_unit) = match seconds {
        0..MINUTE => return format!("{seconds}s"),
        MINUTE..HOUR => return format!("{}m", seconds / MINUTE),
        HOUR..DAY => (seconds / HOUR, 'h', seconds % HOUR / MINUTE, 'm'),
        DAY.. => (seconds / DAY, 'd', seconds % DAY / HOUR, 'h'),
    };
    match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{smaller_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock {
            now: "2025-03-10T12:10:00Z".parse().unwrap(),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        }
    }

    #[test]
    fn times_are_local_and_relative() {
        let cases = [
            ("2025-03-10T12:10:00Z", "13:10 (now)"),
            ("2025-03-10T12:10:00.9Z", "13:10 (now)"),
            ("2025-03-10T12:10:42Z", "13:10 (in 42s)"),
            ("2025-03-10T13:02:59Z", "14:02 (in 52m)"),
            ("2025-03-10T13:10:00Z", "14:10 (in 1h)"),
            ("2025-03-10T14:15:00Z", "15:15 (in 2h 5m)"),
            ("2025-03-10T23:30:00Z", "2025-03-11 00:30 (in 11h 20m)"),
            ("2025-03-12T12:10:00Z", "2025-03-12 13:10 (in 2d)"),
            ("2025-03-09T11:10:00Z", "2025-03-09 12:10 (1d 1h ago)"),
            ("2025-03-10T12:08:00Z", "13:08 (2m ago)"),
            ("2025-03-10T14:02:00+01:00", "14:02 (in 52m)"),
            ("soon\x1b[2J", "soon\\u{1b}[2J"),
            ("", ""),
        ];
        for (time, expected) in cases {
            assert_eq!(clock().tell(time), expected, "{time}");
        }
    }

    #[test]
    fn a_point_is_told_without_its_distance() {
        let cases = [
            ("2025-03-10T13:02:59Z", "14:02"),
            ("2025-03-10T23:30:00Z", "2025-03-11 00:30"),
            ("soon\x1b[2J", "soon\\u{1b}[2J"),
        ];
        for (time, expected) in cases {
            assert_eq!(clock().point(time), expected, "{time}");
        }
        assert!(clock().is_past("2025-03-10T12:10:00Z"));
        assert!(!clock().is_past("2025-03-10T12:10:01Z"));
        assert!(!clock().is_past("soon"));
    }

    #[test]
    fn the_ends_of_time_are_told_too() {
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert!(clock().tell(&end.to_string()).contains("d "));
        }
    }
}
