//! The server's place: the lock that says that it is the one, the control socket, and the redirect
//! listeners. Each is made, inherited from the server before this one, or passed by the system.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::signal::kill;
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use crate::config::Config;
use crate::console;
use crate::paths::{RuntimeDir, RuntimePaths};
use crate::server::redirect::{Listeners, Said};
use crate::server::taking::Taken;
use crate::sys::{self, Removals};

/// What a server needs in order to be found, and to be the only one.
pub(super) struct Place {
    pub(super) lock: File,
    pub(super) control: UnixListener,
    pub(super) redirect: Listeners,
    /// To be removed at the end. `None` where it is not this server's to remove.
    pub(super) socket: Option<OwnSocket>,
    /// `None` where the system does not tell when files go.
    pub(super) standing: Option<Standing>,
}

impl Place {
    /// Takes the place of nobody, whose lock this process has.
    ///
    /// # Errors
    /// Where the system refuses; the text is for people.
    pub(super) fn make(
        lock: File,
        paths: &RuntimePaths,
        dir: &RuntimeDir,
        config: &Config,
        passed: Option<OwnedFd>,
    ) -> Result<Self, String> {
        let (redirect, _) = Listeners::default().adapt(&Said::default(), config)?;
        // Last, so that no socket is left behind where something else fails.
        let (control, socket) = match passed {
            Some(control) => (adopt(control)?, None),
            None => {
                let control = bind_control(dir, &paths.socket)?;
                (control, Some(OwnSocket::at(&paths.socket)))
            }
        };
        Ok(Self {
            standing: Standing::of(paths, &lock, socket.as_ref()),
            lock,
            control,
            redirect,
            socket,
        })
    }

    /// Takes the place of a server that hands over.
    ///
    /// # Errors
    /// Where the configuration wants other listeners, which cannot be had.
    pub(super) fn inherit(
        paths: &RuntimePaths,
        config: &Config,
        taken: &mut Taken,
    ) -> Result<Self, String> {
        let inherited = std::mem::take(&mut taken.redirect);
        let (redirect, moved) = inherited.adapt(&taken.handover.said, config)?;
        taken.moved = moved;
        let failed = |error: io::Error| text(&error);
        let lock = taken.lock.try_clone().map_err(failed)?.into();
        let owns_socket = taken.handover.owns_socket;
        let socket = owns_socket.then(|| OwnSocket::at(&paths.socket));
        Ok(Self {
            standing: Standing::of(paths, &lock, socket.as_ref()),
            lock,
            control: taken.control.try_clone().map_err(failed)?,
            redirect,
            socket,
        })
    }
}

/// The files by which others know of a server.
pub(super) struct Standing {
    removals: Removals,
    /// Locked, so that those who clean up temporary directories pass it by.
    _directory: File,
    /// Each where it is, and which one it is; `None` where it is lost already.
    files: Vec<(PathBuf, Option<Identity>)>,
}

/// A control socket that a server made, or the one before it.
#[derive(Clone)]
pub(super) struct OwnSocket {
    path: PathBuf,
    identity: Option<Identity>,
}

impl OwnSocket {
    /// The one that is there.
    fn at(path: &Path) -> Self {
        Self {
            path: path.into(),
            identity: fs::symlink_metadata(path).ok().as_ref().map(identity),
        }
    }

    /// Removes it, unless it is another server's by now.
    pub(super) fn remove(&self) {
        if is_there(&self.path, self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The device and the number of a file.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

impl Standing {
    fn of(paths: &RuntimePaths, lock: &File, socket: Option<&OwnSocket>) -> Option<Self> {
        let find = || {
            let removals = Removals::from(&paths.dir)?;
            let mut files = vec![(paths.lock.clone(), Some(identity(&lock.metadata()?)))];
            files.extend(socket.map(|socket| (socket.path.clone(), socket.identity)));
            let directory = File::open(&paths.dir)?;
            let _ = directory.try_lock_shared();
            Ok(Self {
                removals,
                _directory: directory,
                files,
            })
        };
        let unnoticed = |error: &io::Error| {
            log::debug!("whether the server's files go will not be noticed: {error}");
        };
        find().inspect_err(unnoticed).ok()
    }

    /// Comes back when one of the files is no longer where it was, and says which.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub(super) fn wait_until_lost(&self) -> io::Result<&Path> {
        loop {
            let mut files = self.files.iter();
            if let Some((path, _)) = files.find(|(path, known)| !is_there(path, *known)) {
                return Ok(path);
            }
            self.removals.wait()?;
        }
    }
}

/// Also where the system does not say.
fn is_there(path: &Path, known: Option<Identity>) -> bool {
    match fs::symlink_metadata(path) {
        Ok(found) => Some(identity(&found)) == known,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ),
    }
}

/// The sockets that the system's service manager has opened for this process (socket activation).
pub(super) fn passed() -> Vec<OwnedFd> {
    match sd_notify::listen_fds() {
        Ok(numbers) => numbers.map(sys::adopt).collect(),
        Err(error) => {
            log::warn!("the service manager's sockets cannot be used: {error}");
            Vec::new()
        }
    }
}

fn adopt(control: OwnedFd) -> Result<UnixListener, String> {
    let listener = UnixListener::from(control);
    listener
        .local_addr()
        .and_then(|_| listener.set_nonblocking(true))
        .map_err(|error| {
            format!(
                "the socket that was passed is no Unix socket: {}",
                text(&error)
            )
        })?;
    Ok(listener)
}

/// The lock that each server holds for as long as it lives, whatever ends it.
pub(super) enum Lock {
    /// This process has it.
    Ours(File),
    /// Another server has it; what to say where that is not wanted.
    Held(String),
}

/// Takes the lock. The file stays when the server goes: were it removed, two servers could each hold
/// the lock of another file.
///
/// # Errors
/// Where the system refuses; the text is for people.
pub(super) fn lock(dir: &RuntimeDir, path: &Path) -> Result<Lock, String> {
    let shown = path.display();
    let mut file = dir
        .open_lock()
        .map_err(|error| format!("cannot open the lock file '{shown}': {}", text(&error)))?;
    match file.try_lock() {
        Ok(()) => {
            // The id in it is a dead server's. This one's follows when it has its final one.
            file.set_len(0)
                .map_err(|error| format!("cannot write to '{shown}': {}", text(&error)))?;
            Ok(Lock::Ours(file))
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let who = match holder(&mut file) {
                None => String::new(),
                Some(pid) => format!(" (process {pid})"),
            };
            Ok(Lock::Held(format!(
                "a pizauth server is running already{who}: 'pizauth shutdown' ends it"
            )))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(format!("cannot lock '{shown}': {}", text(&error)))
        }
    }
}

/// What is written in a lock file that others read, too; `None` where it is nothing, or cannot be
/// read.
pub(super) fn signature(lock: BorrowedFd<'_>) -> Option<String> {
    let file = File::from(lock.try_clone_to_owned().ok()?);
    let mut bytes = [0; 32];
    let count = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(&bytes[..count]).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The process whose id is in the lock file. `None` where there is no such process: the server that
/// holds the lock has not signed yet, and what is there was left by one that was killed.
fn holder(file: &mut File) -> Option<Pid> {
    let mut id = String::new();
    file.read_to_string(&mut id).ok()?;
    let pid = id.trim().parse().ok().filter(|id| *id > 0)?;
    let pid = Pid::from_raw(pid);
    kill(pid, None).is_ok().then_some(pid)
}

/// Leaves this process's id in the lock file, for those who find it taken.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn sign(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    let id = std::process::id();
    // In one piece, for those who read meanwhile.
    lock.write_all(format!("{id}\n").as_bytes())
}

/// Lets another server have the lock. This one's id is taken out first: until the other has signed,
/// nobody must take it for the one that is running.
///
/// # Errors
/// Where the system refuses; the lock goes with the process.
pub(super) fn leave(lock: &File) -> io::Result<()> {
    let unsigned = lock.set_len(0);
    lock.unlock().and(unsigned)
}

/// Takes the socket's place. Whoever holds the lock may: a socket that is there is a dead
/// server's.
fn bind_control(dir: &RuntimeDir, path: &Path) -> Result<UnixListener, String> {
    let failed = |error: io::Error| {
        format!(
            "cannot make the control socket '{}': {}",
            path.display(),
            text(&error)
        )
    };
    dir.remove_socket().map_err(failed)?;
    // Private from its first moment, not only after a chmod.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(failed)?;
    dir.check_socket().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn text(error: &io::Error) -> String {
    console::describe(error)
}
