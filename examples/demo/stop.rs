//! Being told to stop: by ctrl-c, by a plain kill, or since something went wrong.
//!
//! A signal ends nothing by itself: it makes the next [`Stop::check`] or [`Stop::pause`] fail, so
//! that everything is cleaned up on the way out as after any other trouble.

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use pizauth::console;

/// Why the demo ends early.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This signal arrived.
    Stopped(Signal),
    /// Something went wrong: what, and what to do.
    Failed(String),
}

impl Trouble {
    /// The exit status that goes with it: what a shell makes of a signal, otherwise 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Stopped(signal) => {
                u8::try_from(128 + *signal as i32).map_or(ExitCode::FAILURE, ExitCode::from)
            }
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(_) => f.write_str("stopped: everything has been cleaned up"),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(console::describe(&error))
    }
}

/// Makes an error of anything that says what went wrong.
pub(crate) fn failed(what: impl fmt::Display) -> Trouble {
    Trouble::Failed(what.to_string())
}

/// Whether it is time to stop.
#[derive(Clone)]
pub(crate) struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    signal: Option<Signal>,
    /// The process that a signal ends. Whatever waits for an answer of it goes on then.
    server: Option<Pid>,
}

impl Stop {
    /// Waits for signals from now on. To be called before there are other threads, which inherit
    /// that they do not get any.
    pub(crate) fn listen() -> Result<Self, Trouble> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
            .into_iter()
            .collect();
        signals.thread_block().map_err(failed)?;
        let stop = Self(Arc::default());
        let other = stop.clone();
        let wait = move || {
            loop {
                if let Ok(signal) = signals.wait() {
                    other.stop(signal);
                }
            }
        };
        thread::Builder::new().name("signals".into()).spawn(wait)?;
        Ok(stop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, signal: Signal) {
        let mut state = self.state();
        state.signal.get_or_insert(signal);
        if let Some(server) = state.server {
            // It cannot be another process by now: it is not collected before it is taken away.
            let _ = kill(server, Signal::SIGTERM);
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Sets the process that a signal ends; `None` before it is collected.
    pub(crate) fn set_server(&self, server: Option<Pid>) {
        self.state().server = server;
    }

    /// Fails if it is time to stop.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        self.state()
            .signal
            .map_or(Ok(()), |signal| Err(Trouble::Stopped(signal)))
    }

    /// Waits for this long, or fails as soon as it is time to stop.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Trouble> {
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), time, |state| state.signal.is_none());
        drop(waited);
        self.check()
    }
}
