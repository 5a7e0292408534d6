//! Being a daemon: leaving the terminal, and what sets the process apart from others.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use crate::console;
use crate::exit::Exit;
use crate::logging;
use crate::protocol::Protection;
use crate::server::{confinement, helper, signals};
use crate::sys::{self, Measure};

/// The two processes after [`divide`].
pub(super) enum Divided {
    /// The one that the user started; how it has to end.
    Parent(Exit),
    /// The server.
    Child(Detaching),
}

/// A process that is about to leave the terminal.
pub(super) struct Detaching {
    parent: UnixStream,
    null: File,
}

/// Goes into the background. The parent waits until the child has said that it is ready, or has
/// failed, which it has told the terminal itself then.
///
/// # Errors
/// Where the system has no room for another process.
pub(super) fn divide() -> Result<Divided, String> {
    let failed = |error: io::Error| format!("cannot go into the background: {}", text(&error));
    let (parent, child) = UnixStream::pair().map_err(failed)?;
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(failed)?;
    match sys::fork().map_err(failed)? {
        ForkResult::Parent { child: id } => {
            drop(child);
            Ok(Divided::Parent(await_readiness(parent, id)))
        }
        ForkResult::Child => Ok(Divided::Child(Detaching {
            parent: child,
            null,
        })),
    }
}

fn await_readiness(mut child: UnixStream, id: Pid) -> Exit {
    let ready = loop {
        match child.read(&mut [0; 1]) {
            Ok(count) => break count > 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
    };
    if ready {
        return Exit::Done;
    }
    // A child that ends by itself has said why.
    if let Ok(WaitStatus::Signaled(_, signal, _)) = waitpid(id, None) {
        let message = format!("the server was ended by {signal} before it was ready");
        console::error(&mut io::stderr(), &message);
    }
    Exit::Error
}

impl Detaching {
    /// Everything about it that can fail.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn prepare(&self, verbosity: u8) -> Result<(), String> {
        setsid().map_err(|error| format!("cannot leave the terminal: {}", error.desc()))?;
        helper::detach();
        if logging::to_syslog(verbosity).is_err() {
            console::say(
                &mut io::stderr(),
                "pizauth: there is no syslog here, so nothing is logged: 'pizauth server -d' logs \
                 to the terminal",
            );
        }
        Ok(())
    }

    /// Leaves the terminal, and lets the parent go.
    pub(super) fn finish(mut self) {
        let null = &self.null;
        // Where the system refuses, the terminal stays open: no reason to end.
        let _ = dup2_stdin(null)
            .and(dup2_stdout(null))
            .and(dup2_stderr(null));
        // A parent that was killed meanwhile need not be told.
        let _ = self.parent.write(&[1]);
    }
}

/// What sets a daemon apart, before there are threads and secrets. Says what protects it.
///
/// # Errors
/// Where the system refuses what is needed.
pub(super) fn harden(runtime_dir: &Path) -> io::Result<Vec<Protection>> {
    std::env::set_current_dir("/")?;
    let hidden = Measure::new("memory hidden from other programs", sys::hide_memory());
    if let Err(error) = &hidden.outcome {
        log::warn!("other programs of this user may be able to read this one's memory: {error}");
    }
    sys::raise_descriptor_limit();
    sys::give_memory_back();
    signals::block()?;
    let locked = Measure::new("tokens locked in memory", sys::reserve_locked_memory());
    let mut protections = vec![
        confinement::protection(hidden),
        confinement::protection(locked),
    ];
    protections.extend(confinement::confine(runtime_dir));
    Ok(protections)
}

/// Leaves this process's id in the lock file, for those who find it taken.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn sign(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn text(error: &io::Error) -> String {
    console::describe(error)
}
