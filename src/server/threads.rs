//! Threads that are there for as long as the server is.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Has a thread do `work`. Where that panics, which is a mistake in this program, `or_else` sees to
/// it that nobody waits for the thread for ever.
///
/// # Errors
/// Where the system has no room for another thread.
pub(super) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
    or_else: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            or_else();
        }
    };
    let thread = thread::Builder::new().name(name.into());
    thread.spawn(guarded).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// What was done in the place of `work`, and at its end.
    fn outcome(work: impl FnOnce() + Send + 'static) -> Vec<&'static str> {
        let (done, is_done) = channel();
        let failed = done.clone();
        let work = move || {
            work();
            done.send("done").unwrap();
        };
        spawn("tested", work, move || failed.send("failed").unwrap()).unwrap();
        let mut outcome = Vec::new();
        while let Ok(step) = is_done.recv_timeout(Duration::from_secs(10)) {
            outcome.push(step);
        }
        outcome
    }

    #[test]
    fn a_panic_does_not_go_unnoticed() {
        assert_eq!(outcome(|| {}), ["done"]);
        assert_eq!(outcome(|| panic!("as a test")), ["failed"]);
    }
}
