//! What is logged of those who are turned away: a program that tries again and again must not fill
//! the system's log. Each of the first few in a while is logged, and how many more there were is
//! said when the next one is, or at the end: nothing wakes up to say so.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{self, Moment};

/// For how long what is logged is counted.
const WHILE: Duration = Duration::from_secs(60);

/// How many are logged in a while: enough to see who it is.
const LOGGED: u32 = 5;

/// Those who were turned away since the server began.
#[derive(Default)]
pub(super) struct Strangers(Mutex<Tally>);

impl Strangers {
    /// Has it known that this user's program was turned away.
    pub(super) fn turned_away(&self, user: u32) {
        let counted = self.lock(|tally| tally.count(clock::moment()));
        let Counted::Logged { before } = counted else {
            return;
        };
        say(before);
        log::warn!("user {user} was turned away from the control socket");
    }

    /// To be called at the end, when there will be no next one.
    pub(super) fn say_the_rest(&self) {
        say(self.lock(Tally::take_rest));
    }

    fn lock<T>(&self, use_it: impl FnOnce(&mut Tally) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn say(unsaid: u64) {
    if unsaid > 0 {
        log::warn!("{unsaid} more were turned away from the control socket");
    }
}

/// What becomes of one who was turned away.
#[derive(Debug, PartialEq, Eq)]
enum Counted {
    /// It is logged, and so are those who were not, before it.
    Logged { before: u64 },
    /// It is only counted.
    Silently,
}

/// How many were logged lately, and how many were not.
#[derive(Default)]
struct Tally {
    /// When the first one of this while came.
    began: Option<Moment>,
    logged: u32,
    unsaid: u64,
}

impl Tally {
    fn count(&mut self, now: Moment) -> Counted {
        let is_over = self.began.is_none_or(|began| now.since(began) >= WHILE);
        if is_over {
            self.began = Some(now);
            self.logged = 0;
        }
        if self.logged >= LOGGED {
            self.unsaid = self.unsaid.saturating_add(1);
            return Counted::Silently;
        }
        self.logged += 1;
        Counted::Logged {
            before: self.take_rest(),
        }
    }

    fn take_rest(&mut self) -> u64 {
        std::mem::take(&mut self.unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_millis(1_000);

    fn after(seconds: u64) -> Moment {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_few_are_logged_and_the_rest_is_a_number() {
        let mut tally = Tally::default();
        for _ in 0..LOGGED {
            assert_eq!(tally.count(START), Counted::Logged { before: 0 });
        }
        for _ in 0..1000 {
            assert_eq!(tally.count(after(59)), Counted::Silently);
        }
        assert_eq!(tally.count(after(60)), Counted::Logged { before: 1000 });
        assert_eq!(tally.count(after(60)), Counted::Logged { before: 0 });
        assert_eq!(tally.take_rest(), 0);
    }

    #[test]
    fn those_who_come_now_and_then_are_all_logged() {
        let mut tally = Tally::default();
        for hour in 0..1000 {
            let counted = tally.count(after(hour * 3600));
            assert_eq!(counted, Counted::Logged { before: 0 });
        }
    }

    #[test]
    fn a_flood_of_a_day_is_a_few_lines_a_minute() {
        let mut tally = Tally::default();
        let (mut lines, mut told) = (0_u64, 0);
        for second in 0..86_400 {
            for _ in 0..10 {
                if let Counted::Logged { before } = tally.count(after(second)) {
                    lines += 1 + u64::from(before > 0);
                    told += 1 + before;
                }
            }
        }
        assert_eq!(told + tally.take_rest(), 864_000, "none is forgotten");
        assert_eq!(lines, 1440 * u64::from(LOGGED + 1) - 1);
    }
}
