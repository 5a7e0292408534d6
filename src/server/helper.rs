//! The helper: a process that runs the user's commands and opens the files that the configuration
//! names, so that the server itself can give up both.
//!
//! It is forked before there is any secret, and keeps none: what commands read and print goes
//! through pipes whose ends are passed on, and what is secret of a configuration that it reads again
//! is wiped at once. It does only what the configuration says: a server that
//! an attacker had taken over could make it run the user's own commands, and nothing else.
//!
//! This file is the server's side; the helper's own is in [`process`], and what it may do in
//! [`known`].

pub(super) mod known;
mod process;
mod wire;

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use nix::unistd::ForkResult;

pub(super) use self::wire::{Ask, Run, Told};
use self::wire::{read, write};
use crate::config::{self, Config, ConfigError};
use crate::files::NotNamed;
use crate::sys;

/// How long the helper may take for what it does itself. A file may be on a disk that is asleep.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one helper of this process.
static HELPER: OnceLock<Helper> = OnceLock::new();

struct Helper {
    /// What it may do goes over it first. Then a byte brings a connection of its own for each
    /// thing that is asked for, or has it leave the terminal.
    channel: UnixStream,
}

/// On the channel: a connection comes with this.
const CONNECTION: u8 = 0;
/// On the channel: leave the terminal. What is asked for later is done without it.
const DETACH: u8 = 1;

/// The two ends of the channel, before there is a helper.
pub(super) struct Ends {
    server: UnixStream,
    helper: UnixStream,
}

/// The two processes after [`Ends::divide`].
pub(super) enum Divided {
    /// The helper, when its work is over.
    Helper,
    /// The one that forked it.
    Other,
}

impl Ends {
    /// # Errors
    /// Where the system has no descriptors left.
    pub(super) fn new() -> Result<Self, String> {
        let (server, helper) = UnixStream::pair().map_err(|error| failed(&error))?;
        Ok(Self { server, helper })
    }

    /// Forks the helper. It comes back from here when it has nothing to do any more.
    ///
    /// # Errors
    /// Where the system has no room for another process.
    pub(super) fn divide(&self) -> Result<Divided, String> {
        if let ForkResult::Parent { .. } = sys::fork().map_err(|error| failed(&error))? {
            return Ok(Divided::Other);
        }
        process::live(&self.helper);
        Ok(Divided::Helper)
    }

    /// Makes this process the one that the helper works for.
    pub(super) fn keep(self) {
        // There is one start in a process.
        let _ = HELPER.set(Helper {
            channel: self.server,
        });
    }
}

fn failed(error: &io::Error) -> String {
    format!("cannot start the process that runs commands: {error}")
}

/// Tells the helper what it may do. Once, before anybody can have a hand in this process.
///
/// # Errors
/// Where there is no helper any more.
pub(super) fn inform(config_path: &Path, config: &Config) -> io::Result<()> {
    let known = known::Known::of(config_path, config);
    write(&helper()?.channel, &known, &[])
}

/// Has the helper leave the terminal, as the server does.
///
/// # Errors
/// Where there is no helper any more.
pub(super) fn detach() -> io::Result<()> {
    (&helper()?.channel)
        .write_all(&[DETACH])
        .map_err(|_| is_gone())
}

/// Has the helper open a file.
///
/// # Errors
/// Where it may not, or cannot.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_at(&attentive()?, path)
}

/// A configuration that was read again, by the helper too, which goes by it when it is told to.
pub(super) struct Reread {
    pub(super) config: Config,
    /// `None` where there is no helper any more.
    helper: Option<UnixStream>,
}

impl Reread {
    /// Reads the configuration at `path`.
    ///
    /// # Errors
    /// Where it cannot be read or has mistakes, in words for people.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = |error: ConfigError| error.to_string();
        let open = || attentive().and_then(|helper| Ok((open_at(&helper, path)?, helper)));
        let opened = open().or_else(|error| match error.kind() {
            // Some editors take the file away for a moment.
            io::ErrorKind::NotFound => open(),
            _ => Err(error),
        });
        let (config, helper) = match opened {
            Ok((file, helper)) => {
                let config = config::load_from(&file, path).map_err(text)?;
                settled(&helper).map_err(|error| error.to_string())?;
                (config, Some(helper))
            }
            // Where nothing is confined, this process may open it itself.
            Err(error) if means_gone(&error) => (config::load(path).map_err(text)?, None),
            Err(error) => return Err(text(config::cannot_open(path, &error))),
        };
        if let Some(warning) = config::exposed_secrets(path, &config) {
            log::warn!("{warning}");
        }
        Ok(Self { config, helper })
    }

    /// Has the helper do what this configuration names, from the next thing on that it is asked
    /// for.
    ///
    /// # Errors
    /// Where there is no helper any more.
    pub(super) fn adopt(self) -> io::Result<Config> {
        if let Some(helper) = &self.helper {
            settle(helper, &Ask::Adopt)?;
        }
        Ok(self.config)
    }
}

/// A connection to the helper for what is done at once.
fn attentive() -> io::Result<UnixStream> {
    let connection = connect(&[])?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn open_at(helper: &UnixStream, path: &Path) -> io::Result<File> {
    settle(helper, &Ask::Open(path.as_os_str().as_bytes().to_vec()))?
        .ok_or_else(|| io::Error::other("the helper sent no file"))
}

/// Asks for something that is done at once.
fn settle(helper: &UnixStream, what: &Ask) -> io::Result<Option<File>> {
    ask(helper, what)?;
    settled(helper)
}

/// Waits until it is done.
fn settled(helper: &UnixStream) -> io::Result<Option<File>> {
    let (told, file) = hear(helper)?;
    match told {
        Told::Done => Ok(file),
        Told::NotNamed => Err(io::Error::other(NotNamed)),
        Told::Failed(failure) => Err(failure.into()),
        Told::Exited(_) | Told::TimedOut => Err(io::Error::other("the helper is confused")),
    }
}

/// A connection to the helper, which gets these descriptors with it.
///
/// # Errors
/// Where there is no helper any more.
pub(super) fn connect(descriptors: &[BorrowedFd<'_>]) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut all = vec![theirs.as_fd()];
    all.extend(descriptors);
    sys::send_with_descriptors(&helper()?.channel, &[CONNECTION], &all).map_err(unless_gone)?;
    Ok(ours)
}

/// Asks for something over a connection to the helper.
///
/// # Errors
/// Where there is no helper any more, or this is too long.
pub(super) fn ask(helper: &UnixStream, ask: &Ask) -> io::Result<()> {
    write(helper, ask, &[]).map_err(unless_gone)
}

/// What the helper answers, and the file that it sends.
///
/// # Errors
/// Where there is no helper any more, or it takes longer than the connection waits.
pub(super) fn hear(helper: &UnixStream) -> io::Result<(Told, Option<File>)> {
    let (told, descriptors) = read(helper).map_err(unless_gone)?;
    Ok((told, descriptors.into_iter().next().map(File::from)))
}

/// An error of a connection to the helper, which may be that there is none any more.
fn unless_gone(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::UnexpectedEof => is_gone(),
        _ => error,
    }
}

/// What is said where the helper is no more. Another one cannot be started: this process has given
/// that up, and has secrets in it.
fn is_gone() -> io::Error {
    io::Error::other(Gone)
}

fn means_gone(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Gone>())
}

/// There is no helper any more.
#[derive(Debug)]
struct Gone;

impl std::error::Error for Gone {}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the process that runs commands has ended: restart the server, which \
             'pizauth server --replace' does without losing a token",
        )
    }
}

#[cfg(not(test))]
fn helper() -> io::Result<&'static Helper> {
    HELPER.get().ok_or_else(is_gone)
}

/// Tests have threads and cannot fork: the helper is one of them.
#[cfg(test)]
fn helper() -> io::Result<&'static Helper> {
    let start = || {
        let (channel, helper) = UnixStream::pair().unwrap();
        let known = known::Known::everything();
        let serve = move || process::serve(&helper, known);
        std::thread::Builder::new().spawn(serve).unwrap();
        Helper { channel }
    };
    Ok(HELPER.get_or_init(start))
}
