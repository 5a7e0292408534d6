//! The queue of the user's commands: one at a time, in order.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::server::shell::{self, Command};

/// How long a notification or an event may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10);

/// More commands than this are not kept waiting: they take up to ten seconds each, and what is
/// told hours later helps nobody.
const LONGEST_QUEUE: usize = 4096;

/// Where commands are handed in.
#[derive(Clone)]
pub(super) struct Notifier(SyncSender<Command>);

impl Notifier {
    /// A queue, and the end of it at which [`run`] works.
    pub(super) fn new() -> (Self, Receiver<Command>) {
        let (sender, receiver) = sync_channel(LONGEST_QUEUE);
        (Self(sender), receiver)
    }

    /// Has `command` run when its turn comes.
    pub(super) fn queue(&self, command: Command) {
        if let Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) =
            self.0.try_send(command)
        {
            log::warn!(
                "{} is not run: too many commands are waiting",
                command.option
            );
        }
    }
}

/// Runs what is handed in, for as long as anybody can hand something in.
pub(super) fn run(queue: &Receiver<Command>) {
    for command in queue {
        let ended = shell::run(&command);
        if ended.code() == Some(0) {
            log::debug!("{} {ended}", command.option);
        } else {
            log::warn!("{} {ended}", command.option);
        }
    }
}
