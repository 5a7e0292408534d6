//! The control socket: takes requests of this user's programs and answers them.
//!
//! What can be answered from memory is answered at once, on the thread that accepts. What has to
//! wait, for the provider or for a file, is done by a worker.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nix::unistd::geteuid;

use crate::clock;
use crate::protocol::{self, REFRESH_TIME, REQUEST_TIME, Reply, Request, Wanted};
use crate::secret::SecretText;
use crate::server::Server;
use crate::server::intake::{Door, Framing, Refusal, Served, Waiting};
use crate::server::replies::Sought;
use crate::sys::{self, WipedBytes};
use crate::vault::order::Ticket;

/// How many clients may be waiting for one kind of chore. Each holds a descriptor.
const CLIENTS_PER_CHORE: usize = 256;

/// How many dumps may be waiting to be restored: each can be 16 MiB.
const RESTORES: usize = 4;

/// The user that this process runs as, which never changes.
static OWN_UID: OnceLock<u32> = OnceLock::new();

/// The control socket's side of the [`crate::server::intake`].
pub(super) struct Control(pub(super) Arc<Server>);

/// Who has asked for which chore.
pub(super) type Asked = HashMap<&'static str, Vec<UnixStream>>;

/// What a client of the control socket waits for.
pub(super) enum Wait {
    /// A token to show.
    Token(Wanted),
    /// The end of this account's refresh.
    Refresh(String, Ticket),
    /// What this account's user has to do to log in.
    Offer(String),
    /// The end of this account's login of this number.
    Login(String, u64),
}

impl Door for Control {
    type Wait = Wait;
    type Listener = Arc<UnixListener>;
    type Stream = UnixStream;
    const CLIENTS: usize = 256;
    const TIME: Duration = REQUEST_TIME;

    fn accept(&self, listener: &Arc<UnixListener>) -> io::Result<Option<UnixStream>> {
        let stream = sys::accept(listener)?;
        let peer = sys::peer_uid(&stream)?;
        if peer == 0 || peer == *OWN_UID.get_or_init(|| geteuid().as_raw()) {
            return Ok(Some(stream));
        }
        self.0.strangers.turned_away(peer);
        Ok(None)
    }

    fn framing(&self, received: &[u8], _known: usize) -> Framing {
        match protocol::framing(received) {
            protocol::Framing::NeedMore => Framing::NeedMore,
            protocol::Framing::Whole => Framing::Whole,
            protocol::Framing::Bad(reason) => Framing::Bad(reason),
        }
    }

    fn serve(&self, stream: UnixStream, request: WipedBytes) -> Served<UnixStream, Wait> {
        match Request::decode(&request) {
            Ok(request) => self.perform(stream, request),
            Err(reason) => self.reply(stream, &Reply::Error(reason)),
        }
    }

    fn is_over(&self, wait: &Wait) -> bool {
        match wait {
            // Hundreds may wait for these at once.
            Wait::Refresh(_, ticket) => {
                let refreshed = self.0.shared.look(|vault, _| vault.refreshed(ticket));
                refreshed.is_some()
            }
            wait => matches!(self.look_again(wait), Sought::Found(_)),
        }
    }

    fn resume(&self, client: Waiting<UnixStream, Wait>, over: bool) -> Served<UnixStream, Wait> {
        match self.look_again(&client.wait) {
            Sought::NotYet(_) if !over => Served::Waits(client),
            Sought::Found(reply) | Sought::NotYet(reply) => self.reply(client.stream, &reply),
        }
    }

    /// A client whose connection is closed without a word asks again.
    fn send_on(&self, stream: UnixStream, _request: &[u8]) {
        drop(stream);
    }

    fn refuse(&self, stream: UnixStream, refusal: Refusal) {
        let reason = match refusal {
            Refusal::TimedOut => "the request did not arrive in time".into(),
            Refusal::Crowded => "the server has too many clients".into(),
            Refusal::Bad(reason) => reason,
        };
        self.reply(stream, &Reply::Error(reason));
    }
}

impl Server {
    /// Who has asked for a chore that is not begun.
    pub(super) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    fn perform(&self, stream: UnixStream, request: Request) -> Served<UnixStream, Wait> {
        let server = &self.0;
        match request {
            Request::Show(wanted) => self.show(stream, wanted),
            Request::Refresh(account) => self.refresh(stream, account),
            Request::Revoke(account) => {
                server.revoke(&account, move |server, reply| {
                    server.outbox.send(stream, reply.encode());
                });
                Served::Done
            }
            Request::Login(account, method) => match server.offer_login(&account, method) {
                Ok(()) => self.seek(stream, Wait::Offer(account), REFRESH_TIME),
                Err(reply) => self.reply(stream, &reply),
            },
            Request::AwaitLogin(account, login, patience) => {
                self.seek(stream, Wait::Login(account, login), patience)
            }
            Request::Complete(account, url) => match server.complete(account.as_deref(), &url) {
                Ok((account, login)) => {
                    self.seek(stream, Wait::Login(account, login), REFRESH_TIME)
                }
                Err(reply) => self.reply(stream, &reply),
            },
            Request::Info => self.reply(stream, &server.info()),
            Request::Status => self.later(stream, "status", |server| server.status()),
            Request::Dump => self.later(stream, "dump", |server| server.dump()),
            Request::Reload => self.later(stream, "reload", Server::reload_reply),
            Request::Restore(dump) => self.restore(stream, dump),
            Request::Replace(format) => {
                let server = Arc::clone(server);
                self.0
                    .chores
                    .submit("replace", move || server.hand_over(&stream, format));
                Served::Done
            }
            Request::Shutdown => {
                server.shut_down(Some(stream));
                Served::Done
            }
        }
    }

    fn show(&self, stream: UnixStream, wanted: Wanted) -> Served<UnixStream, Wait> {
        match (self.0.seek(&wanted), wanted.wait) {
            (Sought::NotYet(_), Some(patience)) => {
                Self::wait(stream, Wait::Token(wanted), patience)
            }
            (Sought::Found(reply) | Sought::NotYet(reply), _) => self.reply(stream, &reply),
        }
    }

    fn refresh(&self, stream: UnixStream, account: String) -> Served<UnixStream, Wait> {
        match self.0.start_refresh(&account) {
            Ok(ticket) => Self::wait(stream, Wait::Refresh(account, ticket), REFRESH_TIME),
            Err(reply) => self.reply(stream, &reply),
        }
    }

    /// Looks for something that may have come about since.
    fn look_again(&self, wait: &Wait) -> Sought {
        match wait {
            Wait::Token(wanted) => self.0.seek_again(wanted),
            Wait::Refresh(account, ticket) => self.0.seek_refresh(account, ticket),
            Wait::Offer(account) => self.0.seek_offer(account),
            Wait::Login(account, login) => self.0.seek_login_end(account, *login),
        }
    }

    /// Looks for something at once, and waits where it has not come about.
    fn seek(&self, stream: UnixStream, wait: Wait, patience: Duration) -> Served<UnixStream, Wait> {
        match self.look_again(&wait) {
            Sought::Found(reply) => self.reply(stream, &reply),
            Sought::NotYet(_) => Self::wait(stream, wait, patience),
        }
    }

    fn wait(stream: UnixStream, wait: Wait, patience: Duration) -> Served<UnixStream, Wait> {
        let until = clock::moment() + patience;
        Served::Waits(Waiting {
            stream,
            wait,
            until,
        })
    }

    /// Sends a reply without waiting.
    fn reply(&self, stream: UnixStream, reply: &Reply) -> Served<UnixStream, Wait> {
        self.0.outbox.send(stream, reply.encode());
        Served::Done
    }

    /// Has the reply made by the one worker for what concerns all accounts. Those who ask for the
    /// same before it is begun share it, so that many cost no more than one.
    fn later(
        &self,
        stream: UnixStream,
        kind: &'static str,
        make: impl FnOnce(&Arc<Server>) -> Reply + Send + 'static,
    ) -> Served<UnixStream, Wait> {
        let mut asked = self.0.asked();
        let clients = asked.entry(kind).or_default();
        if clients.len() >= CLIENTS_PER_CHORE {
            drop(asked);
            return self.too_busy(stream);
        }
        clients.push(stream);
        let is_ordered = clients.len() > 1;
        drop(asked);
        if !is_ordered {
            let server = Arc::clone(&self.0);
            self.0.chores.submit(kind, move || {
                let clients = server.asked().remove(kind).unwrap_or_default();
                server.outbox.send_all(clients, make(&server).encode());
            });
        }
        Served::Done
    }

    fn restore(&self, stream: UnixStream, dump: SecretText) -> Served<UnixStream, Wait> {
        if self.0.chores.waiting("restore") >= RESTORES {
            return self.too_busy(stream);
        }
        let server = Arc::clone(&self.0);
        self.0.chores.submit("restore", move || {
            let reply = server.restore(dump.expose());
            server.outbox.send(stream, reply.encode());
        });
        Served::Done
    }

    fn too_busy(&self, stream: UnixStream) -> Served<UnixStream, Wait> {
        let reason = "the server has too many such requests: try again".into();
        self.reply(stream, &Reply::TryLater(reason))
    }
}
