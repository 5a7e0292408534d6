//! A browser's connection, in the clear or over TLS, which never blocks.
//!
//! Knows what bytes on the wire look like; knows nothing of what is said. Over TLS the handshake
//! goes on inside of reading, so that whoever waits for the socket to be readable need not know of
//! it. What rustls holds of a request, its one-time code included, is in buffers of its own, which
//! it frees without wiping them: the allocator does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

/// What the first record of a TLS connection begins with: a handshake (RFC 8446 section 5.1).
pub(super) const HANDSHAKE: u8 = 22;

/// A browser's connection.
pub(in crate::server) struct Stream {
    socket: TcpStream,
    speech: Speech,
    /// Whether the last read got as much as there was room for.
    filled: bool,
}

/// What is spoken.
enum Speech {
    /// Plain http.
    Plain,
    /// Nothing yet, and nothing but TLS is welcome. Whoever stays silent costs no more than this.
    Unheard(Arc<ServerConfig>),
    Secure(Box<ServerConnection>),
    /// Plain http where TLS was to be expected.
    Mistaken,
}

impl Stream {
    /// A connection over which `tls` is spoken, or plain http without it. The socket must not
    /// block.
    pub(super) fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            socket,
            speech: tls.map_or(Speech::Plain, Speech::Unheard),
            filled: false,
        }
    }

    /// Whether what is said here can be read and changed by nobody else.
    pub(super) const fn is_https(&self) -> bool {
        matches!(self.speech, Speech::Secure(_))
    }

    /// Whether there may be more to read although the socket has nothing: several records, or a
    /// long one, are taken from it at once.
    pub(super) const fn holds_more(&self) -> bool {
        self.filled && self.is_https()
    }

    /// Whether the browser speaks plain http where it should speak https.
    pub(super) const fn is_mistaken(&self) -> bool {
        matches!(self.speech, Speech::Mistaken)
    }

    /// Sends `bytes`, the last ones, as far as the socket takes them at once. They fit into an
    /// empty socket's buffer, which it is: during a handshake each side reads what the other sent.
    /// A browser that does not take them is gone.
    pub(super) fn finish(mut self, bytes: &[u8]) {
        match &mut self.speech {
            // Before the end of the handshake nothing could be read there.
            Speech::Unheard(_) => return,
            Speech::Secure(session) if session.is_handshaking() => return,
            Speech::Secure(session) => {
                let _ = session.writer().write_all(bytes);
                session.send_close_notify();
                let _ = flush(&self.socket, session);
            }
            Speech::Plain | Speech::Mistaken => drop((&self.socket).write_all(bytes)),
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Speech::Unheard(tls) = &self.speech {
            self.speech = listen(&self.socket, tls)?;
        }
        let result = match &mut self.speech {
            Speech::Secure(session) => read(&self.socket, session, buffer),
            _ => (&self.socket).read(buffer),
        };
        self.filled = matches!(result, Ok(count) if count == buffer.len());
        result
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.speech {
            Speech::Unheard(_) => Err(io::ErrorKind::WouldBlock.into()),
            Speech::Secure(session) => {
                let count = session.writer().write(bytes)?;
                flush(&self.socket, session)?;
                Ok(count)
            }
            Speech::Plain | Speech::Mistaken => (&self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.speech {
            Speech::Secure(session) => flush(&self.socket, session),
            _ => Ok(()),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Tells by its first byte what a browser speaks.
fn listen(socket: &TcpStream, tls: &Arc<ServerConfig>) -> io::Result<Speech> {
    let mut first = [0];
    match (socket.peek(&mut first)?, first[0]) {
        (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
        (_, HANDSHAKE) => {
            let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
            Ok(Speech::Secure(Box::new(session)))
        }
        // The name of a method, most likely. The request is read to its end, since a browser
        // that is answered while it still sends may never see the answer.
        (_, first) if first.is_ascii_uppercase() => Ok(Speech::Mistaken),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads what has been said, or what brings it nearer: then the error is `Interrupted`, after which
/// to try again at once. Where it is `WouldBlock`, there is nothing left in `session` either.
fn read(
    mut socket: &TcpStream,
    session: &mut ServerConnection,
    buffer: &mut [u8],
) -> io::Result<usize> {
    match session.reader().read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        result => return result,
    }
    session.read_tls(&mut socket)?;
    let processed = session.process_new_packets();
    // The server's part of the handshake, or the alert that says what was wrong with the browser's.
    let sent = flush(socket, session);
    processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    match sent {
        // The rest follows when the browser has said more.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
        _ => {}
    }
    match session.reader().read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::Interrupted.into())
        }
        result => result,
    }
}

fn flush(mut socket: &TcpStream, session: &mut ServerConnection) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(&mut socket) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
