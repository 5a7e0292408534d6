//! Waiting for any of many descriptors, at a cost that does not grow with those that are silent.

pub use imp::Watch;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That there is something to read, or that the other end has gone.
    Readable,
    /// Only that the other end has gone.
    Gone,
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

    use super::Interest;

    /// How many descriptors are reported at once; the others are at the next turn.
    const EVENTS: usize = 64;

    /// The descriptors that are waited for.
    #[derive(Debug)]
    pub struct Watch(Epoll);

    impl Watch {
        /// A watch over nothing yet.
        ///
        /// # Errors
        /// Where the system has no descriptors left.
        pub fn new() -> io::Result<Self> {
            Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
        }

        /// Waits for this descriptor too, until it is removed or closed.
        ///
        /// # Errors
        /// Where the system has no room for it.
        pub fn add(&mut self, descriptor: impl AsFd, interest: Interest) -> io::Result<()> {
            let flags = match interest {
                Interest::Readable => EpollFlags::EPOLLIN,
                Interest::Gone => EpollFlags::empty(),
            };
            let number = u64::try_from(descriptor.as_fd().as_raw_fd()).map_err(io::Error::other)?;
            Ok(self.0.add(descriptor, EpollEvent::new(flags, number))?)
        }

        /// Waits for it no more.
        pub fn remove(&mut self, descriptor: impl AsFd) {
            // Fails only where it was not there.
            let _ = self.0.delete(descriptor);
        }

        /// The descriptors that are ready, once there are any or the time is over.
        ///
        /// # Errors
        /// Where the system cannot wait.
        pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<RawFd>> {
            let timeout = timeout.map_or(EpollTimeout::NONE, |timeout| {
                EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::MAX)
            });
            let mut events = [EpollEvent::empty(); EVENTS];
            let count = match self.0.wait(&mut events, timeout) {
                Err(Errno::EINTR) => 0,
                result => result?,
            };
            let numbers = events[..count].iter().map(EpollEvent::data);
            Ok(numbers
                .filter_map(|number| RawFd::try_from(number).ok())
                .collect())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::Interest;

    /// The descriptors that are waited for.
    #[derive(Debug)]
    pub struct Watch(Vec<(RawFd, PollFlags)>);

    impl Watch {
        /// A watch over nothing yet.
        ///
        /// # Errors
        /// None on this system.
        pub fn new() -> io::Result<Self> {
            Ok(Self(Vec::new()))
        }

        /// Waits for this descriptor too, until it is removed. It must be before it is closed.
        ///
        /// # Errors
        /// None on this system.
        pub fn add(&mut self, descriptor: impl AsFd, interest: Interest) -> io::Result<()> {
            let flags = match interest {
                Interest::Readable => PollFlags::POLLIN,
                Interest::Gone => PollFlags::empty(),
            };
            self.0.push((descriptor.as_fd().as_raw_fd(), flags));
            Ok(())
        }

        /// Waits for it no more.
        pub fn remove(&mut self, descriptor: impl AsFd) {
            let number = descriptor.as_fd().as_raw_fd();
            self.0.retain(|(other, _)| *other != number);
        }

        /// The descriptors that are ready, once there are any or the time is over.
        ///
        /// # Errors
        /// Where the system cannot wait.
        #[expect(
            unsafe_code,
            reason = "the descriptors are remembered by their numbers"
        )]
        pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<RawFd>> {
            let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
                PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
            });
            // SAFETY: they are removed before they are closed, and poll only reports closed ones.
            let borrow = |number| unsafe { BorrowedFd::borrow_raw(number) };
            let watched = self.0.iter();
            let mut watched: Vec<PollFd<'_>> = watched
                .map(|(number, flags)| PollFd::new(borrow(*number), *flags))
                .collect();
            match poll(&mut watched, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready = self.0.iter().zip(&watched).filter(|(_, descriptor)| {
                let events = descriptor.revents();
                events.is_some_and(|events| !events.is_empty())
            });
            Ok(ready.map(|((number, _), _)| *number).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    const SOON: Option<Duration> = Some(Duration::from_secs(10));
    const NOW: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn whoever_speaks_is_heard_and_whoever_only_waits_is_noticed_when_gone() {
        let mut watch = Watch::new().unwrap();
        let (mut speaker, heard) = UnixStream::pair().unwrap();
        let (mut waiter, awaited) = UnixStream::pair().unwrap();
        watch.add(&heard, Interest::Readable).unwrap();
        watch.add(&awaited, Interest::Gone).unwrap();
        assert!(watch.wait(NOW).unwrap().is_empty());

        speaker.write_all(b"a").unwrap();
        waiter.write_all(b"a").unwrap();
        assert_eq!(watch.wait(SOON).unwrap(), [heard.as_raw_fd()]);

        watch.remove(&heard);
        assert!(watch.wait(NOW).unwrap().is_empty());
        drop(waiter);
        assert_eq!(watch.wait(SOON).unwrap(), [awaited.as_raw_fd()]);
    }

    #[test]
    fn all_are_reported_however_many_there_are() {
        let mut watch = Watch::new().unwrap();
        let pairs: Vec<_> = (0..150).map(|_| UnixStream::pair().unwrap()).collect();
        for (speaker, heard) in &pairs {
            watch.add(heard, Interest::Readable).unwrap();
            (&*speaker).write_all(b"a").unwrap();
        }
        let mut left = pairs.len();
        while left > 0 {
            let ready = watch.wait(SOON).unwrap();
            assert!(!ready.is_empty());
            for number in ready {
                let pair = pairs.iter().find(|(_, heard)| heard.as_raw_fd() == number);
                watch.remove(&pair.unwrap().1);
                left -= 1;
            }
        }
    }
}
