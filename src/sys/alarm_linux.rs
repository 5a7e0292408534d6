//! A sleep on the clock of deadlines, with Linux's timers.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A wall-clock time that no machine lives to see, in seconds: year 2262.
const NEVER: i64 = 9_214_646_400;

/// Sleeps on the clock that goes on while the machine is asleep, so that what has become
/// overdue then is noticed as it wakes up; and until then nothing runs at all.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    /// Never rings, but is cancelled when the wall clock jumps, as it does when the machine
    /// wakes up.
    jump: TimerFd,
    wake: UnixStream,
    woken: UnixStream,
}

impl Alarm {
    /// An alarm that nobody waits for yet.
    ///
    /// # Errors
    /// Where the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        let jump = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
        watch_for_jumps(&jump)?;
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self {
            timer,
            jump,
            wake,
            woken,
        })
    }

    /// Ends the sleep that is under way, or the next one.
    pub fn wake(&self) {
        // Where the socket is full, a wake-up is on its way already.
        let _ = (&self.wake).write(&[1]);
    }

    /// Sleeps until `deadline`, in milliseconds since boot, or for good; or until woken; or
    /// until the machine wakes up.
    ///
    /// # Errors
    /// Where the timer cannot be set.
    pub fn sleep(&self, deadline: Option<i64>, _now: i64) -> io::Result<()> {
        match deadline {
            Some(milliseconds) => self.timer.set(
                Expiration::OneShot(TimeSpec::new(
                    milliseconds.max(1) / 1000,
                    // A zero time would switch the timer off.
                    (milliseconds.max(1) % 1000) * 1_000_000 + 1,
                )),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            )?,
            None => self.timer.unset()?,
        }
        let mut ready = [
            PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.woken.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.jump.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if ready[2].any().unwrap_or(false) {
            watch_for_jumps(&self.jump)?;
        }
        let mut bytes = [0; 64];
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        Ok(())
    }
}

fn watch_for_jumps(timer: &TimerFd) -> io::Result<()> {
    let never = Expiration::OneShot(TimeSpec::new(NEVER, 0));
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    // Setting it anew also takes the news of the last jump off it.
    match timer.set(never, flags) {
        Ok(()) | Err(Errno::ECANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
