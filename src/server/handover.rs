//! `--replace`: one server hands everything to the next, and ends only when that one has begun.
//!
//! The old one first lets the answers come in that it waits for, then serves nobody any more:
//! whoever connects meanwhile waits at the socket, which both have. If the new one cannot begin,
//! the old one carries on.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::console;
use crate::protocol::{
    HANDOVER_BEGUN, HANDOVER_DONE, HANDOVER_FORMAT, HANDOVER_READY, Reply, handover_head,
};
use crate::secret::SecretText;
use crate::server::redirect::{Certificate, Handed, Said};
use crate::server::{End, Seat, Server};
use crate::sys;
use crate::vault::keeping::Keeping;

/// How long the old server waits for answers of providers: a little longer than a request may take.
const LAST_ANSWERS: Duration = Duration::from_secs(35);

/// How often it waits for them: a user may begin something new meanwhile.
const TRIES: u32 = 3;

/// How long the new server may take to begin, once it has everything. Clients wait meanwhile.
const BEGIN_TIME: Duration = Duration::from_secs(20);

/// What becomes of a server. Decided once, and by one of those who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing is decided.
    Serving,
    /// It was asked to end, and nobody takes over from it any more.
    Ending,
    /// Another one has taken over.
    Replaced,
}

/// What is handed over beside the descriptors.
#[derive(Serialize, Deserialize)]
pub(super) struct Handover {
    /// The version of the program that hands over.
    pub(super) version: String,
    /// What the configuration says of the redirect listeners.
    pub(super) said: Said,
    /// How many of the descriptors, the last ones, are redirect listeners for https. The lock, the
    /// control socket and the listeners for http come before them.
    pub(super) https_sockets: usize,
    pub(super) certificate: Option<Handed>,
    /// Whether the control socket is to be removed at the end.
    pub(super) owns_socket: bool,
    pub(super) keeping: Keeping,
    /// The vault's own text.
    pub(super) vault: Zeroizing<String>,
}

impl Server {
    /// Hands everything to the process at the other end of `stream`, or goes on.
    pub(super) fn hand_over(&self, stream: &UnixStream, format: u32) {
        log::info!("another server is taking over");
        match self.try_to_hand_over(stream, format) {
            Ok(()) => {
                self.leave();
                self.end(End::Replaced);
            }
            Err(reason) => {
                log::warn!("no other server took over: {reason}");
                let _ = (&*stream).write_all(&Reply::Error(reason).encode());
            }
        }
    }

    fn try_to_hand_over(&self, stream: &UnixStream, format: u32) -> Result<(), String> {
        if format != HANDOVER_FORMAT {
            return Err(format!(
                "the running server (version {}) hands over in format {HANDOVER_FORMAT}, not {format}",
                env!("CARGO_PKG_VERSION")
            ));
        }
        let failed = |error: io::Error| console::describe(&error);
        stream.set_nonblocking(false).map_err(failed)?;
        stream.set_read_timeout(Some(BEGIN_TIME)).map_err(failed)?;
        stream.set_write_timeout(Some(BEGIN_TIME)).map_err(failed)?;
        self.shared.set_paused(true);
        // A command that is running may take its time, while clients are still served.
        self.persister.pause();
        let outcome = self
            .freeze()
            .and_then(|(vault, keeping)| self.give(stream, &vault, keeping));
        if outcome.is_err() {
            self.thaw();
        }
        outcome
    }

    /// Stops everything at a moment when no answer is awaited.
    fn freeze(&self) -> Result<(SecretText, Keeping), String> {
        for _ in 0..TRIES {
            self.exchanges.wait_until_idle(LAST_ANSWERS);
            let closed = self.redirect.pause() && self.control.pause();
            // A revocation is an exchange, too, of which the vault does not know any more.
            let is_idle = self.exchanges.wait_until_idle(Duration::ZERO);
            // Once more: what may be kept has been decided meanwhile.
            let keeping = self.persister.pause();
            let vault = self.shared.look(|vault, _| vault.hand_over());
            if let (true, true, Ok(vault)) = (is_idle, closed, vault) {
                return Ok((vault, keeping));
            }
            self.open_doors();
        }
        Err("a provider does not answer: try again when it does".into())
    }

    fn thaw(&self) {
        self.shared.set_paused(false);
        self.persister.resume();
        self.open_doors();
    }

    /// Lets go of everything that the next server has now. Whoever is still here asks that one.
    fn leave(&self) {
        self.chores.close();
        self.asked().clear();
        self.control.close();
        self.redirect.close();
        self.shared.settings().close();
        self.seat().take();
    }

    fn open_doors(&self) {
        self.redirect.resume();
        self.control.resume();
    }

    fn give(
        &self,
        mut stream: &UnixStream,
        vault: &SecretText,
        keeping: Keeping,
    ) -> Result<(), String> {
        let settings = self.shared.settings();
        let (lock, listener, owns_socket) = self.shared_seat()?;
        let redirect = settings.redirect();
        let handover = Handover {
            version: env!("CARGO_PKG_VERSION").into(),
            said: Said::by(&settings.config),
            https_sockets: redirect.secure_count(),
            certificate: redirect.certificate().and_then(Certificate::hand_over),
            owns_socket,
            keeping,
            vault: Zeroizing::new(vault.expose().to_owned()),
        };
        let text = serde_json::to_string(&handover).map(Zeroizing::new);
        let text = text.map_err(|error| error.to_string())?;
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![lock.as_fd(), listener.as_fd()];
        descriptors.extend(redirect.descriptors());
        let head = handover_head(text.len());
        sys::send_with_descriptors(stream, head.as_bytes(), &descriptors)
            .and_then(|()| stream.write_all(text.as_bytes()))
            .and_then(|()| expect(stream, HANDOVER_READY))
            .and_then(|()| self.let_go(stream))
            .map_err(|error| {
                format!(
                    "the new server did not begin: {}",
                    console::describe(&error)
                )
            })
    }

    /// Gives the word from which on the new server acts, and this one does not.
    fn let_go(&self, mut stream: &UnixStream) -> io::Result<()> {
        let mut fate = self.fate();
        if *fate == Fate::Ending {
            return Err(io::Error::other("the running one is being shut down"));
        }
        stream.write_all(HANDOVER_DONE)?;
        match expect(stream, HANDOVER_BEGUN) {
            // It died before it could act.
            Err(error) if is_gone(&error) => return Err(error),
            // Silence is no proof of that.
            _ => *fate = Fate::Replaced,
        }
        drop(fate);
        Ok(())
    }

    /// Whether it is for this server to end as it was asked to: no other one takes over from it
    /// then.
    pub(super) fn may_end(&self) -> bool {
        let mut fate = self.fate();
        if *fate == Fate::Replaced {
            return false;
        }
        *fate = Fate::Ending;
        true
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seat(&self) -> MutexGuard<'_, Option<Seat>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies of the lock and the control socket, and whether that is the server's own.
    fn shared_seat(&self) -> Result<(File, Arc<UnixListener>, bool), String> {
        let copy = |seat: &Seat| {
            let lock = seat.lock.try_clone().map_err(|error| error.to_string())?;
            Ok((lock, Arc::clone(&seat.listener), seat.owns_socket))
        };
        let copied = self.seat().as_ref().map(copy);
        copied.unwrap_or_else(|| Err("another server has taken over already".into()))
    }
}

/// Whether the other end is there no more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Reads one word.
pub(super) fn expect(mut stream: &UnixStream, word: &[u8]) -> io::Result<()> {
    let mut heard = vec![0; word.len()];
    stream.read_exact(&mut heard)?;
    if heard == word {
        return Ok(());
    }
    Err(io::Error::other(NotThat(heard)))
}

/// What was said instead of the word that was expected.
#[derive(Debug)]
pub(super) struct NotThat(pub(super) Vec<u8>);

impl std::error::Error for NotThat {}

impl fmt::Display for NotThat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else was said than expected")
    }
}
