//! Hands the token state to `persist_cmd` after changes, and takes it from `restore_cmd` at start.
//! Whether it may be handed over is decided in [`crate::vault::keeping`].

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Moment};
use crate::secret::SecretText;
use crate::server::Server;
use crate::server::shell::{self, Command};
use crate::sys;
use crate::vault::Vault;
use crate::vault::keeping::Keeping;

/// How long `persist_cmd` may take: encrypting may need an agent, which may be slow.
const PERSIST_LIMIT: Duration = Duration::from_secs(60);

/// How long `restore_cmd` may take: decrypting may need the user.
const RESTORE_LIMIT: Duration = Duration::from_secs(180);

/// Changes that follow each other this closely are kept together.
const QUIET: Duration = Duration::from_millis(500);

/// But not for longer than this after the first one.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The first and the longest gap before another try, where `persist_cmd` failed.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// What `restore_cmd` leaves behind where it fails.
const NOT_RESTORED: &str = "the tokens that it should have brought are missing, and persist_cmd is \
                            not run until there are new ones";

/// What the persister is told.
enum Signal {
    /// The tokens have changed.
    Changed,
    /// A token was obtained, or a dump was restored by hand.
    Obtained,
    /// The user has revoked a token.
    Revoked,
    /// Keep what is not kept yet, now, and say when that is done.
    Flush(Sender<()>),
    /// Do nothing until told otherwise, and say what may be kept.
    Pause(Sender<Keeping>),
    /// Go on.
    Resume,
}

/// Where the persister is told something, and asked how it fares.
#[derive(Clone)]
pub(super) struct Persister {
    signals: Sender<Signal>,
    trouble: Trouble,
}

/// The persister's own end.
pub(super) struct Inbox {
    signals: Receiver<Signal>,
    trouble: Trouble,
}

/// Why tokens are not kept, for as long as they are not.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, trouble: String) {
        *self.lock() = Some(trouble);
    }

    fn clear(&self) {
        *self.lock() = None;
    }
}

/// The two ends.
pub(super) fn new() -> (Persister, Inbox) {
    let (sender, receiver) = channel();
    let trouble = Trouble::default();
    let inbox = Inbox {
        signals: receiver,
        trouble: trouble.clone(),
    };
    let persister = Persister {
        signals: sender,
        trouble,
    };
    (persister, inbox)
}

impl Persister {
    /// Why tokens are not kept, where they should be and are not.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    pub(super) fn changed(&self) {
        self.tell(Signal::Changed);
    }

    pub(super) fn obtained(&self) {
        self.tell(Signal::Obtained);
    }

    pub(super) fn revoked(&self) {
        self.tell(Signal::Revoked);
    }

    /// Waits until the last change is kept, or cannot be.
    pub(super) fn flush(&self, limit: Duration) {
        let (done, is_done) = channel();
        self.tell(Signal::Flush(done));
        // Where it takes too long, the dump before this one is what is kept.
        let _ = is_done.recv_timeout(limit);
    }

    /// Waits until no command is running, and has none run before [`Self::resume`].
    pub(super) fn pause(&self) -> Keeping {
        let (sender, receiver) = channel();
        self.tell(Signal::Pause(sender));
        receiver.recv().unwrap_or_default()
    }

    pub(super) fn resume(&self) {
        self.tell(Signal::Resume);
    }

    fn tell(&self, signal: Signal) {
        // The persister listens as long as the process lives.
        let _ = self.signals.send(signal);
    }
}

/// Runs `restore_cmd`, where there is one, before anybody is answered.
pub(super) fn restore(server: &Arc<Server>) -> Keeping {
    let mut keeping = Keeping::default();
    let settings = server.shared.settings();
    let Some(script) = &settings.config.restore_cmd else {
        return keeping;
    };
    match take_over(server, script) {
        Ok(report) => log::info!("restore_cmd: {report}"),
        Err(reason) => {
            keeping.restore_failed();
            let message = format!("restore_cmd {reason}: {NOT_RESTORED}");
            server.report(&message);
            server.persister.trouble.set(message);
        }
    }
    keeping
}

fn take_over(server: &Arc<Server>, script: &str) -> Result<String, String> {
    let command = command("restore_cmd", script, RESTORE_LIMIT);
    let finished = shell::pipe(&command, None);
    if finished.ended.code() != Some(0) {
        return Err(finished.ended.to_string());
    }
    let dump = std::str::from_utf8(&finished.output).map_err(|_| "did not print a dump")?;
    if dump.trim().is_empty() {
        return Ok("there was nothing to restore".into());
    }
    server
        .restore_dump(dump)
        .map(|report| report.to_string())
        .map_err(|error| format!("printed no dump: {error}"))
}

fn command(option: &'static str, script: &str, limit: Duration) -> Command {
    Command {
        option,
        script: script.into(),
        environment: Vec::new(),
        limit,
    }
}

/// What is to be kept, and when.
struct Work {
    keeping: Keeping,
    /// When to run the command next; `None` while nothing is to be kept.
    due: Option<Moment>,
    /// How long the first of the changes that are not kept yet may wait.
    latest: Moment,
    /// The gap before the next try, after a failure.
    retry: Duration,
    paused: bool,
    trouble: Trouble,
}

/// Works for as long as the server does.
pub(super) fn run(server: &Arc<Server>, inbox: &Inbox, keeping: Keeping) {
    let now = clock::moment();
    let mut work = Work {
        keeping,
        due: None,
        latest: now,
        retry: FIRST_RETRY,
        paused: false,
        trouble: inbox.trouble.clone(),
    };
    // A server that took over does not know how restore_cmd ended, but that it failed.
    if keeping.is_unrestored() && inbox.trouble.lock().is_none() {
        let message = format!("restore_cmd failed: {NOT_RESTORED}");
        inbox.trouble.set(message);
    }
    loop {
        let signal = match work.due.filter(|_| !work.paused) {
            None => inbox
                .signals
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.signals.recv_timeout(due.since(clock::moment())),
        };
        match signal {
            Ok(Signal::Changed) => work.postpone(),
            Ok(Signal::Obtained) => work.obtained(),
            Ok(Signal::Revoked) => {
                work.keeping.revoked();
                work.postpone();
            }
            Ok(Signal::Flush(done)) => {
                if work.due.is_some() {
                    work.keep(server);
                    sys::wipe_stack();
                }
                // Where it failed, the same once more is of no use.
                work.due = None;
                let _ = done.send(());
            }
            Ok(Signal::Pause(paused)) => {
                work.paused = true;
                let _ = paused.send(work.keeping);
            }
            Ok(Signal::Resume) => work.paused = false,
            Err(RecvTimeoutError::Timeout) => {
                work.keep(server);
                sys::wipe_stack();
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Work {
    /// A change: what is to be kept is what it looks like when things have calmed down.
    fn postpone(&mut self) {
        let now = clock::moment();
        if self.due.is_none() {
            self.latest = now + LONGEST_DELAY;
        }
        self.due = Some((now + QUIET).min(self.latest.max(now)));
    }

    fn obtained(&mut self) {
        if self.keeping.is_unrestored() {
            self.trouble.clear();
        }
        self.keeping.obtained();
        // The change itself may have been told of, and refused, a moment ago.
        self.postpone();
    }

    fn keep(&mut self, server: &Server) {
        self.due = None;
        let settings = server.shared.settings();
        let Some(script) = &settings.config.persist_cmd else {
            if !self.keeping.is_unrestored() {
                self.trouble.clear();
            }
            return;
        };
        let snapshot = server.shared.look(Vault::snapshot);
        let empty = snapshot.is_empty();
        if !self.keeping.allows(empty) {
            return;
        }
        let result = snapshot
            .text()
            .map_err(|error| error.to_string())
            .and_then(|dump| hand_over(script, &dump));
        match result {
            Ok(()) => {
                self.keeping.kept(empty);
                self.trouble.clear();
                self.retry = FIRST_RETRY;
            }
            Err(reason) => self.failed(server, &reason),
        }
    }

    fn failed(&mut self, server: &Server, reason: &str) {
        let message = format!("persist_cmd {reason}: the tokens would be lost with the server");
        // Told once; the tries that follow are for the log.
        if self.retry == FIRST_RETRY {
            server.report(&message);
        } else {
            log::warn!("{message}");
        }
        self.trouble.set(message);
        self.due = Some(clock::moment() + self.retry);
        self.latest = clock::moment() + LONGEST_DELAY;
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }
}

fn hand_over(script: &str, dump: &SecretText) -> Result<(), String> {
    let command = command("persist_cmd", script, PERSIST_LIMIT);
    let ended = shell::pipe(&command, Some(dump)).ended;
    match ended.code() {
        Some(0) => Ok(()),
        _ => Err(ended.to_string()),
    }
}
