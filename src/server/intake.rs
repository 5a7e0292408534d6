//! Collects one bounded request from each of many strangers, on one thread, and hands each over
//! as soon as it is whole.
//!
//! Whoever connects and sends nothing, or a byte now and then, costs a descriptor and some bytes
//! until its time is over, and delays nobody: a request that is there already when its connection
//! is accepted is served before anybody else is looked at. Knows nothing of what the requests say.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::clock::{self, Moment};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// How often one client is read from before it is the others' turn.
const READS_IN_A_ROW: usize = 16;

/// How many connections are accepted before those that wait are looked at.
const ACCEPTS_IN_A_ROW: usize = 64;

/// What all requests that are not whole yet may take up together.
const MEMORY: usize = 64 * 1024 * 1024;

/// For how long no connection is accepted after the system had no room for one. Without a pause
/// the listener would be reported as ready again and again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where strangers come in.
pub(super) trait Door {
    /// What is accepted from.
    type Listener: AsFd;
    /// A connection, which must not block.
    type Stream: Read + Write + AsFd;
    /// How many connections with an unfinished request there may be. The oldest one has to go
    /// where there is one more.
    const CLIENTS: usize;
    /// How long a request may take to arrive.
    const TIME: Duration;

    /// Accepts a connection; `None` where it is not welcome.
    fn accept(&self, listener: &Self::Listener) -> io::Result<Option<Self::Stream>>;
    /// Whether `received`, of which the first `known` bytes were seen before, is a request.
    fn framing(&self, received: &[u8], known: usize) -> Framing;
    /// Serves a whole request. Must not block.
    fn serve(&self, stream: Self::Stream, request: Zeroizing<Vec<u8>>);
    /// Turns a client away. Must not block.
    fn refuse(&self, stream: Self::Stream, refusal: Refusal);
}

/// How far a request has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// More must come.
    NeedMore,
    /// It is whole.
    Whole,
    /// It will not become a request.
    Bad(String),
}

/// Why a client is turned away.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It took too long.
    TimedOut,
    /// There are too many others.
    Crowded,
    /// It sent something that is no request, for this reason.
    Bad(String),
}

/// Puts other listeners in the place of those that an [`Intake`] has.
pub(super) struct Handle<L> {
    sender: Sender<Vec<L>>,
    wake: UnixStream,
}

/// An [`Intake`]'s end of a [`Handle`].
pub(super) struct Replacements<L> {
    receiver: Receiver<Vec<L>>,
    woken: UnixStream,
}

/// The means of changing an intake's listeners while it works.
///
/// # Errors
/// Where the system has no descriptors left.
pub(super) fn replaceable<L>() -> io::Result<(Handle<L>, Replacements<L>)> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let (sender, receiver) = channel();
    Ok((Handle { sender, wake }, Replacements { receiver, woken }))
}

impl<L> Handle<L> {
    pub(super) fn replace(&self, listeners: Vec<L>) {
        // The intake ends only with the process.
        let _ = self.sender.send(listeners);
        let _ = (&self.wake).write(&[1]);
    }
}

impl<L> Replacements<L> {
    /// The latest listeners, where there are any.
    fn take(&self) -> Option<Vec<L>> {
        let mut bytes = [0; 64];
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count > 0) {}
        self.receiver.try_iter().last()
    }
}

/// One thread's worth of doors.
pub(super) struct Intake<D: Door> {
    door: D,
    listeners: Vec<D::Listener>,
    replacements: Option<Replacements<D::Listener>>,
    parked: Vec<Client<D::Stream>>,
    /// What the parked clients have sent so far, in bytes.
    held: usize,
    /// A descriptor to give up where there is none left, so that a connection can still be
    /// accepted and its client be served or turned away.
    spare: Option<File>,
    /// Until when nothing is accepted.
    paused: Option<Moment>,
}

struct Client<S> {
    stream: S,
    received: Zeroizing<Vec<u8>>,
    deadline: Moment,
}

/// What has become ready.
struct Ready {
    listeners: Vec<usize>,
    /// In descending order, so that each can be taken out without moving those to come.
    parked: Vec<usize>,
    woken: bool,
}

impl<D: Door> Intake<D> {
    pub(super) fn new(
        door: D,
        listeners: Vec<D::Listener>,
        replacements: Option<Replacements<D::Listener>>,
    ) -> Self {
        Self {
            door,
            listeners,
            replacements,
            parked: Vec::new(),
            held: 0,
            spare: spare(),
            paused: None,
        }
    }

    /// Works for as long as the process does.
    pub(super) fn run(mut self) -> io::Error {
        loop {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            if ready.woken
                && let Some(listeners) = self.replacements.as_ref().and_then(Replacements::take)
            {
                self.listeners = listeners;
                continue;
            }
            for index in ready.parked {
                let client = self.unpark(index);
                self.attend(client);
            }
            for index in ready.listeners {
                self.accept(index);
            }
            self.turn_out_the_late();
        }
    }

    fn wait(&mut self) -> io::Result<Ready> {
        let now = clock::moment();
        self.paused = self.paused.filter(|until| *until > now);
        let listening = if self.paused.is_some() {
            0
        } else {
            self.listeners.len()
        };
        let deadline = self
            .parked
            .iter()
            .map(|client| client.deadline)
            .chain(self.paused)
            .min();
        let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
            // Rounded up, so as not to wake up a moment too early.
            PollTimeout::try_from(deadline.since(now) + Duration::from_millis(1))
                .unwrap_or(PollTimeout::MAX)
        });
        let clients = self.parked.iter().map(|client| client.stream.as_fd());
        let listeners = self.listeners[..listening].iter().map(AsFd::as_fd);
        let woken = self
            .replacements
            .iter()
            .map(|replacements| replacements.woken.as_fd());
        let mut descriptors: Vec<PollFd<'_>> = clients
            .chain(listeners)
            .chain(woken)
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |descriptor: &PollFd<'_>| descriptor.any().unwrap_or(false);
        let (clients, others) = descriptors.split_at(self.parked.len());
        let (listeners, woken) = others.split_at(listening);
        Ok(Ready {
            parked: (0..clients.len())
                .rev()
                .filter(|index| ready(&clients[*index]))
                .collect(),
            listeners: (0..listening)
                .filter(|index| ready(&listeners[*index]))
                .collect(),
            woken: woken.iter().any(ready),
        })
    }

    fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS_IN_A_ROW {
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            match self.door.accept(listener) {
                Ok(Some(stream)) => self.welcome(stream),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => {}
                Err(error) => return self.accept_without_room(index, &error),
            }
        }
    }

    fn welcome(&mut self, stream: D::Stream) {
        let client = Client {
            stream,
            received: Zeroizing::new(Vec::new()),
            deadline: clock::moment() + D::TIME,
        };
        self.attend(client);
    }

    /// Accepts one connection with the spare descriptor; whoever cannot be served at once has to
    /// share what there is with those that wait already.
    fn accept_without_room(&mut self, index: usize, error: &io::Error) {
        log::debug!("no room for another connection: {error}");
        self.spare = None;
        let accepted = self
            .listeners
            .get(index)
            .map(|listener| self.door.accept(listener));
        match accepted {
            Some(Ok(Some(stream))) => {
                self.turn_out_the_oldest();
                self.welcome(stream);
            }
            Some(Ok(None)) | None => {}
            Some(Err(_)) => {
                self.turn_out_the_oldest();
                self.paused = Some(clock::moment() + PAUSE);
            }
        }
        self.spare = spare();
        if self.spare.is_none() {
            self.paused = Some(clock::moment() + PAUSE);
        }
    }

    /// Reads what a client has sent, and serves, parks or drops it.
    fn attend(&mut self, mut client: Client<D::Stream>) {
        for _ in 0..READS_IN_A_ROW {
            let known = client.received.len();
            match client.read() {
                Ok(0) => return,
                Ok(_) => match self.door.framing(&client.received, known) {
                    Framing::NeedMore => {}
                    Framing::Whole => return self.door.serve(client.stream, client.received),
                    Framing::Bad(reason) => {
                        return self.door.refuse(client.stream, Refusal::Bad(reason));
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        self.park(client);
    }

    fn park(&mut self, client: Client<D::Stream>) {
        if self.held + client.received.len() > MEMORY {
            return self.door.refuse(client.stream, Refusal::Crowded);
        }
        if self.parked.len() >= D::CLIENTS {
            self.turn_out_the_oldest();
        }
        self.held += client.received.len();
        self.parked.push(client);
    }

    fn unpark(&mut self, index: usize) -> Client<D::Stream> {
        let client = self.parked.swap_remove(index);
        self.held -= client.received.len();
        client
    }

    fn turn_out_the_oldest(&mut self) {
        let oldest = (0..self.parked.len()).min_by_key(|index| self.parked[*index].deadline);
        if let Some(oldest) = oldest {
            let client = self.unpark(oldest);
            self.door.refuse(client.stream, Refusal::Crowded);
        }
    }

    fn turn_out_the_late(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let now = clock::moment();
        for index in (0..self.parked.len()).rev() {
            if self.parked[index].deadline <= now {
                let client = self.unpark(index);
                self.door.refuse(client.stream, Refusal::TimedOut);
            }
        }
    }
}

impl<S: Read> Client<S> {
    fn read(&mut self) -> io::Result<usize> {
        let known = self.received.len();
        self.received.resize(known + CHUNK, 0);
        let result = self.stream.read(&mut self.received[known..]);
        self.received
            .truncate(known + result.as_ref().map_or(0, |count| *count));
        result
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Errors of one connection, which say nothing of the next one (accept(2)).
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
