//! One connection to the server: connect, check who it is, send the request, read the reply.
//!
//! Knows sockets and their time limits; knows nothing of what is asked or answered.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::unistd::geteuid;
use zeroize::Zeroizing;

use super::ClientError;
use crate::clock;
use crate::paths::named_socket;
use crate::protocol::{BadReply, MAX_REPLY, Reply, Request};
use crate::sys::peer_uid;

/// How long the server may be silent, beside what the request itself allows it: it answers from
/// memory, so this is a server that hangs, or a machine that hardly moves.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Room for the line that a reply begins with, beside the longest that may follow it.
const REPLY_HEAD: usize = 64;
/// Where reading starts: most tokens fit, so that nothing needs to grow; and all of it is wiped.
const FIRST_BUFFER: usize = 1024;

/// What a server may take.
pub(super) struct Limits {
    /// How long it may do nothing.
    pub(super) silence: Duration,
    /// How many bytes its reply may have.
    pub(super) reply: usize,
}

/// The limits that hold outside tests.
pub(super) const LIMITS: Limits = Limits {
    silence: ANSWER_TIME,
    reply: MAX_REPLY + REPLY_HEAD,
};

/// How often a request is sent again that got no reply at all: the server that took it was about
/// to be replaced by another one, which listens at the same socket.
pub(super) const REPEATS: u32 = 5;

/// Sends the request to the server at `path` and reads its reply.
pub(super) fn exchange(
    path: &Path,
    request: &Request,
    limits: &Limits,
) -> Result<Reply, ClientError> {
    let start = clock::moment();
    let mut result = exchange_once(path, request, limits);
    for _ in 0..REPEATS {
        let closed = matches!(result, Err(ClientError::Closed));
        if !closed || !request.may_be_repeated() {
            break;
        }
        let again = request.after(clock::moment().since(start));
        let request = again.as_ref().unwrap_or(request);
        result = exchange_once(path, request, limits);
    }
    result
}

fn exchange_once(path: &Path, request: &Request, limits: &Limits) -> Result<Reply, ClientError> {
    finish(&begin(path, request, limits)?, limits)
}

/// Sends the request, and leaves its reply to come.
pub(super) fn begin(
    path: &Path,
    request: &Request,
    limits: &Limits,
) -> Result<UnixStream, ClientError> {
    let mut stream = connected(path, limits.silence + request.time())?;
    let owner = peer_uid(&stream).map_err(ClientError::Talk)?;
    if owner != geteuid().as_raw() && owner != 0 {
        return Err(ClientError::NotOurs(path.to_owned(), owner));
    }
    send(&mut stream, &request.encode())?;
    Ok(stream)
}

/// Reads the reply to the request that was sent here.
pub(super) fn finish(stream: &UnixStream, limits: &Limits) -> Result<Reply, ClientError> {
    let received = read_all(stream, limits.reply).map_err(talk)?;
    if received
        .as_ref()
        .is_some_and(|received| received.is_empty())
    {
        return Err(ClientError::Closed);
    }
    // What is longer than any reply is not one, wherever it ends.
    let received = received.ok_or_else(|| BadReply::NotUnderstood("it is too long".to_owned()))?;
    Ok(Reply::decode(&received)?)
}

/// A connection whose time limits hold for connecting too: where the server's queue is full,
/// connecting waits like writing does.
pub(super) fn connected(path: &Path, limit: Duration) -> Result<UnixStream, ClientError> {
    let address = UnixAddr::new(path).map_err(|_| ClientError::SocketTooLong(path.to_owned()))?;
    // No close-on-exec: a client starts no other program, but for a browser, and has no connection
    // when it does.
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::empty(),
        None,
    );
    let socket = socket.map_err(|error| ClientError::Talk(error.into()))?;
    let stream = UnixStream::from(socket);
    stream
        .set_read_timeout(Some(limit))
        .and_then(|()| stream.set_write_timeout(Some(limit)))
        .map_err(ClientError::Talk)?;
    loop {
        match connect(stream.as_raw_fd(), &address) {
            Ok(()) => return Ok(stream),
            // Having been stopped and continued while it waited.
            Err(Errno::EINTR) => {}
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Err(nobody_at(path)),
            Err(Errno::EAGAIN | Errno::ETIMEDOUT) => return Err(ClientError::NoAnswer),
            Err(error) => return Err(ClientError::Connect(path.to_owned(), error.into())),
        }
    }
}

/// Starting a server is of no use where a socket was named that is not the one it would have.
fn nobody_at(path: &Path) -> ClientError {
    match named_socket() {
        Some(named) if named == path => ClientError::NobodyAt(named),
        _ => ClientError::NotRunning,
    }
}

/// Writes the request. A server that refuses it halfway has said why, so that the other end being
/// closed is not the end yet: the reply is read all the same.
fn send(stream: &mut UnixStream, request: &[u8]) -> Result<(), ClientError> {
    let sent = stream
        .write_all(request)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    match sent {
        Err(error) if !is_closed(&error) => Err(talk(error)),
        _ => Ok(()),
    }
}

/// Everything that `source` has until its end; `None` where that is more than `cap` bytes.
pub(super) fn read_all(
    mut source: impl Read,
    cap: usize,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut buffer = Zeroizing::new(vec![0; FIRST_BUFFER]);
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer = grown(&buffer);
        }
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A server that closes with something of the request unread: what it wrote came first.
            Err(error) if is_closed(&error) => break,
            Err(error) => return Err(error),
        }
        if length > cap {
            return Ok(None);
        }
    }
    buffer.truncate(length);
    Ok(Some(buffer))
}

/// The same in a buffer of twice the size. `Vec` would leave the old one behind without wiping it.
fn grown(buffer: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut larger = Zeroizing::new(Vec::with_capacity(buffer.len() * 2));
    larger.extend_from_slice(buffer);
    larger.resize(buffer.len() * 2, 0);
    larger
}

fn is_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
}

fn talk(error: io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ClientError::NoAnswer,
        _ => ClientError::Talk(error),
    }
}
