//! The queue of the user's commands: one at a time, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::server::shell::{self, Command};

/// How long a notification or an event may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10);

/// More commands than this are not kept waiting: they take up to ten seconds each, and what is
/// told hours later helps nobody. Ten thousand accounts may have an event at the same time.
const LONGEST_QUEUE: usize = 16 * 1024;

/// What is in the queue.
enum Item {
    Run(Command),
    /// Everything before this has been run.
    Mark(Sender<()>),
}

/// Where commands are handed in.
pub(super) struct Notifier {
    sender: Sender<Item>,
    waiting: Arc<AtomicUsize>,
}

/// Where [`run`] takes them from.
pub(super) struct Queue {
    receiver: Receiver<Item>,
    waiting: Arc<AtomicUsize>,
}

impl Notifier {
    /// A queue, and the end of it at which [`run`] works.
    pub(super) fn new() -> (Self, Queue) {
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let queue = Queue {
            receiver,
            waiting: Arc::clone(&waiting),
        };
        (Self { sender, waiting }, queue)
    }

    /// Waits until everything that is queued has been run, but not for longer than `limit`.
    pub(super) fn finish(&self, limit: Duration) {
        let (done, is_done) = channel();
        let _ = self.sender.send(Item::Mark(done));
        let _ = is_done.recv_timeout(limit);
    }

    /// Has `command` run when its turn comes.
    pub(super) fn queue(&self, command: Command) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= LONGEST_QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            log::warn!(
                "{} is not run: too many commands are waiting",
                command.option
            );
            return;
        }
        // The other end is there for as long as the process is.
        let _ = self.sender.send(Item::Run(command));
    }
}

/// Runs what is handed in, for as long as anybody can hand something in.
pub(super) fn run(queue: &Queue) {
    for item in &queue.receiver {
        let command = match item {
            Item::Run(command) => command,
            Item::Mark(done) => {
                let _ = done.send(());
                continue;
            }
        };
        queue.waiting.fetch_sub(1, Ordering::Relaxed);
        let ended = shell::tell(&command);
        if ended.code() == Some(0) {
            log::debug!("{} {ended}", command.option);
        } else {
            log::warn!("{} {ended}", command.option);
        }
    }
}
