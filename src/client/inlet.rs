//! Where a secret line comes from: a terminal that is hidden meanwhile, or a pipe; and waiting for
//! it together with whatever else may arrive.
//!
//! Knows descriptors; knows nothing of what is read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use zeroize::Zeroizing;

use super::line::{Key, Line};
use super::terminal::{Hidden, Signals, can_be_typed_into};

/// How much is read from a terminal at a time: as much as it may hold.
const CHUNK: usize = 4096;

/// What something has arrived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The terminal or pipe.
    Input,
    /// A signal that ends the program.
    Signal,
    /// The server, about a login's end.
    Awaiting,
    /// The server, about what was entered.
    Completing,
}

/// Where a line comes from, and the line.
pub(super) struct Inlet<'a> {
    input: BorrowedFd<'a>,
    /// Dropped in this order: the terminal is right again before signals may end the program.
    hidden: Option<Hidden<'a>>,
    signals: Option<Signals>,
    open: bool,
    pub(super) line: Line,
}

impl<'a> Inlet<'a> {
    /// Hides what is typed from now on, where `input` is a terminal.
    ///
    /// # Errors
    /// Where that cannot be.
    pub(super) fn open(input: BorrowedFd<'a>) -> io::Result<Self> {
        let mut inlet = Self {
            input,
            hidden: None,
            signals: None,
            open: true,
            line: Line::new(),
        };
        if can_be_typed_into(input) {
            inlet.signals = Signals::hold()?;
            inlet.hidden = Some(Hidden::start(input)?);
        }
        Ok(inlet)
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.hidden.is_some() && self.open
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// What to wait for. While an entered line is `busy`, the rest of a pipe has time.
    pub(super) fn sources(&self, busy: bool) -> Vec<(Source, BorrowedFd<'_>)> {
        let mut sources = Vec::new();
        if self.open && (self.is_terminal() || !busy) {
            sources.push((Source::Input, self.input));
        }
        let signals = self.signals.as_ref();
        sources.extend(signals.map(|signals| (Source::Signal, signals.as_fd())));
        sources
    }

    /// What has arrived; nothing at the end. A pipe is read no further than to the end of a line.
    pub(super) fn read(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let length = if self.is_terminal() { CHUNK } else { 1 };
        let mut bytes = Zeroizing::new(vec![0; length]);
        let count = loop {
            match nix::unistd::read(self.input, &mut bytes) {
                Err(Errno::EINTR) => {}
                // The other end of a terminal is gone.
                Err(Errno::EIO) => break 0,
                result => break result?,
            }
        };
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Puts a byte into the line.
    pub(super) fn take(&mut self, byte: u8) -> Key {
        if self.is_terminal() {
            return self.line.key(byte);
        }
        match byte {
            // Blank lines before the one that says something.
            b'\n' if self.line.is_blank() => Key::Edit,
            b'\n' => Key::Enter,
            byte => {
                self.line.push(byte);
                Key::Edit
            }
        }
    }

    pub(super) fn suspend(&self) -> io::Result<()> {
        self.hidden.as_ref().map_or(Ok(()), Hidden::suspend)
    }

    /// The signal that has arrived.
    pub(super) fn signal(&mut self) -> Signal {
        let signal = self.signals.as_mut().and_then(Signals::read);
        signal.unwrap_or(Signal::SIGTERM)
    }
}

/// Waits until something arrives, for `limit` at most; says where, which is nowhere after that.
pub(super) fn ready(
    sources: &[(Source, BorrowedFd<'_>)],
    limit: Option<Duration>,
) -> io::Result<Vec<Source>> {
    let timeout = limit.map_or(PollTimeout::NONE, |limit| {
        // Rounded up, so that nothing is done over and over while a millisecond passes.
        let limit = limit + Duration::from_millis(1);
        PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX)
    });
    let mut polled: Vec<PollFd<'_>> = sources
        .iter()
        .map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    loop {
        match poll(&mut polled, timeout) {
            Err(Errno::EINTR) => {}
            result => {
                result?;
                break;
            }
        }
    }
    let arrived = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let both = sources.iter().zip(&polled);
    Ok(both
        .filter(|(_, fd)| arrived(fd))
        .map(|((source, _), _)| *source)
        .collect())
}
