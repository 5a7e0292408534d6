//! The server's place: the lock that says that it is the one, the control socket, and the redirect
//! listeners. Each is made, inherited from the server before this one, or passed by the system.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
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
    /// The socket's path, to be removed at the end. `None` where it is not this server's to remove.
    pub(super) socket: Option<PathBuf>,
    /// `None` where the system does not tell when files go.
    pub(super) standing: Option<Standing>,
}

impl Place {
    /// Takes the place of nobody.
    ///
    /// # Errors
    /// Where another server has it, or the system refuses; the text is for people.
    pub(super) fn make(
        paths: &RuntimePaths,
        dir: &RuntimeDir,
        config: &Config,
        passed: Vec<OwnedFd>,
    ) -> Result<Self, String> {
        let lock = take_lock(dir, &paths.lock)?;
        let (redirect, _) = Listeners::default().adapt(&Said::default(), config)?;
        // Last, so that no socket is left behind where something else fails.
        let (control, socket) = match passed.into_iter().next() {
            Some(control) => (adopt(control)?, None),
            None => (
                bind_control(dir, &paths.socket)?,
                Some(paths.socket.clone()),
            ),
        };
        Ok(Self {
            standing: Standing::of(paths, &lock, socket.as_deref()),
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
        let socket = taken.handover.owns_socket.then(|| paths.socket.clone());
        Ok(Self {
            standing: Standing::of(paths, &lock, socket.as_deref()),
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
    /// Each where it is, and which one it is.
    files: Vec<(PathBuf, Identity)>,
}

/// The device and the number of a file.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

impl Standing {
    fn of(paths: &RuntimePaths, lock: &File, socket: Option<&Path>) -> Option<Self> {
        let find = || {
            let removals = Removals::from(&paths.dir)?;
            let mut files = vec![(paths.lock.clone(), identity(&lock.metadata()?))];
            if let Some(socket) = socket {
                files.push((socket.into(), identity(&fs::symlink_metadata(socket)?)));
            }
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
fn is_there(path: &Path, known: Identity) -> bool {
    match fs::symlink_metadata(path) {
        Ok(found) => identity(&found) == known,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ),
    }
}

/// Whether a server holds the lock. A socket alone does not tell: the system's service manager may
/// have opened it for this process.
pub(super) fn is_taken(paths: &RuntimePaths) -> bool {
    let lock = File::open(&paths.lock);
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
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

/// Takes the lock that each server holds for as long as it lives, whatever ends it. The file stays
/// when the server goes: were it removed, two servers could each hold the lock of another file.
fn take_lock(dir: &RuntimeDir, path: &Path) -> Result<File, String> {
    let shown = path.display();
    let mut file = dir
        .open_lock()
        .map_err(|error| format!("cannot open the lock file '{shown}': {}", text(&error)))?;
    match file.try_lock() {
        Ok(()) => {
            // The id in it is a dead server's. This one's follows when it has its final one.
            file.set_len(0)
                .map_err(|error| format!("cannot write to '{shown}': {}", text(&error)))?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let who = match holder(&mut file) {
                None => String::new(),
                Some(pid) => format!(" (process {pid})"),
            };
            Err(format!(
                "a pizauth server is running already{who}: 'pizauth shutdown' ends it"
            ))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(format!("cannot lock '{shown}': {}", text(&error)))
        }
    }
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

/// Lets another server have the lock, which takes this one's id for nobody's while it starts.
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
