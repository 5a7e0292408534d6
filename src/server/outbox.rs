//! Replies that do not fit into their client's socket: sent on one thread, as they are read.
//!
//! A client that never reads costs a descriptor and its reply until its time is over, and delays
//! nobody. Knows nothing of what the replies say.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::clock::{self, Moment};

/// How long a client may take to read its reply.
const TIME: Duration = Duration::from_secs(10);

/// How many replies may be on their way: as many as clients may be sending requests.
const REPLIES: usize = 256;

/// What all of them may take up together, unless there is only one.
const MEMORY: usize = 64 * 1024 * 1024;

/// Where replies are handed in.
pub(super) struct Outbox {
    sender: Sender<Item>,
    wake: UnixStream,
}

/// What is handed in.
enum Item {
    Parcel(Parcel),
    /// Says when nothing is on its way any more.
    Mark(Sender<()>),
}

/// A reply, or the rest of one, and where it goes.
struct Parcel {
    stream: UnixStream,
    /// Clients that asked for the same share them.
    bytes: Arc<Zeroizing<Vec<u8>>>,
    sent: usize,
    deadline: Moment,
}

/// The thread's end of an [`Outbox`].
pub(super) struct Delivery {
    receiver: Receiver<Item>,
    woken: UnixStream,
    /// In the order in which they came, so that the first one is the oldest.
    parcels: Vec<Parcel>,
    marks: Vec<Sender<()>>,
}

/// An outbox, and what works at its other end.
///
/// # Errors
/// Where the system has no descriptors left.
pub(super) fn outbox() -> io::Result<(Outbox, Delivery)> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let (sender, receiver) = channel();
    let delivery = Delivery {
        receiver,
        woken,
        parcels: Vec::new(),
        marks: Vec::new(),
    };
    Ok((Outbox { sender, wake }, delivery))
}

impl Outbox {
    /// Sends all of `bytes` to the client at the other end of `stream`, which must not block:
    /// what fits into its socket now, the rest as it reads.
    pub(super) fn send(&self, stream: UnixStream, bytes: Zeroizing<Vec<u8>>) {
        self.send_all(vec![stream], bytes);
    }

    /// Sends all of `bytes` to each of these clients.
    pub(super) fn send_all(&self, clients: Vec<UnixStream>, bytes: Zeroizing<Vec<u8>>) {
        let bytes = Arc::new(bytes);
        for stream in clients {
            let parcel = Parcel {
                stream,
                bytes: Arc::clone(&bytes),
                sent: 0,
                deadline: clock::moment() + TIME,
            };
            self.dispatch(parcel);
        }
    }

    fn dispatch(&self, mut parcel: Parcel) {
        if parcel.is_delivered() {
            return;
        }
        self.hand_in(Item::Parcel(parcel));
    }

    /// Waits until each reply that is on its way has been read, or its time is over.
    pub(super) fn finish(&self) {
        let (done, is_done) = channel();
        self.hand_in(Item::Mark(done));
        let _ = is_done.recv_timeout(TIME);
    }

    fn hand_in(&self, item: Item) {
        // The other end is there for as long as the process is.
        let _ = self.sender.send(item);
        // Where the socket is full, a wake-up is on its way already.
        let _ = (&self.wake).write(&[1]);
    }
}

impl Parcel {
    /// Sends what the client's socket has room for. Says whether that was all there is to do.
    fn is_delivered(&mut self) -> bool {
        loop {
            match self.stream.write(&self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A client that is gone is its own affair.
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
            if self.sent == self.bytes.len() {
                return true;
            }
        }
    }
}

impl Delivery {
    /// Works for as long as the process does.
    pub(super) fn run(mut self) -> io::Error {
        loop {
            if let Err(error) = self.wait() {
                return error;
            }
            let now = clock::moment();
            self.parcels
                .retain_mut(|parcel| !parcel.is_delivered() && parcel.deadline > now);
            self.hear();
            self.drop_the_oldest();
            if self.parcels.is_empty() {
                for done in self.marks.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let deadline = self.parcels.iter().map(|parcel| parcel.deadline).min();
        let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
            let left = deadline.since(clock::moment()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let writable = |parcel| PollFd::new(parcel, PollFlags::POLLOUT);
        let mut descriptors: Vec<PollFd<'_>> = self
            .parcels
            .iter()
            .map(|parcel| writable(parcel.stream.as_fd()))
            .chain([PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)])
            .collect();
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in what was handed in.
    fn hear(&mut self) {
        let mut bytes = [0; 64];
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count > 0) {}
        for item in self.receiver.try_iter() {
            match item {
                Item::Parcel(parcel) => self.parcels.push(parcel),
                Item::Mark(done) => self.marks.push(done),
            }
        }
    }

    /// Whoever has had the most time to read makes room for the others.
    fn drop_the_oldest(&mut self) {
        let (mut replies, mut memory) = (0, 0);
        let kept = self.parcels.iter().rev().take_while(|parcel| {
            replies += 1;
            memory += parcel.bytes.len() / Arc::strong_count(&parcel.bytes);
            replies == 1 || (replies <= REPLIES && memory <= MEMORY)
        });
        let surplus = self.parcels.len() - kept.count();
        self.parcels.drain(..surplus);
    }
}
