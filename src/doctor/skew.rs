//! This machine's clock, held against the dates that providers put on their answers.
//!
//! One wrong clock is somebody else's; where all are wrong, it is ours.

use super::finding::{Area, Finding};

/// From here on, logins and certificates can fail: some providers allow a minute.
const WRONG: u64 = 60;
/// From here on, somebody should know. Less is the network, and dates without fractions.
const ODD: u64 = 5;

/// Judges how many seconds each host's clock is ahead of ours.
pub(super) fn judge(clocks: &[(String, i64)]) -> Vec<Finding> {
    let Some((_, nearest)) = clocks.iter().min_by_key(|(_, ahead)| ahead.unsigned_abs()) else {
        return Vec::new();
    };
    let ours = ours(*nearest);
    let is_ours = nearest.unsigned_abs() > WRONG;
    let theirs = clocks
        .iter()
        .filter(|(_, ahead)| !is_ours && ahead.unsigned_abs() > WRONG);
    let theirs = theirs.map(|(host, ahead)| {
        let text = format!("the clock of {host} seems to be {}", apart(*ahead));
        Finding::note(Area::Clock, text)
            .advise("nothing to be done here: the other clocks agree with this machine's")
    });
    std::iter::once(ours).chain(theirs).collect()
}

fn ours(ahead: i64) -> Finding {
    let seconds = ahead.unsigned_abs();
    // Theirs is ahead where ours is behind.
    let distance = apart(ahead.saturating_neg());
    match seconds {
        0..=ODD => Finding::good(Area::Clock, "the clock agrees with the providers'"),
        _ if seconds <= WRONG => {
            Finding::note(Area::Clock, format!("the clock of this machine is {distance}"))
                .advise("have it set over the network (NTP), for example with 'timedatectl set-ntp true'")
        }
        _ => Finding::problem(
            Area::Clock,
            format!(
                "the clock of this machine is {distance}: certificates seem to have expired or not to be valid yet, and providers refuse logins as too old"
            ),
        )
        .advise("set it, and have it kept right over the network (NTP), for example with 'timedatectl set-ntp true'"),
    }
}

fn apart(ahead: i64) -> String {
    let seconds = ahead.unsigned_abs();
    let distance = match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    match ahead {
        0.. => format!("{distance} ahead"),
        _ => format!("{distance} behind"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::assert_one;
    use super::*;

    fn of(ahead: &[i64]) -> Vec<Finding> {
        let clocks = ahead.iter().enumerate();
        let clocks: Vec<_> = clocks.map(|(n, ahead)| (format!("h{n}"), *ahead)).collect();
        judge(&clocks)
    }

    #[test]
    fn clocks() {
        assert!(of(&[]).is_empty());
        assert_one(&of(&[5, -5]), Good, "agrees");
        assert_one(&of(&[-20]), Note, "20 seconds ahead");
        assert_one(&of(&[20, 30]), Note, "20 seconds behind");
        assert_one(&of(&[-61]), Problem, "61 seconds ahead");
        assert_one(&of(&[7200, 7300]), Problem, "2 hours behind");
        assert_one(&of(&[-400_000]), Problem, "4 days ahead");
        assert_one(&of(&[i64::MIN]), Problem, "days");
    }

    #[test]
    fn one_wrong_clock_is_not_ours() {
        let found = of(&[0, 4000]);
        assert_one(&found[..1], Good, "agrees");
        assert_one(
            &found[1..],
            Note,
            "the clock of h1 seems to be 66 minutes ahead",
        );
    }
}
