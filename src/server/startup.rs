//! Start-up and end: everything that can fail is done while the terminal can still be told, and
//! no thread exists before the fork.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use sd_notify::NotifyState;

use crate::cli::ServerOptions;
use crate::clock;
use crate::config::{self, Config, Listen};
use crate::console;
use crate::exit::Exit;
use crate::files;
use crate::logging;
use crate::paths::{self, RuntimePaths};
use crate::server::background::{self, Detaching, Process};
use crate::server::control::Control;
use crate::server::ending::finish;
use crate::server::handover::Fate;
use crate::server::helper;
use crate::server::intake::{self, Door, Intake};
use crate::server::notifier::{self, Notifier};
use crate::server::outbox;
use crate::server::persister;
use crate::server::place::{self, Place, Standing};
use crate::server::pool::Pool;
use crate::server::redirect::{Certificate, Redirect};
use crate::server::settings::Settings;
use crate::server::shared::Shared;
use crate::server::shell::Command;
use crate::server::strangers::Strangers;
use crate::server::taking::{self, Predecessor, Taken};
use crate::server::{End, Seat, Server, refresher, signals, threads};
use crate::sys;
use crate::vault::Vault;
use crate::vault::order::Order;

/// Requests to providers under way at once. A thousand accounts that are due together are through
/// in a second or two, with little memory.
const EXCHANGES: usize = 138;

/// Runs of `transient_error_if_cmd` at once: they are the user's commands, and may be heavy.
const PROBES: usize = 8;

/// Runs a server to its end, in the background unless told otherwise.
#[must_use]
pub fn run(options: &ServerOptions) -> Exit {
    match start(options) {
        Ok(exit) => exit,
        Err(message) => {
            console::error(&mut io::stderr(), &message);
            Exit::Error
        }
    }
}

/// What a server has before it is one.
struct Prepared {
    config: Config,
    config_path: PathBuf,
    place: Place,
    /// The server that this one takes over from.
    old: Option<Taken>,
}

fn start(options: &ServerOptions) -> Result<Exit, String> {
    if options.foreground {
        logging::to_stderr(options.verbosity);
    }
    let passed = place::passed();
    if options.foreground || !passed.is_empty() {
        sys::keep_inherited_descriptors();
    } else {
        sys::close_inherited_descriptors();
    }
    let detaching = match background::divide(options.foreground)? {
        Process::Server(detaching) => detaching,
        Process::Other(exit) => {
            // The helper has closed them already.
            std::mem::forget(passed);
            return Ok(exit);
        }
    };
    serve(prepare(options, passed)?, detaching, options.verbosity)
}

/// Everything that can fail for reasons of the user's.
fn prepare(options: &ServerOptions, passed: Vec<OwnedFd>) -> Result<Prepared, String> {
    let config_path =
        paths::config_file(options.config.as_deref()).map_err(|error| error.to_string())?;
    let config = config::load(&config_path).map_err(|error| {
        console::say(&mut io::stderr(), &error.to_string());
        "the server was not started: correct the configuration first".to_owned()
    })?;
    if let Some(warning) = config::exposed_secrets(&config_path, &config) {
        console::say(&mut io::stderr(), &format!("pizauth: warning: {warning}"));
    }
    helper::inform(&config_path, &config).map_err(|error| text(&error))?;
    files::open_through(helper::open);
    let paths = RuntimePaths::find();
    let dir = paths.prepare().map_err(|error| error.to_string())?;
    if options.replace || config.https_listen != Listen::Off {
        // What is handed over, and the key of a certificate, is secret from its first moment here.
        sys::hide_memory().map_err(|error| text(&error))?;
    }
    let mut passed = passed.into_iter();
    let (place, old) = match taking::predecessor(options.replace, &paths, &dir)? {
        Predecessor::Nobody(lock) => {
            let place = Place::make(lock, &paths, &dir, &config, passed.next())?;
            (place, None)
        }
        Predecessor::Server(mut taken) => {
            let place = Place::inherit(&paths, &config, &mut taken)?;
            (place, Some(*taken))
        }
    };
    if let Some(warning) = place.redirect.certificate().and_then(Certificate::warning) {
        console::say(&mut io::stderr(), &format!("warning: {warning}"));
    }
    Ok(Prepared {
        config,
        config_path,
        place,
        old,
    })
}

/// The server's life.
fn serve(prepared: Prepared, detaching: Option<Detaching>, verbosity: u8) -> Result<Exit, String> {
    let takes_over = prepared.old.is_some();
    let socket = prepared.place.socket.clone();
    let forsake = || {
        if let Some(socket) = &socket {
            socket.remove();
        }
    };
    let opened = open(prepared).and_then(|opened| begin(opened, detaching, verbosity));
    let (server, ended) = match opened {
        Ok(running) => running,
        Err(message) => {
            // The place of a server that goes on is not this one's to leave.
            if !takes_over {
                forsake();
            }
            return Err(message);
        }
    };
    if takes_over {
        server.persister.changed();
    } else {
        run_startup_cmd(&server);
    }
    let count = server.facts().accounts;
    let s = if count == 1 { "" } else { "s" };
    log::info!("ready, with {count} account{s}");
    // What was restored or taken over went through this thread, which now waits for the end.
    sys::wipe_stack();
    let end = ended.recv().unwrap_or(End::Failed);
    let exit = finish(&server, end, &ended, forsake);
    server.strangers.say_the_rest();
    log::info!("ended");
    Ok(exit)
}

/// A server whose threads are there, but which serves nobody yet.
struct Opened {
    server: Arc<Server>,
    ended: Receiver<End>,
    /// What follows from what was taken over.
    orders: Vec<Order>,
    old: Option<Taken>,
}

type Running = (Arc<Server>, Receiver<End>);

/// Hardens the process and starts the threads.
fn open(prepared: Prepared) -> Result<Opened, String> {
    let Prepared {
        config,
        config_path,
        place,
        mut old,
    } = prepared;
    let failed = |error: io::Error| format!("cannot start the server: {}", text(&error));
    let protections = background::harden(&RuntimePaths::find().dir).map_err(failed)?;
    let listener = Arc::new(place.control);
    let entrances = place.redirect.entrances();
    let (notifier, commands) = Notifier::new();
    let (end, ended) = channel();
    let (outbox, delivery) = outbox::outbox().map_err(failed)?;
    let (redirect_handle, redirect_news) = intake::news().map_err(failed)?;
    let (control_handle, control_news) = intake::news().map_err(failed)?;
    let (persister, inbox) = persister::new();
    let bells = vec![control_handle.bell(), redirect_handle.bell()];
    let mut vault = Vault::new(&config);
    let orders = match &mut old {
        Some(taken) => taken.put_into(&mut vault)?,
        None => Vec::new(),
    };
    let settings = Settings::new(config, place.redirect);
    let server = Arc::new(Server {
        shared: Shared::new(vault, settings, bells, persister.clone()).map_err(failed)?,
        telling: Mutex::default(),
        config_path,
        started_at: clock::now().wall,
        protections,
        notifier,
        seat: Mutex::new(Some(Seat {
            lock: place.lock,
            listener: Arc::clone(&listener),
            owns_socket: place.socket.is_some(),
        })),
        control: control_handle,
        redirect: redirect_handle,
        exchanges: Pool::new("exchange", EXCHANGES).map_err(failed)?,
        chores: Pool::new("chores", 1).map_err(failed)?,
        asked: Mutex::default(),
        strangers: Strangers::default(),
        outbox,
        probes: Pool::new("probe", PROBES).map_err(failed)?,
        persister,
        ending: AtomicBool::new(false),
        fate: Mutex::new(Fate::Serving),
        end,
    });
    // Nothing is begun, and nobody served, before it is certain that this is the server.
    server.shared.set_paused(true);
    spawn_with(&server, "notifier", move |_| notifier::run(&commands))?;
    let keeping = match &old {
        Some(taken) => taken.handover.keeping,
        // It may take minutes, and ask the user something.
        None => signals::while_deadly(|| persister::restore(&server)),
    };
    let redirect =
        Intake::new(Redirect(Arc::clone(&server)), entrances, redirect_news).map_err(failed)?;
    let control =
        Intake::new(Control(Arc::clone(&server)), vec![listener], control_news).map_err(failed)?;
    spawn_with(&server, "persister", move |server| {
        persister::run(server, &inbox, keeping)
    })?;
    spawn_with(&server, "signals", signals::run)?;
    spawn_with(&server, "refresher", refresher::run)?;
    spawn_with(&server, "redirect", |server| take_in(redirect, server))?;
    spawn_with(&server, "control", |server| take_in(control, server))?;
    if let Some(standing) = place.standing {
        spawn_with(&server, "place", move |server| keep(&standing, server))?;
    }
    spawn_with(&server, "outbox", move |server| {
        end_because(server, "sending replies", &delivery.run());
    })?;
    Ok(Opened {
        server,
        ended,
        orders,
        old,
    })
}

/// Makes the server the one that serves.
fn begin(opened: Opened, detaching: Option<Detaching>, verbosity: u8) -> Result<Running, String> {
    let Opened {
        server,
        ended,
        orders,
        old,
    } = opened;
    if let Some(detaching) = &detaching {
        // The last moment at which whoever starts the server can be told.
        if let Some(trouble) = server.persister.trouble() {
            console::say(&mut io::stderr(), &format!("pizauth: warning: {trouble}"));
        }
        detaching.prepare(verbosity)?;
    }
    if let Some(taken) = &old {
        taking::begin(taken)?;
    }
    let signed = server.seat().as_ref().map(|seat| place::sign(&seat.lock));
    match signed {
        Some(Err(error)) if old.is_none() => {
            return Err(format!("the lock file: {}", text(&error)));
        }
        // There is nobody left who could go on instead.
        Some(Err(error)) => log::warn!("the lock file: {}", text(&error)),
        _ => {}
    }
    // Before anything newer can come about.
    let (news, orders): (Vec<_>, Vec<_>) = orders.into_iter().partition(|order| order.task.tells());
    news.into_iter().for_each(|order| server.perform(order));
    server.shared.set_paused(false);
    server.redirect.resume();
    server.control.resume();
    orders.into_iter().for_each(|order| server.perform(order));
    if let Some(detaching) = detaching {
        detaching.finish();
    }
    tell_service_manager();
    Ok((server, ended))
}

/// Tells the service manager, where there is one, that the service is ready and which process it
/// is now.
fn tell_service_manager() {
    let ready = [NotifyState::Ready, NotifyState::MainPid(std::process::id())];
    if let Err(error) = sd_notify::notify(&ready) {
        log::warn!("the service manager could not be told: {error}");
    }
}

/// Starts a thread of the server's. Where it panics, the server ends as one that failed: without
/// the thread it would be there and yet of no use, and who starts services starts another.
fn spawn_with(
    server: &Arc<Server>,
    name: &str,
    work: impl FnOnce(&Arc<Server>) + Send + 'static,
) -> Result<(), String> {
    let (working, failing) = (Arc::clone(server), Arc::clone(server));
    let spawned = threads::spawn(
        name,
        move || work(&working),
        move || failing.end(End::Failed),
    );
    spawned.map_err(|error| format!("cannot start the server: {}", text(&error)))
}

fn take_in<D: Door>(intake: Intake<D>, server: &Server) {
    end_because(server, "waiting for connections", &intake.run());
}

/// Ends the server when its place goes, as the session's runtime directory does when its user logs
/// out. Nobody would find this server any more; another one could start, and the two would use up
/// each other's refresh tokens.
fn keep(standing: &Standing, server: &Server) {
    match standing.wait_until_lost() {
        // It was this server itself, or the one that has taken over.
        Ok(_) if server.ending.load(Ordering::Acquire) || server.seat().is_none() => {}
        Ok(path) => {
            let path = path.display();
            log::error!("'{path}' was removed, without which nobody finds this server: ending");
            server.end(End::Displaced);
        }
        Err(error) => log::warn!("whether the server's files go is not noticed: {error}"),
    }
}

/// Without its sockets the server would be there and yet of no use to anybody.
fn end_because(server: &Server, what: &str, error: &io::Error) {
    log::error!("{what} fails ({error}): ending");
    server.end(End::Failed);
}

fn run_startup_cmd(server: &Server) {
    if let Some(script) = &server.shared.settings().config.startup_cmd {
        server.notifier.queue(Command {
            option: "startup_cmd",
            script: script.clone(),
            environment: Vec::new(),
            limit: notifier::TIME_LIMIT,
        });
    }
}

fn text(error: &io::Error) -> String {
    console::describe(error)
}
