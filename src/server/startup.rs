//! Start-up and end: everything that can fail is done while the terminal can still be told, and
//! no thread exists before the fork.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use crate::cli::ServerOptions;
use crate::clock;
use crate::config::{self, Config};
use crate::console;
use crate::exit::Exit;
use crate::logging;
use crate::paths::{self, RuntimePaths};
use crate::protocol::Reply;
use crate::server::control::Control;
use crate::server::intake::{self, Door, Intake};
use crate::server::notifier::{self, Notifier};
use crate::server::outbox;
use crate::server::persister;
use crate::server::pool::Pool;
use crate::server::redirect::{self, Redirect};
use crate::server::shared::Shared;
use crate::server::shell::Command;
use crate::server::{Server, Settings, addresses, refresher, signals};
use crate::sys;
use crate::vault::Vault;

/// Requests to providers under way at once. A thousand accounts that are due together are through
/// in a few seconds, with little memory.
const EXCHANGES: usize = 128;

/// Runs of `transient_error_if_cmd` at once: they are the user's commands, and may be heavy.
const PROBES: usize = 8;

/// How long the last client may take to read that the server has ended.
const FAREWELL: Duration = Duration::from_secs(1);

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

/// What a server has opened before it is one.
struct Prepared {
    config: Config,
    config_path: PathBuf,
    paths: RuntimePaths,
    lock: File,
    control: UnixListener,
    redirect: Vec<TcpListener>,
}

fn start(options: &ServerOptions) -> Result<Exit, String> {
    sys::keep_inherited_descriptors();
    let prepared = prepare(options.config.as_deref())?;
    if options.foreground {
        logging::to_stderr(options.verbosity);
        return serve(prepared, || Ok(()));
    }
    let (parent, child) = UnixStream::pair().map_err(|error| text(&error))?;
    match sys::fork().map_err(|error| format!("cannot go into the background: {error}"))? {
        ForkResult::Parent { child: id } => {
            drop(child);
            Ok(await_readiness(parent, id))
        }
        ForkResult::Child => {
            drop(parent);
            let verbosity = options.verbosity;
            serve(prepared, move || detach(&child, verbosity))
        }
    }
}

/// Everything that can fail for reasons of the user's.
fn prepare(config: Option<&Path>) -> Result<Prepared, String> {
    let config_path = paths::config_file(config).map_err(|error| error.to_string())?;
    let config = config::load(&config_path).map_err(|error| {
        console::say(&mut io::stderr(), &error.to_string());
        "the server was not started: correct the configuration first".to_owned()
    })?;
    let paths = RuntimePaths::find();
    paths.prepare().map_err(|error| error.to_string())?;
    let lock = take_lock(&paths.lock)?;
    let control = bind_control(&paths.socket)?;
    let redirect = redirect::bind(&config.http_listen).map_err(|error| text(&error))?;
    Ok(Prepared {
        config,
        config_path,
        paths,
        lock,
        control,
        redirect,
    })
}

/// Takes the lock that each server holds for as long as it lives, whatever ends it. The file stays
/// when the server goes: were it removed, two servers could each hold the lock of another file.
fn take_lock(path: &Path) -> Result<File, String> {
    let shown = path.display();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(|error| format!("cannot open the lock file '{shown}': {}", text(&error)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            let who = match pid.trim() {
                "" => String::new(),
                pid => format!(" (process {pid})"),
            };
            Err(format!(
                "a pizauth server is running already{who}: 'pizauth shutdown' ends it"
            ))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(format!("cannot lock '{shown}': {}", text(&error)))
        }
    }
}

/// Takes the socket's place. Whoever holds the lock may: a socket that is there is a dead
/// server's.
fn bind_control(path: &Path) -> Result<UnixListener, String> {
    let failed = |error: io::Error| {
        format!(
            "cannot make the control socket '{}': {}",
            path.display(),
            text(&error)
        )
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // Private from its first moment, not only after a chmod.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// The parent's part: it ends when the child is ready or has failed, which the child has told the
/// terminal itself then.
fn await_readiness(mut child: UnixStream, id: Pid) -> Exit {
    let ready = loop {
        match child.read(&mut [0; 1]) {
            Ok(count) => break count > 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
    };
    if ready {
        return Exit::Done;
    }
    let _ = waitpid(id, None);
    Exit::Error
}

/// Leaves the terminal, and lets the parent go.
fn detach(mut parent: &UnixStream, verbosity: u8) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot leave the terminal: {}", text(&error));
    setsid().map_err(|error| failed(error.into()))?;
    if logging::to_syslog(verbosity).is_err() {
        console::say(
            &mut io::stderr(),
            "pizauth: there is no syslog here, so nothing is logged: 'pizauth server -d' logs to \
             the terminal",
        );
    }
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(failed)?;
    dup2_stdin(&null)
        .and(dup2_stdout(&null))
        .and(dup2_stderr(&null))
        .map_err(|e| failed(e.into()))?;
    // A parent that was killed meanwhile need not be told.
    let _ = parent.write(&[1]);
    Ok(())
}

/// The server's life. `ready` is called once everything works.
fn serve(prepared: Prepared, ready: impl FnOnce() -> Result<(), String>) -> Result<Exit, String> {
    let Prepared {
        config,
        config_path,
        paths,
        lock,
        control,
        redirect,
    } = prepared;
    let socket = paths.socket;
    let outcome = open(config, config_path, &lock, control, redirect)
        .and_then(|(server, ended)| Ok((server, ended, ready()?)));
    let client = match outcome {
        Err(message) => {
            let _ = std::fs::remove_file(&socket);
            return Err(message);
        }
        Ok((server, ended, ())) => {
            run_startup_cmd(&server);
            log::info!("ready, with {} accounts", server.facts().accounts);
            let client = ended.recv().ok().flatten();
            server.settle();
            client
        }
    };
    let _ = std::fs::remove_file(&socket);
    drop(lock);
    log::info!("ended");
    if let Some(client) = client {
        farewell(&client);
    }
    Ok(Exit::Done)
}

type Running = (Arc<Server>, Receiver<Option<UnixStream>>);

/// Hardens the process and starts the threads.
fn open(
    config: Config,
    config_path: PathBuf,
    lock: &File,
    control: UnixListener,
    redirect: Vec<TcpListener>,
) -> Result<Running, String> {
    let failed = |error: io::Error| format!("cannot start the server: {}", text(&error));
    become_a_daemon(lock).map_err(failed)?;
    let (notifier, commands) = Notifier::new();
    let (end, ended) = channel();
    let (outbox, delivery) = outbox::outbox().map_err(failed)?;
    let (redirect_handle, redirect_news) = intake::news().map_err(failed)?;
    let (control_handle, control_news) = intake::news().map_err(failed)?;
    let (persister, inbox) = persister::new();
    let bells = vec![control_handle.bell(), redirect_handle.bell()];
    let vault = Vault::new(&config);
    let settings = Settings::new(config, addresses(&redirect));
    let server = Arc::new(Server {
        shared: Shared::new(vault, settings, bells, persister.clone()).map_err(failed)?,
        config_path,
        started_at: clock::now().wall,
        notifier,
        redirect: redirect_handle,
        exchanges: Pool::new("exchange", EXCHANGES).map_err(failed)?,
        chores: Pool::new("chores", 1).map_err(failed)?,
        asked: Mutex::default(),
        outbox,
        probes: Pool::new("probe", PROBES).map_err(failed)?,
        persister,
        ending: AtomicBool::new(false),
        end,
    });
    spawn("notifier", move || notifier::run(&commands)).map_err(failed)?;
    let keeping = persister::restore(&server);
    let redirect = Intake::new(Redirect(Arc::clone(&server)), redirect, redirect_news);
    let control = Intake::new(Control(Arc::clone(&server)), vec![control], control_news);
    let of_server = || Arc::clone(&server);
    let (for_signals, for_refresher) = (of_server(), of_server());
    let (for_redirect, for_control, for_outbox) = (of_server(), of_server(), of_server());
    let for_persister = of_server();
    spawn("persister", move || {
        persister::run(&for_persister, &inbox, keeping);
    })
    .map_err(failed)?;
    spawn("signals", move || signals::run(&for_signals)).map_err(failed)?;
    spawn("refresher", move || refresher::run(&for_refresher)).map_err(failed)?;
    spawn("redirect", move || take_in(redirect, &for_redirect)).map_err(failed)?;
    spawn("control", move || take_in(control, &for_control)).map_err(failed)?;
    spawn("outbox", move || {
        let error = delivery.run();
        end_because(&for_outbox, "sending replies", &error);
    })
    .map_err(failed)?;
    Ok((server, ended))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(drop)
}

fn take_in<D: Door>(intake: Intake<D>, server: &Server) {
    end_because(server, "waiting for connections", &intake.run());
}

/// Without its sockets the server would be there and yet of no use to anybody.
fn end_because(server: &Server, what: &str, error: &io::Error) {
    log::error!("{what} fails ({error}): ending");
    server.shut_down(None);
}

/// What sets a daemon apart, in a fixed order, before there are threads and secrets.
fn become_a_daemon(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())?;
    std::env::set_current_dir("/")?;
    if let Err(error) = sys::hide_memory() {
        log::warn!("other programs of this user may be able to read this one's memory: {error}");
    }
    sys::raise_descriptor_limit();
    sys::give_memory_back();
    signals::block()?;
    Ok(())
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

/// Answers the client that asked for the end, now that another server could start.
fn farewell(mut client: &UnixStream) {
    let _ = client.set_nonblocking(false);
    let _ = client.set_write_timeout(Some(FAREWELL));
    let _ = client.write_all(&Reply::Done(String::new()).encode());
}

fn text(error: &io::Error) -> String {
    console::describe(error)
}
