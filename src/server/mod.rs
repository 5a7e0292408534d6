//! The server: threads, sockets and commands around one [`Vault`].
//!
//! Decides nothing about tokens. What happens is turned into a call of the vault, and the orders
//! that come back are carried out here.

mod background;
mod confinement;
mod control;
mod ending;
mod exchange;
mod fetched;
mod handover;
mod helper;
mod intake;
mod logins;
mod notifier;
mod outbox;
pub mod page;
mod persister;
mod pipes;
mod place;
mod pool;
mod provider;
mod redirect;
mod refresher;
mod replies;
mod settings;
mod shared;
mod shell;
mod signals;
mod startup;
mod strangers;
mod taking;
mod threads;

use std::fs::File;

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::handover::Fate;
use self::helper::Reread;
use self::intake::Handle;
pub(crate) use self::logins::taken_apart;
use self::notifier::Notifier;
use self::outbox::Outbox;
use self::persister::Persister;
use self::pool::Pool;
pub(crate) use self::redirect::head;
use self::redirect::{Certificate, Entrance, Said};
use self::settings::Settings;
use self::shared::{Aftermath, Shared};
use self::shell::Command;
pub use self::startup::run;
use self::strangers::Strangers;
use crate::clock::{self, Moment, Now, Timestamp};
use crate::config::{Account, AccountName, Config};
use crate::protocol::{Protection, ServerInfo};
use crate::sys;
use crate::vault::Vault;
use crate::vault::keeping;
use crate::vault::order::{Order, Outcome, Task, Ticket};
use crate::vault::transition::Probed;

/// How long `transient_error_if_cmd` may take: it may want to wait for a network.
const PROBE_LIMIT: Duration = Duration::from_secs(180);

/// How long the end waits for answers that are under way: a provider that is there answers in a
/// second or two.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// A running server.
pub struct Server {
    shared: Shared,
    /// Held by who tells the user something, so that all is told in its order.
    telling: Mutex<()>,
    config_path: PathBuf,
    started_at: Timestamp,
    /// What protects this process.
    protections: Vec<Protection>,
    notifier: Notifier,
    /// `None` once another server has it.
    seat: Mutex<Option<Seat>>,
    control: Handle<Arc<UnixListener>>,
    redirect: Handle<Entrance>,
    /// Requests to providers.
    exchanges: Pool,
    /// Requests of clients that concern all accounts, one after another.
    chores: Pool,
    asked: Mutex<control::Asked>,
    /// Who is not answered.
    strangers: Strangers,
    /// Replies on their way.
    outbox: Outbox,
    /// Runs of `transient_error_if_cmd`.
    probes: Pool,
    persister: Persister,
    /// Whether the end has begun: no request is made any more whose answer nobody would keep.
    ending: AtomicBool,
    /// Who has the last word where it is asked to end while it hands over.
    fate: Mutex<Fate>,
    end: Sender<End>,
}

/// What makes a server the one that there is.
struct Seat {
    /// Held for as long as it lives.
    lock: File,
    /// The control socket, which the control thread takes from; here to be handed on.
    listener: Arc<UnixListener>,
    /// Whether that is the server's to remove.
    owns_socket: bool,
}

/// Why a server ends.
enum End {
    /// It was asked to; by this client, which is answered when a new server could start.
    Asked(Option<UnixStream>),
    /// It cannot go on, which has been logged.
    Failed,
    /// Its place is not there any more, or another server's.
    Displaced,
    /// Another one has taken over.
    Replaced,
}

impl Server {
    /// Lets `act` change the vault, and carries out what it wants done.
    fn apply<T>(self: &Arc<Self>, act: impl FnOnce(&mut Vault, Now) -> Outcome<T>) -> T {
        let (answer, aftermath) = self.shared.apply(act);
        self.carry_out(aftermath);
        answer
    }

    fn carry_out(self: &Arc<Self>, aftermath: Aftermath) {
        if aftermath.is_news {
            // Who comes with something newer has to wait: a command that hears of a login before
            // it hears that the one before it was revoked would be misled.
            let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
            for order in self.shared.take_news() {
                self.perform(order);
            }
        }
        for order in aftermath.orders {
            self.perform(order);
        }
    }

    fn perform(self: &Arc<Self>, order: Order) {
        let Order {
            ticket,
            account,
            task,
        } = order;
        match task {
            Task::Exchange(exchange) => self.exchange(ticket, account, exchange),
            Task::Refresh => self.request_refresh(ticket, account),
            Task::Probe => self.probe(ticket, account),
            Task::Prepare(grant) => self.prepare_login(ticket, account, grant),
            Task::Poll => self.poll(ticket, account),
            Task::Reauthorize => {
                self.start_login(account.name.as_str(), None);
            }
            Task::Remind(place) => self.notify("auth_notify_cmd", &account.name, |config| {
                let code = place.user_code.unwrap_or_default();
                let variables = vec![("PIZAUTH_URL", place.url), ("PIZAUTH_CODE", code)];
                (config.auth_notify_cmd.as_ref(), variables)
            }),
            Task::Announce(event) => {
                if keeping::is_something_to_keep(event, account.authority.grant) {
                    self.persister.obtained();
                }
                log::info!("account '{}': {}", account.name, event.name());
                self.notify("token_event_cmd", &account.name, |config| {
                    (
                        config.token_event_cmd.as_ref(),
                        vec![("PIZAUTH_EVENT", event.name().into())],
                    )
                });
            }
            Task::Report(message) => {
                log::error!("{message}");
                self.notify("error_notify_cmd", &account.name, |config| {
                    (
                        config.error_notify_cmd.as_ref(),
                        vec![("PIZAUTH_MSG", message)],
                    )
                });
            }
        }
    }

    /// Tells the user of something that concerns all accounts.
    fn report(&self, message: &str) {
        log::error!("{message}");
        let settings = self.shared.settings();
        if let Some(script) = &settings.config.error_notify_cmd {
            self.notifier.queue(Command {
                option: "error_notify_cmd",
                script: script.clone(),
                environment: vec![
                    ("PIZAUTH_ACCOUNT", String::new()),
                    ("PIZAUTH_MSG", message.into()),
                ],
                limit: notifier::TIME_LIMIT,
            });
        }
    }

    /// Queues one of the user's commands, where it is configured.
    fn notify(
        &self,
        option: &'static str,
        account: &AccountName,
        what: impl FnOnce(&Config) -> (Option<&String>, Vec<(&'static str, String)>),
    ) {
        let settings = self.shared.settings();
        let (Some(script), mut environment) = what(&settings.config) else {
            return;
        };
        environment.push(("PIZAUTH_ACCOUNT", account.to_string()));
        self.notifier.queue(Command {
            option,
            script: script.clone(),
            environment,
            limit: notifier::TIME_LIMIT,
        });
    }

    fn probe(self: &Arc<Self>, ticket: Ticket, account: Arc<Account>) {
        let server = Arc::clone(self);
        let name = account.name.clone();
        self.probes.submit(name.as_str(), move || {
            let probed = match &account.transient_error_if_cmd {
                None => Probed::Passing,
                Some(script) => run_probe(script, &account.name),
            };
            // A server that is about to be replaced has told the next one all that it knows; but
            // it may have to go on itself.
            server.shared.wait_while_paused();
            server.apply(|vault, now| ((), vault.probe_done(&ticket, probed, now.moment)));
        });
    }

    /// Reads the configuration again and puts it in force; says how many accounts it has.
    ///
    /// # Errors
    /// The text to show, where anything is wrong with it. Nothing is changed then.
    fn reload(self: &Arc<Self>) -> Result<usize, String> {
        let reread = Reread::read(&self.config_path)?;
        let old = self.shared.settings();
        let (redirect, moved) = old
            .redirect()
            .adapt(&Said::by(&old.config), &reread.config)?;
        let config = reread.adopt().map_err(|error| error.to_string())?;
        if let Some(warning) = redirect.certificate().and_then(Certificate::warning) {
            log::warn!("{warning}");
        }
        self.redirect.replace(redirect.entrances());
        let accounts = config.accounts.len();
        let keeps_elsewhere = config.persist_cmd != old.config.persist_cmd;
        let settings = Settings::new(config, redirect);
        let aftermath = self.shared.replace_settings(settings, moved);
        // Only now: until then a login may be begun that comes back to them.
        old.close();
        if keeps_elsewhere {
            self.persister.changed();
        }
        self.carry_out(aftermath);
        drop(old);
        // Nobody has to wait for this.
        self.chores.submit("memory", sys::return_memory);
        Ok(accounts)
    }

    /// Sees to it that nothing is lost when the process ends: the answers to requests that may
    /// have changed a refresh token are awaited, and the last state is kept.
    /// It takes no longer than until `limit`.
    fn settle(&self, limit: Moment) {
        self.ending.store(true, Ordering::Release);
        if self.shared.settings().config.persist_cmd.is_some() {
            let left = || limit.since(clock::moment());
            self.exchanges.wait_until_idle(LAST_ANSWERS.min(left()));
            self.persister.flush(left());
        }
    }

    fn facts(&self) -> ServerInfo {
        let settings = self.shared.settings();
        let redirect = settings.redirect();
        let addresses = |is_https| {
            let addresses = redirect.addresses(is_https);
            addresses.iter().map(ToString::to_string).collect()
        };
        ServerInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            config: self.config_path.display().to_string(),
            http_listen: addresses(false),
            https_listen: addresses(true),
            https_fingerprint: redirect.certificate().map(|it| it.fingerprint().into()),
            accounts: settings.config.accounts.len(),
            started_at: self.started_at.to_string(),
            protections: self.protections.clone(),
            keeping_error: self.persister.trouble(),
        }
    }

    /// Has the main thread end the process. A client that asked for it is answered when a new
    /// server could start.
    fn shut_down(&self, client: Option<UnixStream>) {
        self.end(End::Asked(client));
    }

    fn end(&self, end: End) {
        // The main thread listens until the process ends.
        let _ = self.end.send(end);
    }
}

/// Only a command that ran and said so itself gives a login up: one that could not be run, or did
/// not end in time, knows nothing of it.
fn run_probe(script: &str, account: &AccountName) -> Probed {
    /// The shell's own codes for a command that it could not find or run.
    const NOT_RUN: [i32; 2] = [126, 127];
    let ended = shell::run(&Command {
        option: "transient_error_if_cmd",
        script: script.into(),
        environment: vec![("PIZAUTH_ACCOUNT", account.to_string())],
        limit: PROBE_LIMIT,
    });
    match ended.code() {
        Some(0) => Probed::Passing,
        Some(code) if !NOT_RUN.contains(&code) => Probed::Gone,
        _ => {
            log::warn!("transient_error_if_cmd {ended}: the failures are taken to be passing");
            Probed::Passing
        }
    }
}
