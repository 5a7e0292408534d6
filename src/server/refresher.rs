//! Sleeps until something is due, then lets the vault say what is to be done.

use std::sync::Arc;

use crate::server::Server;

/// Works for as long as the server does.
pub(super) fn run(server: &Arc<Server>) {
    loop {
        if let Err(error) = server.shared.sleep_until_due() {
            // Without a timer nothing would be refreshed any more, and nobody would know.
            log::error!("the timer fails ({error}): ending");
            return server.shut_down(None);
        }
        server.apply(|vault, now| ((), vault.tick(now.moment)));
    }
}
