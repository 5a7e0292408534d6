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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// How long to wait for an intake to put other listeners in use: it never blocks.
const REPLACEMENT: Duration = Duration::from_secs(2);

/// Where strangers come in.
pub(super) trait Door {
    /// What a client can wait for.
    type Wait;
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
    /// Serves a whole request, or says what it has to wait for. Must not block.
    fn serve(
        &self,
        stream: Self::Stream,
        request: Zeroizing<Vec<u8>>,
    ) -> Served<Self::Stream, Self::Wait>;
    /// Serves a client that waited, something having changed; gives it back where it has to wait
    /// on. It must be served now where its time is `over`. Must not block.
    fn resume(
        &self,
        client: Waiting<Self::Stream, Self::Wait>,
        over: bool,
    ) -> Served<Self::Stream, Self::Wait>;
    /// Turns a client away. Must not block.
    fn refuse(&self, stream: Self::Stream, refusal: Refusal);
}

/// What serving a request comes to.
pub(super) enum Served<S, W> {
    /// The client has its answer, or will be given it by somebody else.
    Done,
    /// The client waits.
    Waits(Waiting<S, W>),
}

/// A client that waits for something to change.
pub(super) struct Waiting<S, W> {
    pub(super) stream: S,
    pub(super) wait: W,
    /// When its time is over.
    pub(super) until: Moment,
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

/// Wakes an [`Intake`] up.
pub(super) struct Bell {
    wake: UnixStream,
    /// Whether a client waits for a change.
    wanted: AtomicBool,
}

/// Puts other listeners in the place of those that an [`Intake`] has.
pub(super) struct Handle<L> {
    sender: Sender<Replacement<L>>,
    bell: Arc<Bell>,
}

/// Other listeners. Its other end is dropped when the ones before it are closed.
struct Replacement<L> {
    listeners: Vec<L>,
    _in_use: Sender<()>,
}

/// What an [`Intake`] is told from outside.
pub(super) struct News<L> {
    receiver: Receiver<Replacement<L>>,
    bell: Arc<Bell>,
    rung: UnixStream,
}

/// The means of telling an intake something while it works.
///
/// # Errors
/// Where the system has no descriptors left.
pub(super) fn news<L>() -> io::Result<(Handle<L>, News<L>)> {
    let (wake, rung) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    rung.set_nonblocking(true)?;
    let bell = Arc::new(Bell {
        wake,
        wanted: AtomicBool::new(false),
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
    pub(super) fn changed(&self) {
        if self.wanted.swap(false, Ordering::AcqRel) {
            self.ring();
        }
    }

    fn ring(&self) {
        // Where the socket is full, it has not heard yet that it was rung for before.
        let _ = (&self.wake).write(&[1]);
    }
}

impl<L> Handle<L> {
    /// Comes back when the listeners before these are closed, so that somebody else can have
    /// their addresses.
    pub(super) fn replace(&self, listeners: Vec<L>) {
        let (in_use, put_in_use) = channel();
        // An intake that has ended has closed them, too.
        let _ = self.sender.send(Replacement {
            listeners,
            _in_use: in_use,
        });
        self.bell.ring();
        let _ = put_in_use.recv_timeout(REPLACEMENT);
    }

    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

impl<L> News<L> {
    /// Hears the bell, and takes the latest listeners where there are any.
    fn take(&self) -> Option<Replacement<L>> {
        let mut bytes = [0; 64];
        while matches!((&self.rung).read(&mut bytes), Ok(count) if count > 0) {}
        self.receiver.try_iter().last()
    }
}

/// One thread's worth of doors.
pub(super) struct Intake<D: Door> {
    door: D,
    listeners: Vec<D::Listener>,
    news: News<D::Listener>,
    parked: Vec<Client<D::Stream>>,
    waiting: Vec<Waiting<D::Stream, D::Wait>>,
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
    /// Clients that wait no more since they have gone away; in descending order too.
    gone: Vec<usize>,
    rung: bool,
}

impl<D: Door> Intake<D> {
    pub(super) fn new(door: D, listeners: Vec<D::Listener>, news: News<D::Listener>) -> Self {
        Self {
            door,
            listeners,
            news,
            parked: Vec::new(),
            waiting: Vec::new(),
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
            for index in ready.parked {
                let client = self.unpark(index);
                self.attend(client);
            }
            for index in ready.gone {
                self.waiting.swap_remove(index);
            }
            for index in ready.listeners {
                self.accept(index);
            }
            if ready.rung {
                self.hear();
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
        // Nothing more is read from a client that waits; only its going away is noticed.
        let waiting = self
            .waiting
            .iter()
            .map(|client| (client.stream.as_fd(), PollFlags::empty()));
        let parked = self
            .parked
            .iter()
            .map(|client| (client.stream.as_fd(), PollFlags::POLLIN));
        let listeners = self.listeners[..listening].iter();
        let listeners = listeners.map(|listener| (listener.as_fd(), PollFlags::POLLIN));
        let rung = [(self.news.rung.as_fd(), PollFlags::POLLIN)];
        let mut descriptors: Vec<PollFd<'_>> = parked
            .chain(waiting)
            .chain(listeners)
            .chain(rung)
            .map(|(descriptor, events)| PollFd::new(descriptor, events))
            .collect();
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        // `any` would ask only for what was waited for, and nobody waits for a client's going.
        let is_ready = |descriptor: &PollFd<'_>| {
            descriptor
                .revents()
                .is_some_and(|events| !events.is_empty())
        };
        let ready = |from: usize, count: usize| {
            let these = descriptors[from..from + count].iter().enumerate();
            let these = these.filter(|(_, descriptor)| is_ready(descriptor));
            these.map(|(index, _)| index).rev().collect::<Vec<usize>>()
        };
        let (parked, waiting) = (self.parked.len(), self.waiting.len());
        Ok(Ready {
            parked: ready(0, parked),
            gone: ready(parked, waiting),
            listeners: ready(parked + waiting, listening),
            rung: descriptors.last().is_some_and(is_ready),
        })
    }

    /// Takes in what has happened elsewhere.
    fn hear(&mut self) {
        if let Some(replacement) = self.news.take() {
            self.listeners = replacement.listeners;
        }
        if self.waiting.is_empty() {
            return;
        }
        // Before looking, so that what changes meanwhile rings again.
        self.news.bell.wanted.store(true, Ordering::Release);
        for client in std::mem::take(&mut self.waiting) {
            let served = self.door.resume(client, false);
            self.keep(served);
        }
    }

    fn keep(&mut self, served: Served<D::Stream, D::Wait>) {
        if let Served::Waits(client) = served {
            self.waiting.push(client);
        }
    }

    /// Keeps a client that has just begun to wait, unless there are too many already.
    fn begin_to_wait(&mut self, served: Served<D::Stream, D::Wait>) {
        let Served::Waits(client) = served else {
            return;
        };
        let over = self.waiting.len() >= D::CLIENTS;
        // What it waits for may have come about since it was looked for, without a ring.
        self.news.bell.wanted.store(true, Ordering::Release);
        let served = self.door.resume(client, over);
        self.keep(served);
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
                    Framing::Whole => {
                        let served = self.door.serve(client.stream, client.received);
                        return self.begin_to_wait(served);
                    }
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
        if self.parked.is_empty() && self.waiting.is_empty() {
            return;
        }
        let now = clock::moment();
        for index in (0..self.parked.len()).rev() {
            if self.parked[index].deadline <= now {
                let client = self.unpark(index);
                self.door.refuse(client.stream, Refusal::TimedOut);
            }
        }
        for index in (0..self.waiting.len()).rev() {
            if self.waiting[index].until <= now {
                let client = self.waiting.swap_remove(index);
                let served = self.door.resume(client, true);
                self.keep(served);
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
