//! The helper's own life: waits for the server, does what it asks for, and ends when the server
//! has ended and nothing runs any more.
//!
//! Has a thread for each command that runs, and one that waits. Knows no secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use super::DETACH;
use super::known::{Known, Named, Place};
use super::wire::{Ask, Run, Told, read, write};
use crate::clock;
use crate::server::signals;
use crate::sys::{self, Woken};

/// The shell where `$SHELL` is unset.
const FALLBACK_SHELL: &str = "/bin/sh";

/// What the process is called in lists of processes.
const NAME: &str = "pizauth-helper";

/// Enough for reading a configuration; only what is used of it takes up memory.
const STACK: usize = 512 * 1024;

/// What a service manager told the server is not for its commands.
const NOT_FOR_COMMANDS: [&str; 4] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// Lives for as long as the server and its commands.
pub(super) fn live(server: &UnixStream) {
    prepare(server);
    // A server whose configuration has mistakes ends without a word.
    if let Ok((known, _)) = read::<Known>(server) {
        serve(server, known);
    }
}

/// Lets go of all that is not the helper's. Where the system refuses any of it, that is no reason
/// not to run commands.
fn prepare(server: &UnixStream) {
    sys::close_descriptors_but(server);
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = dup2_stdin(&null)
            .and(dup2_stdout(&null))
            .and(dup2_stderr(&null));
    }
    let _ = std::env::set_current_dir("/");
    let _ = sys::hide_memory();
    sys::give_memory_back();
    sys::set_process_name(NAME);
    // What ends the server ends the helper, too, but only then: a last command may be to run.
    let _ = signals::block();
}

/// What the helper's threads share.
struct Shared {
    known: Mutex<Known>,
    /// Held while a configuration is read, which may take long where its files are on a disk that
    /// does not answer: commands need not wait for that.
    looking: Mutex<()>,
}

/// Does what the server asks for until it is gone, then waits for what still runs.
pub(super) fn serve(server: &UnixStream, known: Known) {
    let shared = Arc::new(Shared {
        known: Mutex::new(known),
        looking: Mutex::default(),
    });
    let (running, none_runs) = channel::<()>();
    loop {
        let mut said = [0; 1];
        let mut connection = match sys::receive_with_descriptors(server, &mut said) {
            Ok((0, _)) => break,
            Ok((_, descriptors)) => descriptors.into_iter(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if said == [DETACH] {
            // A process that was forked leads no group, so it can always leave.
            let _ = setsid();
            continue;
        }
        let Some(stream) = connection.next() else {
            continue;
        };
        let (shared, running) = (Arc::clone(&shared), running.clone());
        let attend = move || {
            attend(&stream.into(), connection.collect(), &shared);
            drop(running);
        };
        let thread = thread::Builder::new().name("command".into());
        // Where there is no room for a thread, the server is told by the end of the connection.
        let _ = thread.stack_size(STACK).spawn(attend);
    }
    drop(running);
    // Nothing is ever sent: this comes back when each thread has let go of its end.
    let _ = none_runs.recv();
}

/// Does one thing.
fn attend(server: &UnixStream, pipes: Vec<OwnedFd>, shared: &Shared) {
    let Ok((ask, _)) = read(server) else {
        return;
    };
    match ask {
        Ask::Open(path) => open(server, &path, shared),
        // It comes after the configuration was opened.
        Ask::Adopt => {}
        Ask::Run(run) => {
            let variables = run.environment.iter().map(|(name, _)| name.as_str());
            // Not under the lock, while the command runs.
            let is_named = lock(&shared.known).has_command(&run.script, variables);
            let told = match is_named {
                true => perform(server, &run, pipes).unwrap_or_else(failed),
                false => Told::NotNamed,
            };
            tell(server, &told, None);
        }
    }
}

/// Opens a file for the server. Where it is the configuration, both look what it names: the server
/// is told whether this process could, and says whether it is to be in force.
fn open(server: &UnixStream, path: &[u8], shared: &Shared) {
    let Some(place) = find(path, shared) else {
        return tell(server, &Told::NotNamed, None);
    };
    // Not under a lock: it may be on a disk that does not answer.
    let opened = match place.open(path) {
        Ok(opened) => opened,
        Err(error) => return tell(server, &failed(error), None),
    };
    let Some(config) = opened.config else {
        return tell(server, &Told::Done, Some(&opened.file));
    };
    // The server can begin to read it at once; the files that it finds there have to wait.
    let looking = lock(&shared.looking);
    tell(server, &Told::Done, Some(&opened.file));
    drop(opened.file);
    let named = Named::read(&config, path);
    let offer = named.map(|named| lock(&shared.known).offer(named));
    drop((config, looking));
    match offer {
        Ok(offer) => settle(server, offer, &shared.known),
        Err(error) => tell(server, &failed(error), None),
    }
}

/// What is at this path, where it is named.
fn find(path: &[u8], shared: &Shared) -> Option<Place> {
    let place = lock(&shared.known).place(path);
    place.or_else(|| {
        // It may be named by what is being read.
        drop(lock(&shared.looking));
        lock(&shared.known).place(path)
    })
}

/// Waits for the server to say whether what is offered is to be in force.
fn settle(server: &UnixStream, offer: u64, known: &Mutex<Known>) {
    tell(server, &Told::Done, None);
    let answer = read(server);
    if let Ok((Ask::Adopt, _)) = answer {
        lock(known).adopt(offer);
        tell(server, &Told::Done, None);
    } else {
        lock(known).withdraw(offer);
    }
}

fn tell(server: &UnixStream, told: &Told, file: Option<&File>) {
    let descriptors: Vec<_> = file.iter().map(|file| file.as_fd()).collect();
    // A server that is gone does not want to know.
    let _ = write(server, told, &descriptors);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: io::Error) -> Told {
    Told::Failed(error.into())
}

/// Runs a command to its end. Three descriptors are its input, the other end of that, and its
/// output.
fn perform(server: &UnixStream, run: &Run, pipes: Vec<OwnedFd>) -> io::Result<Told> {
    let mut pipes = pipes.into_iter();
    let (input, kept, output) = (pipes.next(), pipes.next(), pipes.next());
    let child = start(run, input, output)?;
    finish(server, child, run, kept)
}

fn start(run: &Run, input: Option<OwnedFd>, output: Option<OwnedFd>) -> io::Result<Child> {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let pipe = |end: Option<OwnedFd>| end.map_or_else(Stdio::null, Stdio::from);
    // Who is to go on when the server is gone must not need a reader.
    let output = output.filter(|_| !run.outlives);
    let mut process = Command::new(shell.unwrap_or_else(|| FALLBACK_SHELL.into()));
    sys::unblock_signals(&mut process)
        .arg("-c")
        .arg(&run.script)
        .envs(run.environment.iter().map(|(name, value)| (name, value)));
    for name in NOT_FOR_COMMANDS {
        process.env_remove(name);
    }
    process
        .stdin(pipe(input))
        .stdout(pipe(output))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Waits for the end of a command. `kept` is held until the server has written all of the
/// command's input: one that was cut off by the server's death must not look like a whole one,
/// which the command would keep in the place of the last one.
fn finish(
    server: &UnixStream,
    mut child: Child,
    run: &Run,
    mut kept: Option<OwnedFd>,
) -> io::Result<Told> {
    let id = Pid::from_raw(child.id().cast_signed());
    let ended = watch(server, id, run, &mut kept);
    if !matches!(ended, Ok(None)) {
        // Not collected yet, so the group's number is still its own.
        let _ = killpg(id, Signal::SIGKILL);
    }
    drop(kept);
    let status = child.wait()?;
    Ok(ended?.unwrap_or(Told::Exited(status.into_raw())))
}

/// How long a command may still take over a dump when the server is gone.
const LAST_DUMP: Duration = Duration::from_secs(5);

/// Waits until a command has ended or must end, which is what the server is told then.
fn watch(
    server: &UnixStream,
    id: Pid,
    run: &Run,
    kept: &mut Option<OwnedFd>,
) -> io::Result<Option<Told>> {
    let mut deadline = clock::moment() + Duration::from_millis(run.limit);
    let mut listener = Some(server);
    let is_keeping = kept.is_some();
    loop {
        let left = deadline.since(clock::moment());
        match sys::wait_for_end_or(id, listener, left)? {
            Woken::Ended => return Ok(None),
            Woken::TimeOver => return Ok(Some(Told::TimedOut)),
            Woken::Readable => match (&*server).read(&mut [0; 1]) {
                Ok(count) if count > 0 => *kept = None,
                _ if run.outlives && kept.is_none() => {
                    listener = None;
                    if is_keeping {
                        // The next server may have something newer to keep.
                        deadline = deadline.min(clock::moment() + LAST_DUMP);
                    }
                }
                _ => return Ok(Some(Told::TimedOut)),
            },
        }
    }
}
