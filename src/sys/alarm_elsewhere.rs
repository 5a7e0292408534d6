//! A sleep on the clock of deadlines, where the system has no timer of that clock.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The longest sleep: poll's clock may stand still while the machine is asleep, so deadlines
/// are looked at now and then.
const LONGEST_SLEEP: i64 = 60_000;

/// As on Linux, but with a wake-up each minute while there is a deadline.
#[derive(Debug)]
pub struct Alarm {
    wake: UnixStream,
    woken: UnixStream,
}

impl Alarm {
    /// An alarm that nobody waits for yet.
    ///
    /// # Errors
    /// Where the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self { wake, woken })
    }

    /// Ends the sleep that is under way, or the next one.
    pub fn wake(&self) {
        let _ = (&self.wake).write(&[1]);
    }

    /// Sleeps until `deadline`, in milliseconds since boot, or for good; or until woken.
    ///
    /// # Errors
    /// Where the system cannot wait.
    pub fn sleep(&self, deadline: Option<i64>, now: i64) -> io::Result<()> {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => {
                let left = deadline - now;
                PollTimeout::try_from(left.clamp(0, LONGEST_SLEEP) + 1).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut ready = [PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 64];
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        Ok(())
    }
}
