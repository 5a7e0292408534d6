//! How an intake is told something while it waits for strangers.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long to wait for an intake to do as it was told: it never blocks, but the machine may be
/// busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wakes an [`super::Intake`] up.
pub(in crate::server) struct Bell {
    wake: UnixStream,
    /// Whether a client waits for a change.
    wanted: AtomicBool,
    /// Whether it has been rung and not heard yet: more would not be heard sooner.
    ringing: AtomicBool,
}

/// Puts other listeners in the place of those that an [`super::Intake`] has.
pub(in crate::server) struct Handle<L> {
    sender: Sender<Told<L>>,
    bell: Arc<Bell>,
}

/// What an [`super::Intake`] is told.
pub(super) enum Told<L> {
    /// Listen here from now on, and say when that is so.
    Listeners(Vec<L>, Sender<()>),
    /// Serve nobody until told otherwise, and say when that is so.
    Pause(Sender<()>),
    /// Go on.
    Resume,
    /// Let go of all listeners and of everybody who is there, and say when that is so.
    Close(Sender<()>),
}

/// Where an [`super::Intake`] is told something from outside.
pub(in crate::server) struct News<L> {
    receiver: Receiver<Told<L>>,
    bell: Arc<Bell>,
    rung: UnixStream,
}

/// The means of telling an intake something while it works.
///
/// # Errors
/// Where the system has no descriptors left.
pub(in crate::server) fn news<L>() -> io::Result<(Handle<L>, News<L>)> {
    let (wake, rung) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    rung.set_nonblocking(true)?;
    let bell = Arc::new(Bell {
        wake,
        wanted: AtomicBool::new(false),
        ringing: AtomicBool::new(false),
    });
    let (sender, receiver) = channel();
    let handle = Handle {
        sender,
        bell: Arc::clone(&bell),
    };
    Ok((
        handle,
        News {
            receiver,
            bell,
            rung,
        },
    ))
}

impl Bell {
    /// To be called when something may have changed that a client waits for. Costs next to
    /// nothing where none does.
    pub(in crate::server) fn changed(&self) {
        if self.wanted.swap(false, Ordering::AcqRel) {
            self.ring();
        }
    }

    fn ring(&self) {
        if !self.ringing.swap(true, Ordering::AcqRel) {
            // It has room: all that was written before has been heard.
            let _ = (&self.wake).write(&[1]);
        }
    }
}

impl<L> Handle<L> {
    /// Comes back when the listeners before these are closed.
    pub(in crate::server) fn replace(&self, listeners: Vec<L>) {
        self.tell_and_wait(|done| Told::Listeners(listeners, done));
    }

    /// Comes back when nobody is served any more, and says whether that is so. Whoever connects
    /// has to wait.
    #[must_use]
    pub(in crate::server) fn pause(&self) -> bool {
        self.tell_and_wait(Told::Pause)
    }

    /// Comes back when all connections and listeners are closed. Whoever was there can ask again,
    /// where somebody else listens.
    pub(in crate::server) fn close(&self) {
        self.tell_and_wait(Told::Close);
    }

    fn tell_and_wait(&self, told: impl FnOnce(Sender<()>) -> Told<L>) -> bool {
        let (done, is_done) = channel();
        self.tell(told(done));
        is_done.recv_timeout(PATIENCE).is_ok()
    }

    pub(in crate::server) fn resume(&self) {
        self.tell(Told::Resume);
    }

    fn tell(&self, told: Told<L>) {
        // The intake ends only with the process.
        let _ = self.sender.send(told);
        self.bell.ring();
    }

    pub(in crate::server) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

impl<L> News<L> {
    /// Asks for the bell to be rung at the next change. To be called before looking for it, so
    /// that what changes meanwhile rings, too.
    pub(super) fn want_changes(&self) {
        self.bell.wanted.store(true, Ordering::Release);
    }

    /// Hears the bell, and takes what was said.
    pub(super) fn take(&self) -> Vec<Told<L>> {
        let mut bytes = [0; 64];
        while matches!((&self.rung).read(&mut bytes), Ok(count) if count > 0) {}
        // After the last read, or nothing would be left to hear of a ring in between; and before
        // anything is looked at, so that whoever does not ring from here on has been seen.
        self.bell.ringing.swap(false, Ordering::AcqRel);
        self.receiver.try_iter().collect()
    }
}

impl<L> AsFd for News<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rung.as_fd()
    }
}
