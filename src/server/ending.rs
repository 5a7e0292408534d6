//! The end of a server: what it still owes, and to whom it leaves its place.

use std::io::Write;
use std::iter;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::clock;
use crate::exit::Exit;
use crate::protocol::Reply;
use crate::server::place;
use crate::server::{End, Server};

/// How long a server that was replaced may take over the commands that are queued.
const LAST_COMMANDS: Duration = Duration::from_secs(60);

/// How long the last answers and the last dump may take. Whoever asked for the end waits, and so does
/// the service manager: systemd for 90 seconds.
const LAST_WORK: Duration = Duration::from_secs(75);

/// How long what concerns all accounts may take, such as restoring a dump, where it is under way.
const LAST_CHORES: Duration = Duration::from_secs(1);

/// How long the last client may take to read that the server has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lets go of everything, unless another server has it by now. `forsake` makes the socket nobody's.
/// `more` has the other ends that come up meanwhile.
pub(super) fn finish(
    server: &Server,
    end: End,
    more: &Receiver<End>,
    forsake: impl FnOnce(),
) -> Exit {
    let is_displaced = matches!(end, End::Displaced);
    let (client, exit) = match end {
        End::Asked(client) => (client, Some(Exit::Done)),
        End::Failed | End::Displaced => (None, Some(Exit::Error)),
        End::Replaced => (None, None),
    };
    let Some(exit) = exit.filter(|_| server.may_end()) else {
        let reason = "another server has just taken over: try again";
        tell_all(client, more, &Reply::TryLater(reason.into()));
        // What is queued is this server's to do: the next one does not know of it.
        server.outbox.finish();
        server.notifier.finish(LAST_COMMANDS);
        return Exit::Done;
    };
    let limit = clock::moment() + LAST_WORK;
    if !is_displaced {
        // That may take a while, in which browsers come back and clients are served.
        server.settle(limit);
    }
    // Nobody is sent to a port that is about to go.
    let _ = server.control.pause();
    // The next server may want the same one, or be there already.
    server.redirect.close();
    server.shared.settings().close();
    // What has changed since; nothing more is begun.
    server.shared.set_paused(true);
    server.chores.wait_until_idle(LAST_CHORES);
    server.settle(limit);
    forsake();
    server.seat().as_ref().map(|seat| place::leave(&seat.lock));
    // Now another server could start.
    tell_all(client, more, &Reply::Done(String::new()));
    exit
}

/// Answers all clients that have asked for the end by now.
fn tell_all(first: Option<UnixStream>, more: &Receiver<End>, reply: &Reply) {
    let others = more.try_iter().map(|end| match end {
        End::Asked(client) => client,
        End::Failed | End::Displaced | End::Replaced => None,
    });
    for client in iter::once(first).chain(others).flatten() {
        tell(&client, reply);
    }
}

fn tell(mut client: &UnixStream, reply: &Reply) {
    let _ = client.set_nonblocking(false);
    let _ = client.set_write_timeout(Some(FAREWELL));
    let _ = client.write_all(&reply.encode());
}
