//! `--replace`: one server hands everything to the next, and ends only when that one has begun.
//!
//! The old one first lets the answers come in that it waits for, then serves nobody any more:
//! whoever connects meanwhile waits at the socket, which both have. If the new one cannot begin,
//! the old one carries on.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Listen;
use crate::console;
use crate::protocol::{
    HANDOVER_BEGUN, HANDOVER_DONE, HANDOVER_FORMAT, HANDOVER_READY, Reply, Request, handover_head,
    read_handover_head,
};
use crate::secret::SecretText;
use crate::server::{End, Seat, Server};
use crate::sys;
use crate::vault::Vault;
use crate::vault::keeping::Keeping;
use crate::vault::order::Order;

/// How long the old server waits for answers of providers: a little longer than a request may take.
const LAST_ANSWERS: Duration = Duration::from_secs(35);

/// How often it waits for them: a user may begin something new meanwhile.
const TRIES: u32 = 3;

/// How long the new server may take to begin, once it has everything. Clients wait meanwhile.
const BEGIN_TIME: Duration = Duration::from_secs(20);

/// How long the old server may take to hand over: all its waiting, and some.
const HANDOVER_TIME: Duration = Duration::from_secs(180);

/// How often the new server asks again: another one may be just before it.
const REPEATS: u32 = 5;

/// The longest reason for not handing over.
const MAX_REASON: u64 = 64 * 1024;

/// The longest head of a hand-over.
const MAX_HEAD: usize = 32;

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
    /// What `http_listen` says, to tell whether the listeners fit the new configuration.
    pub(super) http_listen: String,
    /// Whether the control socket is to be removed at the end.
    pub(super) owns_socket: bool,
    pub(super) keeping: Keeping,
    /// The vault's own text.
    pub(super) vault: Zeroizing<String>,
}

/// What a new server gets from the old one.
pub(super) struct Taken {
    pub(super) handover: Handover,
    pub(super) lock: OwnedFd,
    pub(super) control: UnixListener,
    pub(super) redirect: Vec<TcpListener>,
    /// Whether the redirect listeners are others than the old server's.
    pub(super) moved: bool,
    /// The old server, which still waits to hear that this one can begin.
    pub(super) old: UnixStream,
}

impl Taken {
    /// Whether the old server's redirect listeners are those that `listen` asks for.
    pub(super) fn has_listeners_for(&self, listen: &Listen) -> bool {
        // The old server itself would be in the way of the same address.
        let has = |address| {
            let mut addresses = self.redirect.iter().map(TcpListener::local_addr);
            addresses.any(|it| it.is_ok_and(|it| it == address))
        };
        match listen {
            Listen::At(address) if has(*address) => true,
            listen => self.handover.http_listen == format!("{listen:?}"),
        }
    }

    /// Puts what the old server knew into the new one's vault.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn put_into(&mut self, vault: &mut Vault) -> Result<Vec<Order>, String> {
        let text = std::mem::take(&mut self.handover.vault);
        vault.take_over(&text, self.moved, clock::moment())
    }
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
            // Once more: what may be kept has been decided meanwhile.
            let keeping = self.persister.pause();
            let vault = self.shared.look(|vault, _| vault.hand_over());
            if let (true, Ok(vault)) = (closed, vault) {
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
        let handover = Handover {
            version: env!("CARGO_PKG_VERSION").into(),
            http_listen: format!("{:?}", settings.config.http_listen),
            owns_socket,
            keeping,
            vault: Zeroizing::new(vault.expose().to_owned()),
        };
        let text = serde_json::to_string(&handover).map(Zeroizing::new);
        let text = text.map_err(|error| error.to_string())?;
        let redirect = settings.redirect();
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![lock.as_fd(), listener.as_fd()];
        descriptors.extend(redirect.iter().map(AsFd::as_fd));
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
        let copies = self.seat().as_ref().map(|seat| {
            let listener = Arc::clone(&seat.listener);
            (seat.lock.try_clone(), listener, seat.socket.is_some())
        });
        let (lock, listener, own) = copies.ok_or("another server has taken over already")?;
        Ok((lock.map_err(|error| error.to_string())?, listener, own))
    }
}

/// Asks the server at `socket` for everything. `None` where there is no server.
///
/// # Errors
/// Where there is one that does not hand over.
pub(super) fn take(socket: &Path) -> Result<Option<Taken>, String> {
    for _ in 0..REPEATS {
        match take_once(socket)? {
            Offer::Nobody => return Ok(None),
            Offer::Given(taken) => return Ok(Some(*taken)),
            Offer::Closed => {}
        }
    }
    Err("the running server does not hand over: try again".into())
}

/// What a server offers to the next one.
enum Offer {
    /// There is no server.
    Nobody,
    /// It has just ended, or handed over to another one.
    Closed,
    Given(Box<Taken>),
}

fn take_once(socket: &Path) -> Result<Offer, String> {
    let failed = |error: io::Error| {
        format!(
            "the running server does not hand over: {}",
            console::describe(&error)
        )
    };
    let mut old = match UnixStream::connect(socket) {
        Ok(old) => old,
        Err(error) if is_nobody(&error) => return Ok(Offer::Nobody),
        Err(error) => return Err(failed(error)),
    };
    let owner = sys::peer_uid(&old).map_err(failed)?;
    if owner != nix::unistd::geteuid().as_raw() {
        return Err(format!("the running server is user {owner}'s"));
    }
    old.set_read_timeout(Some(HANDOVER_TIME)).map_err(failed)?;
    let asked = old.write_all(&Request::Replace(HANDOVER_FORMAT).encode());
    let (head, descriptors) = match asked.and_then(|()| read_head(&old)) {
        Err(error) if is_gone(&error) => return Ok(Offer::Closed),
        answer => answer.map_err(failed)?,
    };
    let (given, length) = read_handover_head(head.trim_end())
        .ok_or("the running server does not know how to hand over: stop it first")?;
    let mut text = Zeroizing::new(vec![0; length]);
    old.read_exact(&mut text).map_err(failed)?;
    if !given {
        return Err(refusal(&head, &text));
    }
    let handover = serde_json::from_slice(&text)
        .map_err(|_| "what the running server hands over cannot be read: stop it first")?;
    let mut descriptors = descriptors.into_iter();
    let (Some(lock), Some(control)) = (descriptors.next(), descriptors.next()) else {
        return Err("the running server hands over no sockets: stop it first".into());
    };
    let redirect = descriptors.map(TcpListener::from).collect();
    Ok(Offer::Given(Box::new(Taken {
        handover,
        lock,
        control: control.into(),
        redirect,
        moved: false,
        old,
    })))
}

/// Whether the other end is there no more.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// Why an old server does not hand over, in its own words.
fn refusal(head: &str, text: &[u8]) -> String {
    let whole = [head.as_bytes(), text].concat();
    match Reply::decode(&whole) {
        Ok(Reply::Error(reason)) => reason,
        _ => "the running server does not hand over: stop it first".into(),
    }
}

/// The line before the rest, and the descriptors that came with it.
fn read_head(old: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    let mut head = String::new();
    let mut descriptors = Vec::new();
    while !head.ends_with('\n') && head.len() < MAX_HEAD {
        let mut byte = [0; 1];
        let (count, received) = sys::receive_with_descriptors(old, &mut byte)?;
        descriptors.extend(received);
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(char::from(byte[0]));
    }
    Ok((head, descriptors))
}

/// Tells the old server that this one can begin, and waits for its word that it has ended.
///
/// # Errors
/// Where it gives no such word: it has lost patience, and goes on itself.
pub(super) fn begin(taken: &Taken, socket: &Path) -> Result<(), String> {
    let mut old = &taken.old;
    let said = old
        .write_all(HANDOVER_READY)
        .and_then(|()| expect(old, HANDOVER_DONE));
    match said {
        Ok(()) => {
            let _ = old.write_all(HANDOVER_BEGUN);
            Ok(())
        }
        // It says so where it goes on, and removes the socket where it ends as it was told to.
        Err(error) if is_gone(&error) && socket.exists() => {
            log::warn!("the old server died while it handed over");
            Ok(())
        }
        Err(error) => Err(format!(
            "the running server does not hand over: {}",
            console::describe(&error)
        )),
    }
}

/// Reads one word. Where a reply comes instead, its reason is the error.
fn expect(mut stream: &UnixStream, word: &[u8]) -> io::Result<()> {
    let mut heard = vec![0; word.len()];
    stream.read_exact(&mut heard)?;
    if heard == word {
        return Ok(());
    }
    let _ = stream.take(MAX_REASON).read_to_end(&mut heard);
    Err(io::Error::other(match Reply::decode(&heard) {
        Ok(Reply::Error(reason)) => reason,
        _ => "something else was said than expected".into(),
    }))
}
