//! Runs one command of the user's: with the user's shell, in a process group of its own, for a
//! limited time. Knows nothing of accounts.

use std::fmt;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::clock;
use crate::secret::SecretText;
use crate::server::pipes;
use crate::sys;

/// The shell where `$SHELL` is unset.
const FALLBACK_SHELL: &str = "/bin/sh";

/// A command to run.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// The option that it comes from, for messages.
    pub(super) option: &'static str,
    /// What the shell is given.
    pub(super) script: String,
    /// Added to the server's environment. Never a secret.
    pub(super) environment: Vec<(&'static str, String)>,
    /// After this time it is killed, with all that it started.
    pub(super) limit: Duration,
}

/// How a command ended, and what it had printed by then.
pub(super) struct Finished {
    pub(super) ended: Ended,
    pub(super) output: Zeroizing<Vec<u8>>,
}

/// How a command ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed because its time was over.
    TimedOut(Duration),
    /// It could not be run.
    NotRun(io::Error),
}

impl Ended {
    /// The exit status; `None` where the command did not get as far as having one of its own.
    pub(super) fn code(&self) -> Option<i32> {
        match self {
            Self::Exited(status) => status.code(),
            Self::TimedOut(_) | Self::NotRun(_) => None,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "ended with exit status {code}"),
                (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (None, None) => write!(f, "ended"),
            },
            Self::TimedOut(limit) => {
                write!(
                    f,
                    "was killed, as it had not ended after {} s",
                    limit.as_secs()
                )
            }
            Self::NotRun(error) => write!(f, "could not be run: {error}"),
        }
    }
}

/// Runs `command` to its end.
pub(super) fn run(command: &Command) -> Ended {
    converse(command, None).ended
}

/// Runs `command` to its end with `input` on its standard input, and keeps what it prints.
pub(super) fn pipe(command: &Command, input: &SecretText) -> Finished {
    converse(command, Some(input.expose().as_bytes()))
}

fn converse(command: &Command, input: Option<&[u8]>) -> Finished {
    let deadline = clock::moment() + command.limit;
    let mut child = match start(command, input.is_some()) {
        Ok(child) => child,
        Err(error) => {
            return Finished {
                ended: Ended::NotRun(error),
                output: Zeroizing::default(),
            };
        }
    };
    // A conversation that fails, or takes too long, is no more than a command that does.
    let output = pipes::talk(&mut child, input.unwrap_or_default(), deadline).unwrap_or_default();
    let ended = finish(child, command.limit, deadline.since(clock::moment()));
    Finished { ended, output }
}

fn start(command: &Command, piped: bool) -> io::Result<Child> {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let pipe = || if piped { Stdio::piped() } else { Stdio::null() };
    Process::new(shell.unwrap_or_else(|| FALLBACK_SHELL.into()))
        .arg("-c")
        .arg(&command.script)
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        // What the service manager told the server is not for its commands.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDNAMES")
        .stdin(pipe())
        .stdout(pipe())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn finish(mut child: Child, limit: Duration, left: Duration) -> Ended {
    let id = Pid::from_raw(child.id().cast_signed());
    let ended = sys::wait_for_end(id, left);
    if !matches!(ended, Ok(true)) {
        // Not collected yet, so the group's number is still its own.
        let _ = killpg(id, Signal::SIGKILL);
    }
    match (ended, child.wait()) {
        (Ok(true), Ok(status)) => Ended::Exited(status),
        (Ok(false), Ok(_)) => Ended::TimedOut(limit),
        (Err(error), _) | (_, Err(error)) => Ended::NotRun(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(script: &str, limit: Duration) -> Command {
        Command {
            option: "test_cmd",
            script: script.into(),
            environment: vec![("PIZAUTH_ACCOUNT", "a 'b' $c".into())],
            limit,
        }
    }

    #[test]
    fn exit_status_and_environment() {
        let script = "test \"$PIZAUTH_ACCOUNT\" = \"a 'b' \\$c\" && exit 7";
        let ended = run(&command(script, Duration::from_secs(30)));
        assert_eq!(ended.code(), Some(7), "{ended}");
    }

    #[test]
    fn the_whole_group_is_killed_when_time_is_over() {
        let directory = std::env::temp_dir().join(format!("pizauth-shell-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let fifo = directory.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // The grandchild holds the fifo open for writing until it is killed.
        let script = format!(
            "(exec 3>'{0}'; cat <'{0}'.none; exec sleep 1000) & exec cat <'{0}'",
            fifo.display()
        );
        let waited = run(&command(&script, Duration::from_millis(300)));
        assert!(matches!(waited, Ended::TimedOut(_)), "{waited}");
        // With nobody left who holds it for writing, this open finds no writer's data but an end.
        let reader = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&fifo)
            .unwrap();
        // Dying takes a moment.
        let deadline = crate::clock::moment() + Duration::from_secs(30);
        while std::io::Read::read(&mut &reader, &mut [0; 1]).is_err() {
            assert!(crate::clock::moment() < deadline, "somebody is left");
            let _ = nix::poll::poll(&mut [], 5_u8);
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
    use std::os::unix::fs::OpenOptionsExt;
}
