//! Collects one bounded request from each of many strangers, on one thread, and hands each over
//! as soon as it is whole.
//!
//! Whoever connects and sends nothing, or a byte now and then, costs a descriptor and some bytes
//! until its time is over, and delays nobody: a request that is there already when its connection
//! is accepted is served before anybody else is looked at. Knows nothing of what the requests say.

mod accepting;
mod client;
mod door;
mod news;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::time::Duration;

use self::client::Client;
pub(super) use self::door::{Door, Framing, Refusal, Served, Waiting};
use self::news::Told;
pub(super) use self::news::{Bell, Handle, News, news};
use crate::clock::{self, Moment};
use crate::sys::{self, Interest, Watch};

/// How often one client is read from before it is the others' turn.
const READS_IN_A_ROW: usize = 16;

/// What all requests that are not whole yet may take up together.
const MEMORY: usize = 64 * 1024 * 1024;

/// The part of the system's descriptors that may be held at one door by those whose request is not
/// whole yet, and the same again by those that wait: the server needs some itself, or the code of a
/// login that has just come back could not be exchanged.
const PART: usize = 8;

/// For how long nobody must have come before what clients sent and got is wiped off the stack. That
/// takes longer than an answer; where many ask at once, each writes over what the last one left.
const LULL: Duration = Duration::from_millis(20);

/// One thread's worth of doors.
pub(super) struct Intake<D: Door> {
    door: D,
    watch: Watch,
    listeners: Vec<D::Listener>,
    /// Whether the listeners are watched.
    listening: bool,
    news: News<D::Listener>,
    parked: Vec<Client<D::Stream>>,
    waiting: Vec<Waiting<D::Stream, D::Wait>>,
    /// How many may be parked, and how many may wait.
    most: usize,
    /// What the parked clients have sent so far, in bytes.
    held: usize,
    /// A descriptor to give up where there is none left, so that a connection can still be
    /// accepted and its client be served or turned away.
    spare: Option<File>,
    /// Until when nothing is accepted.
    paused: Option<Moment>,
    /// Whether anybody is served.
    is_open: bool,
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

impl Ready {
    const fn is_nothing(&self) -> bool {
        let nobody = self.listeners.is_empty() && self.parked.is_empty() && self.gone.is_empty();
        nobody && !self.rung
    }
}

impl<D: Door> Intake<D> {
    /// Serves nobody before it is told to.
    ///
    /// # Errors
    /// Where the system has no descriptors left.
    pub(super) fn new(
        door: D,
        listeners: Vec<D::Listener>,
        news: News<D::Listener>,
    ) -> io::Result<Self> {
        let mut watch = Watch::new()?;
        watch.add(&news, Interest::Readable)?;
        Ok(Self {
            door,
            watch,
            listeners,
            listening: false,
            news,
            parked: Vec::new(),
            waiting: Vec::new(),
            most: D::CLIENTS.min(sys::descriptor_limit() / PART).max(1),
            held: 0,
            spare: accepting::spare(),
            paused: None,
            is_open: false,
        })
    }

    /// Works for as long as the process does.
    pub(super) fn run(mut self) -> io::Error {
        // A thread's stack is empty at first.
        let mut is_wiped = true;
        loop {
            let ready = match self.wait(is_wiped) {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            let is_quiet = ready.is_nothing();
            self.attend_to(ready);
            self.turn_out_the_late();
            if is_quiet {
                // What clients sent and got is not left lying about while nobody comes.
                sys::wipe_stack();
            }
            is_wiped = is_quiet;
        }
    }

    fn attend_to(&mut self, ready: Ready) {
        for index in ready.parked {
            // Somebody who was turned out for a client before this one may have been its
            // neighbour: then it is found again at the next turn.
            if index < self.parked.len() {
                let client = self.unpark(index);
                self.attend(client);
            }
        }
        for index in ready.gone {
            let client = self.waiting.swap_remove(index);
            self.watch.remove(&client.stream);
        }
        if ready.rung {
            self.hear();
        }
        for index in ready.listeners {
            self.accept(index);
        }
    }

    /// Waits until something is ready; not for longer than a lull, where the stack is to be wiped.
    fn wait(&mut self, is_wiped: bool) -> io::Result<Ready> {
        let now = clock::moment();
        self.paused = self.paused.filter(|until| *until > now);
        self.listen(self.is_open && self.paused.is_none())?;
        let parked = self.parked.iter().map(|client| client.deadline);
        // Nobody is told anything as long as it is closed, late or not.
        let waiting = self.waiting.iter().filter(|_| self.is_open);
        let waiting = waiting.map(|client| client.until);
        let lull = (!is_wiped).then(|| now + LULL);
        let deadlines = parked.chain(waiting).chain(self.paused).chain(lull);
        // Rounded up, so as not to wake up a moment too early.
        let left = |deadline: Moment| deadline.since(now) + Duration::from_millis(1);
        let descriptors = self.watch.wait(deadlines.min().map(left))?;
        Ok(self.sort(&descriptors))
    }

    /// Watches the listeners, or does not.
    fn listen(&mut self, listening: bool) -> io::Result<()> {
        if self.listening == listening {
            return Ok(());
        }
        for listener in &self.listeners {
            if listening {
                self.watch.add(listener, Interest::Readable)?;
            } else {
                self.watch.remove(listener);
            }
        }
        self.listening = listening;
        Ok(())
    }

    /// Whose descriptors these are.
    fn sort(&self, descriptors: &[RawFd]) -> Ready {
        let mut ready = Ready {
            listeners: Vec::new(),
            parked: Vec::new(),
            gone: Vec::new(),
            rung: false,
        };
        for &descriptor in descriptors {
            let is = |other: &dyn AsFd| other.as_fd().as_raw_fd() == descriptor;
            if let Some(index) = self.listeners.iter().position(|listener| is(listener)) {
                ready.listeners.push(index);
            } else if is(&self.news) {
                ready.rung = true;
            } else if let Some(index) = self.parked.iter().position(|client| is(&client.stream)) {
                ready.parked.push(index);
            } else if let Some(index) = self.waiting.iter().position(|client| is(&client.stream)) {
                ready.gone.push(index);
            }
        }
        for indices in [&mut ready.parked, &mut ready.gone] {
            indices.sort_unstable_by(|one, other| other.cmp(one));
        }
        ready
    }

    /// Takes in what has happened elsewhere.
    fn hear(&mut self) {
        for told in self.news.take() {
            match told {
                Told::Listeners(listeners, done) => {
                    // Those that are closed are not watched any more; the new ones are before the
                    // next turn.
                    let _ = self.listen(false);
                    self.listeners = listeners;
                    let _ = done.send(());
                }
                Told::Resume => self.is_open = true,
                Told::Pause(done) => {
                    // Whoever has got what it waits for is told now: nobody may do so later.
                    self.look_again();
                    self.is_open = false;
                    let _ = done.send(());
                }
                Told::Close(done) => {
                    // Who took the listeners over has them still: closing them here would not
                    // keep them from being watched.
                    let _ = self.listen(false);
                    self.listeners.clear();
                    self.waiting.clear();
                    self.parked.clear();
                    self.held = 0;
                    let _ = done.send(());
                }
            }
        }
        self.look_again();
    }

    /// Serves those whose waiting has come to an end.
    fn look_again(&mut self) {
        if self.waiting.is_empty() || !self.is_open {
            return;
        }
        self.news.want_changes();
        for index in (0..self.waiting.len()).rev() {
            // Who waits on costs no more than a look.
            if self.door.is_over(&self.waiting[index].wait) {
                let client = self.waiting.swap_remove(index);
                self.watch.remove(&client.stream);
                let served = self.door.resume(client, false);
                self.keep(served);
            }
        }
    }

    fn keep(&mut self, served: Served<D::Stream, D::Wait>) {
        if let Served::Waits(client) = served {
            // Nothing more is read from it; only its going away is noticed, if that is possible.
            let _ = self.watch.add(&client.stream, Interest::Gone);
            self.waiting.push(client);
        }
    }

    /// Keeps a client that has just begun to wait, unless there are too many already.
    fn begin_to_wait(&mut self, served: Served<D::Stream, D::Wait>) {
        let Served::Waits(client) = served else {
            return;
        };
        let over = self.waiting.len() >= self.most;
        // What it waits for may have come about since it was looked for, without a ring.
        self.news.want_changes();
        let served = self.door.resume(client, over);
        self.keep(served);
    }

    /// Reads what a client has sent, and serves, parks or drops it.
    fn attend(&mut self, mut client: Client<D::Stream>) {
        let mut reads = 0;
        while reads < READS_IN_A_ROW || self.door.holds_more(&client.stream) {
            reads += 1;
            let known = client.received.len();
            match client.read() {
                Ok(0) => return,
                Ok(_) => match self.door.framing(&client.received, known) {
                    Framing::NeedMore => {}
                    Framing::Whole if !self.is_open => {
                        return self.door.send_on(client.stream, &client.received);
                    }
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
        while self.parked.len() >= self.most || self.is_too_much(&client) {
            self.turn_out_the_oldest();
        }
        if self.watch.add(&client.stream, Interest::Readable).is_err() {
            return self.door.refuse(client.stream, Refusal::Crowded);
        }
        self.held += client.received.len();
        self.parked.push(client);
    }

    fn is_too_much(&self, client: &Client<D::Stream>) -> bool {
        !self.parked.is_empty() && self.held + client.received.len() > MEMORY
    }

    fn unpark(&mut self, index: usize) -> Client<D::Stream> {
        let client = self.parked.swap_remove(index);
        self.watch.remove(&client.stream);
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
            if self.waiting[index].until <= now && self.is_open {
                let client = self.waiting.swap_remove(index);
                self.watch.remove(&client.stream);
                let served = self.door.resume(client, true);
                self.keep(served);
            }
        }
    }
}
