//! Being a daemon: leaving the terminal, and what sets the process apart from others.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
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

/// What has become of this process.
pub(super) enum Process {
    /// The server, which may have to leave the terminal.
    Server(Option<Detaching>),
    /// Another one, whose work is over.
    Other(Exit),
}

/// What the user started, and has to stay until the server is ready.
struct Waiting {
    child: UnixStream,
    id: Pid,
}

/// A process that is about to leave the terminal.
pub(super) struct Detaching {
    parent: UnixStream,
    null: File,
}

/// Makes two processes of this one, or three: the server, the helper, and the one that the user
/// started. To be called before there is anything that the others must not know.
///
/// # Errors
/// Where the system has no room for another process.
pub(super) fn divide(foreground: bool) -> Result<Process, String> {
    let ends = helper::Ends::new()?;
    if foreground {
        if let helper::Divided::Helper = ends.divide()? {
            // It has closed them already.
            std::mem::forget(ends);
            return Ok(Process::Other(Exit::Done));
        }
        ends.keep();
        return Ok(Process::Server(None));
    }
    let waiting = match go_into_background()? {
        Divided::Child(detaching) => {
            ends.keep();
            return Ok(Process::Server(Some(detaching)));
        }
        Divided::Parent(waiting) => waiting,
    };
    // Here, since the server can read its configuration meanwhile.
    if let helper::Divided::Helper = ends.divide()? {
        std::mem::forget((ends, waiting));
        return Ok(Process::Other(Exit::Done));
    }
    drop(ends);
    Ok(Process::Other(waiting.exit()))
}

/// The two processes after [`go_into_background`].
enum Divided {
    /// The one that the user started.
    Parent(Waiting),
    /// The server.
    Child(Detaching),
}

fn go_into_background() -> Result<Divided, String> {
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
            Ok(Divided::Parent(Waiting { child: parent, id }))
        }
        ForkResult::Child => Ok(Divided::Child(Detaching {
            parent: child,
            null,
        })),
    }
}

impl Waiting {
    /// Waits until the child has said that it is ready, or has failed, which it has told the
    /// terminal itself then. How this process has to end.
    fn exit(mut self) -> Exit {
        let ready = loop {
            match self.child.read(&mut [0; 1]) {
                Ok(count) => break count > 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break false,
            }
        };
        if ready {
            return Exit::Done;
        }
        // A child that ends by itself has said why.
        if let Ok(WaitStatus::Signaled(_, signal, _)) = waitpid(self.id, None) {
            let message = format!("the server was ended by {signal} before it was ready");
            console::error(&mut io::stderr(), &message);
        }
        Exit::Error
    }
}

impl Detaching {
    /// Everything about it that can fail.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn prepare(&self, verbosity: u8) -> Result<(), String> {
        setsid().map_err(|error| format!("cannot leave the terminal: {}", error.desc()))?;
        helper::detach().map_err(|error| text(&error))?;
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
    sys::refuse_huge_pages();
    signals::block()?;
    let locked = Measure::new("tokens locked in memory", sys::reserve_locked_memory());
    let mut protections = vec![
        confinement::protection(hidden),
        confinement::protection(locked),
    ];
    protections.extend(confinement::confine(runtime_dir));
    Ok(protections)
}

fn text(error: &io::Error) -> String {
    console::describe(error)
}
