//! TERM and INT end the server; HUP reads the configuration again.

use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};

use crate::server::Server;

fn handled() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
        .into_iter()
        .collect()
}

/// Keeps the signals for [`run`]. To be called before there are threads, which inherit it; the
/// user's commands would, too (see [`crate::sys::unblock_signals`]).
pub(super) fn block() -> nix::Result<()> {
    handled().thread_block()
}

/// Does `work` while TERM and INT end the process at once, unless whoever started it has it ignore
/// them. For when nobody waits for signals yet.
pub(super) fn while_deadly<T>(work: impl FnOnce() -> T) -> T {
    let deadly: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    let is_deadly = deadly.thread_unblock();
    let done = work();
    if is_deadly.is_ok() {
        let _ = deadly.thread_block();
    }
    done
}

/// Works until it is told to end the server.
pub(super) fn run(server: &Arc<Server>) {
    loop {
        match handled().wait() {
            Ok(Signal::SIGHUP) => reload(server),
            Ok(_) => return server.shut_down(None),
            Err(error) => log::warn!("waiting for signals: {error}"),
        }
    }
}

/// One after another with the reloads that clients ask for: two at once could leave the listeners
/// of the one with the settings of the other.
fn reload(server: &Arc<Server>) {
    if server.chores.waiting("reload") > 0 {
        return;
    }
    let reloading = Arc::clone(server);
    server
        .chores
        .submit("reload", move || match reloading.reload() {
            Ok(accounts) => log::info!("configuration read again: {accounts} accounts"),
            Err(error) => log::error!("configuration not read again: {error}"),
        });
}
