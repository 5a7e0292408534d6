//! The end of a server: what it still owes, and to whom it leaves its place.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::exit::Exit;
use crate::protocol::Reply;
use crate::server::place;
use crate::server::{End, Server};

/// How long a server that was replaced may take over the commands that are queued.
const LAST_COMMANDS: Duration = Duration::from_secs(60);

/// How long the last client may take to read that the server has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lets go of everything, unless another server has it by now. `forsake` makes the socket nobody's.
pub(super) fn finish(server: &Server, end: End, forsake: impl FnOnce()) -> Exit {
    let is_displaced = matches!(end, End::Displaced);
    let (client, exit) = match end {
        End::Asked(client) => (client, Some(Exit::Done)),
        End::Failed | End::Displaced => (None, Some(Exit::Error)),
        End::Replaced => (None, None),
    };
    if let Some(exit) = exit.filter(|_| server.may_end()) {
        let close = || {
            // The next server may want the same port.
            server.redirect.close();
            server.shared.settings().close();
        };
        if is_displaced {
            // It may be there already.
            close();
        }
        server.settle();
        close();
        if !is_displaced {
            // There may be another server's socket by now.
            forsake();
        }
        server.seat().as_ref().map(|seat| place::leave(&seat.lock));
        // Now another server could start.
        if let Some(client) = &client {
            tell(client, &Reply::Done(String::new()));
        }
        return exit;
    }
    if let Some(client) = &client {
        let reason = "another server has just taken over: try again";
        tell(client, &Reply::TryLater(reason.into()));
    }
    // What is queued is this server's to do: the next one does not know of it.
    server.outbox.finish();
    server.notifier.finish(LAST_COMMANDS);
    Exit::Done
}

/// Answers the client that asked for the end.
fn tell(mut client: &UnixStream, reply: &Reply) {
    let _ = client.set_nonblocking(false);
    let _ = client.set_write_timeout(Some(FAREWELL));
    let _ = client.write_all(&reply.encode());
}
