//! Sleeps until something is due, then lets the vault say what is to be done.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::server::{End, Server};

/// The machine was asleep if its clocks have moved apart by more than this. Reading them one after
/// the other takes some time too.
const SLEEP: Duration = Duration::from_secs(1);

/// Works for as long as the server does.
pub(super) fn run(server: &Arc<Server>) {
    let mut asleep = clock::asleep();
    loop {
        if let Err(error) = server.shared.sleep_until_due() {
            // Without a timer nothing would be refreshed any more, and nobody would know.
            log::error!("the timer fails ({error}): ending");
            return server.end(End::Failed);
        }
        let woken_up = clock::asleep() > asleep + SLEEP;
        if woken_up {
            asleep = clock::asleep();
            log::info!("the machine has woken up");
        }
        server.carry_out(server.shared.tick(woken_up));
    }
}
