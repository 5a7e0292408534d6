//! The Retry-After header: seconds, or a date in one of the three forms that RFC 9110 section
//! 5.6.7 has for it.
//!
//! Knows nothing of what is to be tried again.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// The longest time that a provider can make us wait: as long as our own retries back off to. A
/// slip of theirs must not silence an account for a week.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// A date with two digits for the year is never further ahead than this (RFC 9110 section 5.6.7).
const MAX_YEARS_AHEAD: i16 = 50;

/// How long to wait from `now`; `None` where `header` says nothing that can be read.
pub(super) fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    let wait = seconds(header).or_else(|| until(http_date(header, now)?, now))?;
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The time in a Date header (RFC 9110 section 6.6.1), where it can be read; `now` is for years with
/// two digits.
#[must_use]
pub fn date(header: &str, now: Timestamp) -> Option<Timestamp> {
    TimeZone::UTC
        .to_timestamp(http_date(header.trim(), now)?)
        .ok()
}

/// How long to wait, where `header` says it in seconds.
pub(super) fn seconds(header: &str) -> Option<Duration> {
    if header.is_empty() || !header.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits alone fail to parse only where there are too many of them.
    Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)))
}

fn until(date: DateTime, now: Timestamp) -> Option<Duration> {
    let date = TimeZone::UTC.to_timestamp(date).ok()?;
    let wait: SignedDuration = date.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

/// A date as HTTP writes it, in UTC. The name of the day is not looked at: it adds nothing, and
/// some servers get it wrong.
fn http_date(header: &str, now: Timestamp) -> Option<DateTime> {
    let Some((_day, date)) = header.split_once(',') else {
        let (_day, date) = header.split_once(' ')?;
        return DateTime::strptime("%b %e %H:%M:%S %Y", date.trim()).ok();
    };
    let date = date.trim();
    DateTime::strptime("%d %b %Y %H:%M:%S GMT", date)
        .ok()
        .or_else(|| rfc_850_date(date, now))
}

/// `06-Nov-94 08:49:37 GMT`: the century is the one that puts it nearest ahead, or in the past.
fn rfc_850_date(date: &str, now: Timestamp) -> Option<DateTime> {
    let date = DateTime::strptime("%d-%b-%y %H:%M:%S GMT", date).ok()?;
    let this_year = TimeZone::UTC.to_datetime(now).year();
    let digits = date.year().rem_euclid(100);
    let year = this_year - this_year.rem_euclid(100) + digits;
    let year = if year > this_year + MAX_YEARS_AHEAD {
        year - 100
    } else {
        year
    };
    date.with().year(year).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 6 November 1994, 08:49:37 UTC: the RFC's own example.
    const EXAMPLE: i64 = 784_111_777;

    fn at(seconds: i64, header: &str) -> Option<u64> {
        let now = Timestamp::from_second(seconds).unwrap();
        parse(header, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_read_and_limited() {
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 5\t", Some(5)),
            ("3600", Some(3600)),
            ("3601", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1e3", None),
            ("", None),
            (" ", None),
            ("soon", None),
            ("٣", None),
        ];
        for (header, wait) in cases {
            assert_eq!(at(EXAMPLE, header), wait, "{header:?}");
        }
    }

    #[test]
    fn dates_are_read_in_their_three_forms() {
        for header in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(at(EXAMPLE, header), Some(0), "{header}");
            assert_eq!(at(EXAMPLE - 90, header), Some(90), "{header}");
            assert_eq!(at(EXAMPLE + 90, header), Some(0), "{header}");
            assert_eq!(at(EXAMPLE - 86_400, header), Some(3600), "{header}");
        }
        assert_eq!(
            at(EXAMPLE + 86_400 * 4 - 1, "Thu Nov 10 08:49:37 1994"),
            Some(1)
        );
    }

    #[test]
    fn a_date_header_is_a_time() {
        let now = Timestamp::from_second(EXAMPLE).unwrap();
        let of = |header| date(header, now).map(Timestamp::as_second);
        assert_eq!(of(" Sun, 06 Nov 1994 08:49:37 GMT"), Some(EXAMPLE));
        assert_eq!(of("120"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn two_digits_for_the_year_are_near() {
        let year_2026 = 1_772_323_200; // 1 March 2026
        let cases = [
            ("Sunday, 01-Mar-26 00:01:00 GMT", Some(60)),
            ("Sunday, 01-Mar-76 00:00:00 GMT", Some(3600)), // 2076
            ("Sunday, 01-Mar-77 00:00:00 GMT", Some(0)),    // 1977
            ("Sunday, 01-Mar-94 00:00:00 GMT", Some(0)),
            ("Sunday, 01-Mar-25 00:00:00 GMT", Some(0)),
        ];
        for (header, wait) in cases {
            assert_eq!(at(year_2026, header), wait, "{header}");
        }
    }

    #[test]
    fn what_is_no_date_is_ignored() {
        for header in [
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sunday, 29-Feb-95 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun, ",
            ", , ,",
            "Sun \u{0}",
            "Sun Nov",
        ] {
            assert_eq!(at(EXAMPLE, header), None, "{header}");
        }
    }
}
