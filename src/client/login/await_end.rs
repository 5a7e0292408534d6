//! Waiting for the end of a login, for as long as it takes.
//!
//! Knows when to ask the server again; knows nothing of how the user logs in meanwhile.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};

use super::{connection, ended, fail};
use crate::clock::{self, Moment};
use crate::exit::Exit;
use crate::protocol::{LoginOffer, Reply, Request};

/// How long the server is asked to wait at a time.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How long to do nothing when the server has answered without waiting, since too many wait.
const PAUSE: Duration = Duration::from_secs(2);

/// The request for a login's end.
pub(super) fn request(offer: &LoginOffer) -> Request {
    Request::AwaitLogin(offer.account.clone(), offer.login, PATIENCE)
}

/// How long to wait before asking again, where the last time was `asked`.
pub(super) fn pause(asked: Moment) -> Duration {
    PAUSE.saturating_sub(clock::moment().since(asked))
}

/// Waits for the end, and tells it.
pub(super) fn await_end(socket: &Path, offer: &LoginOffer, err: &mut dyn Write) -> Exit {
    loop {
        let asked = clock::moment();
        match connection::exchange(socket, &request(offer), &connection::LIMITS) {
            Ok(Reply::TryLater(_)) => {
                let pause = PollTimeout::try_from(pause(asked)).unwrap_or(PollTimeout::ZERO);
                // Nothing to look at but the time; that a signal cuts it short does no harm.
                let _ = poll(&mut [], pause);
            }
            Ok(reply) => return ended(&reply, offer.code_expires_at.as_deref(), err),
            Err(error) => return fail(&error, err),
        }
    }
}
