//! What an intake needs to know of one kind of strangers, and what becomes of them.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::clock::Moment;
use crate::sys::WipedBytes;

/// Where strangers come in.
pub(in crate::server) trait Door {
    /// What a client can wait for.
    type Wait;
    /// What is accepted from.
    type Listener: AsFd;
    /// A connection, which must not block.
    type Stream: Read + Write + AsFd;
    /// How many connections with an unfinished request there may be, where the system has the
    /// descriptors for them; and how many that wait. The oldest one has to go where there is one
    /// more.
    const CLIENTS: usize;
    /// How long a request may take to arrive.
    const TIME: Duration;

    /// Accepts a connection; `None` where it is not welcome.
    fn accept(&self, listener: &Self::Listener) -> io::Result<Option<Self::Stream>>;
    /// Whether `stream` has taken more from its descriptor than was read from it: of that nobody
    /// would hear by waiting for the descriptor.
    fn holds_more(&self, _stream: &Self::Stream) -> bool {
        false
    }
    /// Whether `received`, of which the first `known` bytes were seen before, is a request.
    fn framing(&self, received: &[u8], known: usize) -> Framing;
    /// Serves a whole request, or says what it has to wait for. Must not block.
    fn serve(&self, stream: Self::Stream, request: WipedBytes) -> Served<Self::Stream, Self::Wait>;
    /// Whether what a client waits for has come about, so that it can be resumed. Must not block.
    fn is_over(&self, wait: &Self::Wait) -> bool;
    /// Serves a client that waited, something having changed; gives it back where it has to wait
    /// on. It must be served now where its time is `over`. Must not block.
    fn resume(
        &self,
        client: Waiting<Self::Stream, Self::Wait>,
        over: bool,
    ) -> Served<Self::Stream, Self::Wait>;
    /// Sends a client with a whole request to whoever listens here next.
    fn send_on(&self, stream: Self::Stream, request: &[u8]);
    /// Turns a client away. Must not block.
    fn refuse(&self, stream: Self::Stream, refusal: Refusal);
}

/// What serving a request comes to.
pub(in crate::server) enum Served<S, W> {
    /// The client has its answer, or will be given it by somebody else.
    Done,
    /// The client waits.
    Waits(Waiting<S, W>),
}

/// A client that waits for something to change.
pub(in crate::server) struct Waiting<S, W> {
    pub(in crate::server) stream: S,
    pub(in crate::server) wait: W,
    /// When its time is over.
    pub(in crate::server) until: Moment,
}

/// How far a request has come.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) enum Framing {
    /// More must come.
    NeedMore,
    /// It is whole.
    Whole,
    /// It will not become a request.
    Bad(String),
}

/// Why a client is turned away.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) enum Refusal {
    /// It took too long.
    TimedOut,
    /// There are too many others.
    Crowded,
    /// It sent something that is no request, for this reason.
    Bad(String),
}
