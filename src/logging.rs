//! What happened goes to syslog when the server runs in the background, and to stderr in the
//! foreground. Secrets never come here: they have no Display and no readable Debug.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use crate::console;

type Syslog = Logger<LoggerBackend, Formatter3164>;

/// Logs to stderr.
struct ToStderr;

/// Logs to syslog. Connects again where the syslog daemon was started anew since the last message:
/// this server may run for longer than that one does.
struct ToSyslog(Mutex<Option<Syslog>>);

/// How much is logged for a number of `-v`.
const fn level(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

/// Logs to stderr from now on.
pub(crate) fn to_stderr(verbose: u8) {
    install(Box::new(ToStderr), verbose);
}

/// Logs to syslog from now on. Says whether there is one; where there is none, each message tries
/// again.
pub(crate) fn to_syslog(verbose: u8) -> Result<(), syslog::Error> {
    let connected = connect();
    let (logger, result) = match connected {
        Ok(logger) => (Some(logger), Ok(())),
        Err(error) => (None, Err(error)),
    };
    install(Box::new(ToSyslog(Mutex::new(logger))), verbose);
    result
}

fn install(logger: Box<dyn Log>, verbose: u8) {
    // Fails only where a logger is there already, which then goes on.
    if log::set_boxed_logger(logger).is_ok() {
        log::set_max_level(level(verbose));
    }
}

/// Has panics, which are mistakes in this program, told from now on by their places alone: what
/// they say may have a secret in it. To stderr where nothing is logged.
pub(crate) fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let message = format!(
            "pizauth has failed in the thread '{}'{}: please report this",
            thread.name().unwrap_or("main"),
            panic
                .location()
                .map(|place| format!(" at {place}"))
                .unwrap_or_default()
        );
        match log::max_level() {
            LevelFilter::Off => console::error(&mut std::io::stderr(), &message),
            _ => log::error!("{message}"),
        }
    }));
}

/// How long a syslog daemon that hangs may keep whoever has something to tell it.
const PATIENCE: Duration = Duration::from_millis(100);

fn connect() -> Result<Syslog, syslog::Error> {
    let syslog = syslog::unix(Formatter3164 {
        facility: Facility::LOG_DAEMON,
        hostname: None,
        process: "pizauth".into(),
        pid: std::process::id(),
    })?;
    // Where a limit cannot be had, it goes without.
    let _ = match &syslog.backend {
        LoggerBackend::Unix(socket) => socket.set_write_timeout(Some(PATIENCE)),
        LoggerBackend::UnixStream(socket) => socket.get_ref().set_write_timeout(Some(PATIENCE)),
        LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => Ok(()),
    };
    Ok(syslog)
}

/// Libraries log what they send and receive, which may be secret.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("pizauth") && metadata.level() <= log::max_level()
}

impl Log for ToStderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_ours(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        // In one piece, since the helper writes there, too. Where stderr is closed there is nobody
        // to tell.
        let line = format!("pizauth: {level}{}\n", record.args());
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

impl ToSyslog {
    fn slot(&self) -> Option<MutexGuard<'_, Option<Syslog>>> {
        if thread::panicking() {
            // It may be in there that this thread has failed, with the lock in its hands.
            return self.0.try_lock().ok();
        }
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for ToSyslog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_ours(record.metadata()) {
            return;
        }
        let message = record.args().to_string();
        let Some(mut slot) = self.slot() else {
            return;
        };
        let sent = slot
            .as_mut()
            .is_some_and(|syslog| send(syslog, record.level(), &message).is_ok());
        if sent {
            return;
        }
        *slot = connect().ok();
        if let Some(syslog) = slot.as_mut() {
            let _ = send(syslog, record.level(), &message);
        }
        drop(slot);
    }

    fn flush(&self) {}
}

fn send(syslog: &mut Syslog, level: Level, message: &str) -> Result<(), syslog::Error> {
    match level {
        Level::Error => syslog.err(message),
        Level::Warn => syslog.warning(message),
        Level::Info => syslog.info(message),
        Level::Debug | Level::Trace => syslog.debug(message),
    }
}
