//! Where the runtime directory, the socket, the lock file and the configuration file are, and
//! whether the runtime directory can be trusted.
//!
//! Knows the environment and the file system; knows nothing of what is in the files. A client only
//! computes where the socket is: that costs no system call where `XDG_RUNTIME_DIR` is set.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, User, geteuid, mkdir, unlinkat};

use crate::console::describe;
use crate::sys::MAX_SOCKET_PATH;

/// Where systemd and elogind make a user's runtime directory, whoever knows of it or not: a cron
/// job must find the server of the same user's desktop session.
const RUN_USER: &str = "/run/user";
/// The socket, and the lock file, in the runtime directory.
const SOCKET: &str = "pizauth.sock";
const LOCK: &str = "pizauth.lock";
/// Names another socket for commands.
const SOCKET_VARIABLE: &str = "PIZAUTH_SOCKET";
/// The runtime directory's permissions: its owner's only.
const PRIVATE: Mode = Mode::S_IRWXU;
/// The bits of a mode that are permissions.
const PERMISSIONS: Mode = Mode::S_IRWXU.union(Mode::S_IRWXG).union(Mode::S_IRWXO);

/// Where the files of a running server are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimePaths {
    /// The directory that holds the others.
    pub dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The file that a server locks for as long as it runs.
    pub lock: PathBuf,
}

impl RuntimePaths {
    /// The paths that this process's environment leads to.
    #[must_use]
    pub fn find() -> Self {
        let environment = Environment::of_process();
        Self::within(runtime_dir(&environment, Path::new(RUN_USER)))
    }

    /// The paths where `dir` is the runtime directory.
    #[must_use]
    pub fn within(dir: PathBuf) -> Self {
        Self {
            socket: dir.join(SOCKET),
            lock: dir.join(LOCK),
            dir,
        }
    }

    /// Makes the runtime directory where it is missing, and checks that nobody else can put
    /// anything into it. For the server, before it creates the lock file and the socket.
    ///
    /// # Errors
    /// If the directory cannot be had or trusted, or the socket's path is too long for a socket.
    pub fn prepare(&self) -> Result<RuntimeDir, PathError> {
        let length = self.socket.as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(PathError::SocketTooLong(self.socket.clone()));
        }
        make_dir(&self.dir)?;
        check_dir(&self.dir)
    }
}

/// The runtime directory, opened and found to be the user's own: what is looked up in it is in this
/// directory, even where somebody puts another one in its place.
#[derive(Debug)]
pub struct RuntimeDir(OwnedFd);

impl RuntimeDir {
    /// Opens the lock file, which is made where it is missing. It must be a file of the user's own
    /// that has no other name: it is about to be overwritten.
    ///
    /// # Errors
    /// Where it is anything else, or the system refuses.
    pub fn open_lock(&self) -> io::Result<File> {
        // A pipe must not hold this up.
        let flags = OFlag::O_RDWR
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let lock = openat(&self.0, LOCK, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let lock = File::from(lock);
        let found = lock.metadata()?;
        if !found.is_file() || found.uid() != geteuid().as_raw() || found.nlink() != 1 {
            return Err(io::Error::other(
                "it is not a file of this user's alone: remove it",
            ));
        }
        Ok(lock)
    }

    /// Removes the socket of a server that is dead, where there is one.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove_socket(&self) -> io::Result<()> {
        match unlinkat(&self.0, SOCKET, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the socket that was just made is in this directory, private and the user's own:
    /// sockets can be made by path only.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_socket(&self) -> io::Result<()> {
        let found = fstatat(&self.0, SOCKET, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        let mode = Mode::from_bits_truncate(found.st_mode) & PERMISSIONS;
        let private = Mode::S_IRUSR | Mode::S_IWUSR;
        if kind == SFlag::S_IFSOCK && mode == private && found.st_uid == geteuid().as_raw() {
            return Ok(());
        }
        Err(io::Error::other("somebody else has put something there"))
    }
}

/// Where commands find the server: the socket that `PIZAUTH_SOCKET` names, which leads to another
/// machine where it is forwarded, or that of this user's own server.
#[must_use]
pub fn control_socket() -> PathBuf {
    named_socket().unwrap_or_else(|| RuntimePaths::find().socket)
}

/// The socket that `PIZAUTH_SOCKET` names.
#[must_use]
pub fn named_socket() -> Option<PathBuf> {
    let named = std::env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty());
    named.map(PathBuf::from)
}

/// What the paths depend on.
#[derive(Debug, Default)]
struct Environment {
    xdg_runtime_dir: Option<OsString>,
    tmpdir: Option<OsString>,
    uid: u32,
}

impl Environment {
    fn of_process() -> Self {
        Self {
            xdg_runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            tmpdir: std::env::var_os("TMPDIR"),
            uid: geteuid().as_raw(),
        }
    }
}

fn runtime_dir(environment: &Environment, run_user: &Path) -> PathBuf {
    if let Some(dir) = usable(environment.xdg_runtime_dir.as_ref()) {
        return dir.join("pizauth");
    }
    let uid = environment.uid;
    let session = run_user.join(uid.to_string());
    if fs::metadata(&session).is_ok_and(|found| found.is_dir() && found.uid() == uid) {
        return session.join("pizauth");
    }
    let temporary = usable(environment.tmpdir.as_ref());
    let temporary = temporary.unwrap_or_else(|| PathBuf::from("/tmp"));
    temporary.join(format!("pizauth-{uid}"))
}

/// The XDG specification has relative paths ignored, and an empty variable is an unset one.
fn usable(variable: Option<&OsString>) -> Option<PathBuf> {
    variable
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Makes the directory, but none above it: a missing runtime directory of the session is a mistake
/// that a directory made in its place would hide.
fn make_dir(dir: &Path) -> Result<(), PathError> {
    match mkdir(dir, PRIVATE) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(Errno::ENOENT) => Err(PathError::NoParent(dir.to_owned())),
        Err(error) => Err(PathError::System(
            "make the directory",
            dir.to_owned(),
            error.into(),
        )),
    }
}

/// Checks what is there, not what was there a moment ago: all through one open directory.
fn check_dir(dir: &Path) -> Result<RuntimeDir, PathError> {
    let failed = |what| move |error: Errno| PathError::System(what, dir.to_owned(), error.into());
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let handle = match open(dir, flags, Mode::empty()) {
        Ok(handle) => handle,
        Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(PathError::NotADir(dir.to_owned())),
        Err(error) => return Err(failed("open the directory")(error)),
    };
    let found = fstat(&handle).map_err(failed("look at the directory"))?;
    if found.st_uid != geteuid().as_raw() {
        return Err(PathError::NotOurs(dir.to_owned(), found.st_uid));
    }
    if Mode::from_bits_truncate(found.st_mode) & PERMISSIONS != PRIVATE {
        fchmod(&handle, PRIVATE).map_err(failed("make private the directory"))?;
    }
    Ok(RuntimeDir(handle))
}

/// The configuration file: `explicit` (from `-c`), or where the environment has it. Absolute, since
/// the server leaves the directory that it was started in.
///
/// # Errors
/// If there is no telling where it is.
pub fn config_file(explicit: Option<&Path>) -> Result<PathBuf, PathError> {
    if let Some(path) = explicit {
        return std::path::absolute(path)
            .map_err(|error| PathError::System("find the configuration", path.to_owned(), error));
    }
    let variable = |name| usable(std::env::var_os(name).as_ref());
    let home = || variable("HOME").or_else(|| home_of(geteuid()));
    config_file_in(variable("XDG_CONFIG_HOME"), home).ok_or(PathError::NoHome)
}

fn config_file_in(
    xdg_config_home: Option<PathBuf>,
    home: impl FnOnce() -> Option<PathBuf>,
) -> Option<PathBuf> {
    let dir = xdg_config_home.or_else(|| Some(home()?.join(".config")))?;
    Some(dir.join("pizauth.conf"))
}

/// The home directory in the user database, for a process whose environment was emptied.
fn home_of(uid: Uid) -> Option<PathBuf> {
    let user = User::from_uid(uid).ok()??;
    Some(user.dir).filter(|dir| dir.is_absolute())
}

/// Why a path cannot be used.
#[derive(Debug)]
pub enum PathError {
    /// The directory that should hold the runtime directory is missing.
    NoParent(PathBuf),
    /// The runtime directory is something else: a symbolic link or a file.
    NotADir(PathBuf),
    /// The runtime directory is another user's.
    NotOurs(PathBuf, u32),
    /// The socket's path does not fit into a socket's address.
    SocketTooLong(PathBuf),
    /// There is neither `XDG_CONFIG_HOME` nor a home directory.
    NoHome,
    /// The system refused something.
    System(&'static str, PathBuf, io::Error),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoParent(dir) => write!(
                f,
                "cannot make the directory '{}': the directory above it does not exist: \
                 correct or unset XDG_RUNTIME_DIR (or TMPDIR)",
                dir.display()
            ),
            Self::NotADir(dir) => write!(
                f,
                "'{}' is not a directory, or is a symbolic link to one: remove it",
                dir.display()
            ),
            Self::NotOurs(dir, owner) => write!(
                f,
                "the directory '{}' belongs to the user with id {owner}: remove it, \
                 or set XDG_RUNTIME_DIR to a directory of your own",
                dir.display()
            ),
            Self::SocketTooLong(path) => write!(
                f,
                "the socket's path '{}' is {} bytes long, and {MAX_SOCKET_PATH} is the most that \
                 the system allows: set XDG_RUNTIME_DIR to a shorter path",
                path.display(),
                path.as_os_str().as_bytes().len()
            ),
            Self::NoHome => f.write_str(
                "there is no telling where the configuration file is, since neither \
                 XDG_CONFIG_HOME nor HOME is set: name it with '-c'",
            ),
            Self::System(what, path, error) => {
                write!(f, "cannot {what} '{}': {}", path.display(), describe(error))
            }
        }
    }
}

impl std::error::Error for PathError {}

#[cfg(test)]
mod tests;
