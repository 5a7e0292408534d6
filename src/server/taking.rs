//! Taking over from a running server: the new one's side of `--replace`.
//!
//! Nothing is begun here before the old server has given its word; what it hands over, and when it
//! takes it back, is in [`crate::server::handover`].

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock;
use crate::console;
use crate::protocol::{
    HANDOVER_BEGUN, HANDOVER_DONE, HANDOVER_FORMAT, HANDOVER_READY, Reply, Request,
    read_handover_head,
};
use crate::server::handover::{Handover, NotThat, expect, is_gone};
use crate::server::redirect::{Certificate, Listeners};
use crate::sys;
use crate::vault::Vault;
use crate::vault::order::Order;
use crate::vault::reload::Moved;

/// How long the old server may take to hand over: all its waiting, and some.
const HANDOVER_TIME: Duration = Duration::from_secs(180);

/// How often the new server asks again: another one may be just before it.
const REPEATS: u32 = 5;

/// The longest reason for not handing over.
const MAX_REASON: u64 = 64 * 1024;

/// The longest head of a hand-over.
const MAX_HEAD: usize = 32;

/// What a new server gets from the old one.
pub(super) struct Taken {
    pub(super) handover: Handover,
    pub(super) lock: OwnedFd,
    pub(super) control: UnixListener,
    pub(super) redirect: Listeners,
    /// Which redirect listeners are others than the old server's.
    pub(super) moved: Moved,
    /// The old server, which still waits to hear that this one can begin.
    pub(super) old: UnixStream,
}

impl Taken {
    /// Puts what the old server knew into the new one's vault.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn put_into(&mut self, vault: &mut Vault) -> Result<Vec<Order>, String> {
        let text = std::mem::take(&mut self.handover.vault);
        vault.take_over(&text, self.moved, clock::moment())
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
    let handover: Handover = serde_json::from_slice(&text)
        .map_err(|_| "what the running server hands over cannot be read: stop it first")?;
    let mut descriptors = descriptors.into_iter();
    let (Some(lock), Some(control)) = (descriptors.next(), descriptors.next()) else {
        return Err("the running server hands over no sockets: stop it first".into());
    };
    let redirect = listeners(&handover, descriptors.collect())
        .ok_or("the running server hands over too few sockets: stop it first")?;
    Ok(Offer::Given(Box::new(Taken {
        handover,
        lock,
        control: control.into(),
        redirect,
        moved: Moved::default(),
        old,
    })))
}

/// The redirect listeners: those for http come first. `None` where there are fewer than there
/// should be.
fn listeners(handover: &Handover, mut http: Vec<OwnedFd>) -> Option<Listeners> {
    let secure = http.len().checked_sub(handover.https_sockets)?;
    let https = http.split_off(secure);
    let certificate = handover.certificate.as_ref();
    Some(Listeners::inherited(
        http.into_iter().map(Into::into).collect(),
        https.into_iter().map(Into::into).collect(),
        certificate.and_then(Certificate::take_over),
    ))
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
            log::info!("taking over from version {}", taken.handover.version);
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
            reason(&error, old).unwrap_or_else(|| console::describe(&error))
        )),
    }
}

/// The old server's reason for going on, where it gives one.
fn reason(error: &io::Error, old: &UnixStream) -> Option<String> {
    let NotThat(begun) = error.get_ref()?.downcast_ref()?;
    let mut whole = begun.clone();
    old.take(MAX_REASON).read_to_end(&mut whole).ok()?;
    match Reply::decode(&whole) {
        Ok(Reply::Error(reason)) => Some(reason),
        _ => None,
    }
}
