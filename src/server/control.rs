//! The control socket: takes requests of this user's programs and answers them.
//!
//! What can be answered from memory is answered at once, on the thread that accepts. What has to
//! wait, for the provider or for a file, is done by a worker.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use zeroize::Zeroizing;

use crate::protocol::{self, REQUEST_TIME, Reply, Request};
use crate::server::Server;
use crate::server::intake::{Door, Framing, Refusal};
use crate::sys;
use crate::vault::answer::{Refreshed, Refreshing, Shown};

/// How long a client may take to read its answer, where that does not fit into the socket.
const REPLY_TIME: Duration = Duration::from_secs(10);

/// How long `refresh` waits for the provider: a little longer than a request may take.
const REFRESH_PATIENCE: Duration = Duration::from_secs(35);

/// The control socket's side of the [`crate::server::intake`].
pub(super) struct Control(pub(super) Arc<Server>);

impl Door for Control {
    type Listener = UnixListener;
    type Stream = UnixStream;
    const CLIENTS: usize = 256;
    const TIME: Duration = REQUEST_TIME;

    fn accept(&self, listener: &UnixListener) -> io::Result<Option<UnixStream>> {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        let peer = sys::peer_uid(&stream)?;
        if peer == 0 || peer == geteuid().as_raw() {
            return Ok(Some(stream));
        }
        log::warn!("user {peer} was turned away from the control socket");
        Ok(None)
    }

    fn framing(&self, received: &[u8], _known: usize) -> Framing {
        match protocol::framing(received) {
            protocol::Framing::NeedMore => Framing::NeedMore,
            protocol::Framing::Whole => Framing::Whole,
            protocol::Framing::Bad(reason) => Framing::Bad(reason),
        }
    }

    fn serve(&self, stream: UnixStream, request: Zeroizing<Vec<u8>>) {
        match Request::decode(&request) {
            Ok(request) => self.perform(stream, request),
            Err(reason) => self.0.reply(stream, &Reply::Error(reason)),
        }
    }

    fn refuse(&self, stream: UnixStream, refusal: Refusal) {
        let reason = match refusal {
            Refusal::TimedOut => "the request did not arrive in time".into(),
            Refusal::Crowded => "the server has too many clients".into(),
            Refusal::Bad(reason) => reason,
        };
        self.0.reply(stream, &Reply::Error(reason));
    }
}

impl Control {
    fn perform(&self, stream: UnixStream, request: Request) {
        let server = &self.0;
        match request {
            Request::Show(account) => server.reply(stream, &server.show(&account)),
            Request::Revoke(account) => server.reply(stream, &server.revoke(&account)),
            Request::Info => server.reply(stream, &server.info()),
            Request::Shutdown => server.shut_down(Some(stream)),
            // Worked through one after another: each of them concerns all accounts.
            Request::Status => self.later(stream, "chores", |server| server.status()),
            Request::Dump => self.later(stream, "chores", |server| server.dump()),
            Request::Reload => self.later(stream, "chores", |server| server.reload_reply()),
            Request::Restore(dump) => {
                self.later(stream, "chores", move |server| {
                    server.restore(dump.expose())
                });
            }
            Request::Refresh(account) => {
                self.later(stream, "refresh", move |server| server.refresh(&account));
            }
        }
    }

    /// Has the reply made by a worker.
    fn later(
        &self,
        stream: UnixStream,
        key: &'static str,
        make: impl FnOnce(&Arc<Server>) -> Reply + Send + 'static,
    ) {
        let server = Arc::clone(&self.0);
        self.0.clients.submit(key, move || {
            let reply = make(&server);
            let _ = write_patiently(&stream, &reply.encode());
        });
    }
}

fn write_patiently(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(REPLY_TIME))?;
    stream.write_all(bytes)
}

impl Server {
    /// Sends a reply without waiting: what does not fit into the socket is sent by a worker.
    pub(super) fn reply(self: &Arc<Self>, stream: UnixStream, reply: &Reply) {
        let bytes = reply.encode();
        // A client that is gone already is its own affair.
        let sent = (&stream).write(&bytes).unwrap_or(0);
        if sent == bytes.len() {
            return;
        }
        self.clients.submit("slow", move || {
            let _ = write_patiently(&stream, &bytes[sent..]);
        });
    }

    fn show(self: &Arc<Self>, account: &str) -> Reply {
        match self.apply(|vault, now| vault.show(account, now.moment)) {
            None => unknown(account),
            Some(Shown::Nothing) => self.log_in(account),
            Some(shown) => shown_reply(account, shown),
        }
    }

    /// Starts a login, unless there is one, and says where.
    fn log_in(self: &Arc<Self>, account: &str) -> Reply {
        self.authorize(account)
            .map_or_else(|| unknown(account), |shown| shown_reply(account, shown))
    }

    fn refresh(self: &Arc<Self>, account: &str) -> Reply {
        let ticket = match self.apply(|vault, now| vault.refresh(account, now.moment)) {
            None => return unknown(account),
            Some(Refreshing::Impossible) => return self.log_in(account),
            Some(Refreshing::Exchanging) => return shown_reply(account, Shown::Exchanging),
            Some(Refreshing::Started(ticket)) => ticket,
        };
        match self
            .shared
            .wait(REFRESH_PATIENCE, |vault| vault.refreshed(&ticket))
        {
            Some(Refreshed::Done) => Reply::Done(String::new()),
            Some(Refreshed::Passing(reason)) => Reply::TryLater(format!(
                "the token of account '{account}' could not be refreshed: {reason}"
            )),
            Some(Refreshed::Refused(reason)) => shown_reply(account, Shown::Halted(Some(reason))),
            Some(Refreshed::Gone(_)) => self.show(account),
            None => Reply::TryLater(format!("account '{account}' is still being refreshed")),
        }
    }

    fn revoke(self: &Arc<Self>, account: &str) -> Reply {
        match self.apply(|vault, now| vault.revoke(account, now.moment)) {
            None => unknown(account),
            Some(true) => Reply::Done(format!(
                "the tokens of account '{account}' are forgotten here; the provider was not told"
            )),
            Some(false) => Reply::Done(format!("account '{account}' had no tokens")),
        }
    }

    fn status(&self) -> Reply {
        document(
            self.shared
                .look(|vault, now| serde_json::to_string(&vault.status(now))),
        )
    }

    fn dump(&self) -> Reply {
        match self.shared.look(crate::vault::Vault::dump) {
            Ok(dump) => Reply::Document(dump),
            Err(error) => Reply::Error(error.to_string()),
        }
    }

    fn restore(self: &Arc<Self>, dump: &str) -> Reply {
        let restored = self.apply(|vault, now| match vault.restore(dump, now) {
            Ok((report, orders)) => (Ok(report), orders),
            Err(error) => (Err(error), Vec::new()),
        });
        match restored {
            Err(error) => Reply::Error(format!("nothing was restored: {error}")),
            Ok(report) => Reply::Done(report.to_string()),
        }
    }

    fn reload_reply(self: &Arc<Self>) -> Reply {
        match self.reload() {
            Ok(_) => Reply::Done(String::new()),
            Err(error) => Reply::Error(format!(
                "{error}\nthe configuration was not reloaded: the old one stays in force"
            )),
        }
    }

    fn info(&self) -> Reply {
        document(serde_json::to_string(&self.facts()))
    }
}

fn document(json: serde_json::Result<String>) -> Reply {
    match json {
        Ok(json) => Reply::Document(crate::secret::SecretText::new(json)),
        Err(error) => Reply::Error(error.to_string()),
    }
}

fn unknown(account: &str) -> Reply {
    Reply::Error(format!(
        "there is no account '{account}': 'pizauth status' lists them"
    ))
}

fn shown_reply(account: &str, shown: Shown) -> Reply {
    let because =
        |reason: Option<String>| reason.map_or_else(String::new, |reason| format!(": {reason}"));
    match shown {
        Shown::Token(token) => Reply::Token(token),
        Shown::Login(url) => Reply::LoginNeeded(url),
        Shown::Nothing => Reply::TryLater(format!("account '{account}' is changing: try again")),
        Shown::Exchanging => Reply::TryLater(format!(
            "account '{account}' is just being logged in: try again"
        )),
        Shown::Expired(reason) => Reply::TryLater(format!(
            "the token of account '{account}' has expired and is being refreshed{}",
            because(reason)
        )),
        Shown::Halted(reason) => Reply::Error(format!(
            "the provider refuses to refresh the token of account '{account}'{}: correct the \
             configuration and run 'pizauth reload'",
            because(reason)
        )),
    }
}
