//! Taking over from a running server: the new one's side of `--replace`.
//!
//! Nothing is begun here before the old server has given its word; what it hands over, and when it
//! takes it back, is in [`crate::server::handover`].

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock;
use crate::console;
use crate::paths::{RuntimeDir, RuntimePaths};
use crate::protocol::{
    HANDOVER_BEGUN, HANDOVER_DONE, HANDOVER_FORMAT, HANDOVER_READY, Reply, Request,
    read_handover_head,
};
use crate::server::handover::{Handover, NotThat, expect, is_gone};
use crate::server::place::{self, Lock};
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

/// How often, and how soon again, a server is looked for that has the lock and is not heard.
const LOOKS: u32 = 40;
const NEXT_LOOK: Duration = Duration::from_millis(50);

/// What a new server gets from the old one.
pub(super) struct Taken {
    pub(super) handover: Handover,
    pub(super) lock: OwnedFd,
    /// What was in the lock file then.
    signed: Option<String>,
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

    /// Whether the lock file is as the old server had it when it handed over.
    fn is_still_signed(&self) -> bool {
        self.signed.is_some() && place::signature(self.lock.as_fd()) == self.signed
    }
}

/// Who was there before.
pub(super) enum Predecessor {
    /// Nobody: the lock is this process's.
    Nobody(File),
    /// A server, which has given this one everything.
    Server(Box<Taken>),
}

/// Takes the lock, or takes over from the server that has it, where it is to be replaced.
///
/// # Errors
/// Where there is a server that stays; the text is for people.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells that a lock is free, or that somebody listens"
)]
pub(super) fn predecessor(
    replace: bool,
    paths: &RuntimePaths,
    dir: &RuntimeDir,
) -> Result<Predecessor, String> {
    let mut looks = 0;
    loop {
        let in_the_way = match place::lock(dir, &paths.lock)? {
            Lock::Ours(lock) => return Ok(Predecessor::Nobody(lock)),
            Lock::Held(in_the_way) => in_the_way,
        };
        if !replace || looks == LOOKS {
            return Err(in_the_way);
        }
        if let Some(taken) = take(&paths.socket)? {
            return Ok(Predecessor::Server(Box::new(taken)));
        }
        // It has not got as far as listening, or is about to end.
        looks += 1;
        thread::sleep(NEXT_LOOK);
    }
}

/// Asks the server at `socket` for everything. `None` where there is no server.
///
/// # Errors
/// Where there is one that does not hand over.
fn take(socket: &Path) -> Result<Option<Taken>, String> {
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
        signed: place::signature(lock.as_fd()),
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
pub(super) fn begin(taken: &Taken) -> Result<(), String> {
    let mut old = &taken.old;
    // Where it goes on itself, it has said so and hung up: then it does not hear this, but it is heard.
    let _ = old.write_all(HANDOVER_READY);
    match expect(old, HANDOVER_DONE) {
        Ok(()) => {
            log::info!("taking over from version {}", taken.handover.version);
            let _ = old.write_all(HANDOVER_BEGUN);
            Ok(())
        }
        // It says so where it goes on, and takes its id out of the lock file where it ends as it was
        // told to. Then another server may be there by now.
        Err(error) if is_gone(&error) && taken.is_still_signed() => {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::client::testing::TempDir;
    use crate::server::redirect::Said;
    use crate::vault::keeping::Keeping;

    /// What a server with this number has handed over, that server's end, and the lock file.
    fn taken(dir: &TempDir, id: &str) -> (Taken, UnixStream, File) {
        let lock = File::create_new(dir.path().join("lock")).unwrap();
        lock.write_all_at(id.as_bytes(), 0).unwrap();
        let shared = File::open(dir.path().join("lock")).unwrap();
        let (old, theirs) = UnixStream::pair().unwrap();
        let taken = Taken {
            handover: Handover {
                version: String::new(),
                said: Said::default(),
                https_sockets: 0,
                certificate: None,
                owns_socket: true,
                keeping: Keeping::default(),
                vault: Zeroizing::default(),
            },
            signed: place::signature(shared.as_fd()),
            lock: shared.into(),
            control: UnixListener::bind(dir.path().join("socket")).unwrap(),
            redirect: Listeners::default(),
            moved: Moved::default(),
            old,
        };
        (taken, theirs, lock)
    }

    #[test]
    fn a_server_that_gives_its_word_is_taken_over_from() {
        let (taken, mut old, _) = taken(&TempDir::new(), "123\n");
        old.write_all(HANDOVER_DONE).unwrap();
        begin(&taken).unwrap();
        expect(&old, HANDOVER_READY).unwrap();
        expect(&old, HANDOVER_BEGUN).unwrap();
    }

    #[test]
    fn one_that_died_is_too() {
        let (taken, old, _) = taken(&TempDir::new(), "123\n");
        drop(old);
        begin(&taken).unwrap();
    }

    #[test]
    fn one_that_goes_on_is_not_even_where_it_is_heard_late() {
        let (taken, mut old, _) = taken(&TempDir::new(), "123\n");
        let reason = Reply::Error("out of patience".into());
        old.write_all(&reason.encode()).unwrap();
        drop(old);
        let told = begin(&taken).unwrap_err();
        assert!(told.ends_with("out of patience"), "{told}");
    }

    #[test]
    fn nor_is_one_that_has_ended_or_that_another_one_has_followed() {
        for left in ["", "124\n"] {
            let (taken, old, lock) = taken(&TempDir::new(), "123\n");
            lock.set_len(0).unwrap();
            lock.write_all_at(left.as_bytes(), 0).unwrap();
            drop(old);
            assert!(begin(&taken).is_err(), "{left:?}");
        }
    }
}
