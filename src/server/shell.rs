//! Runs one command of the user's: with the user's shell, in a process group of its own, for a
//! limited time. The helper does that; this is how to ask it. Knows nothing of accounts.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock;
use crate::secret::SecretText;
use crate::server::helper::{self, Ask, Run, Told};
use crate::server::pipes;

/// How much longer than the command the helper may take, on a machine that hardly moves.
const GRACE: Duration = Duration::from_secs(10);

/// A command to run.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// The option that it comes from, for messages.
    pub(super) option: &'static str,
    /// What the shell is given.
    pub(super) script: String,
    /// Added to the environment that the server was started with. Never a secret.
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

/// Runs `command` to its end. Nobody could use its answer when the server has ended: it is killed
/// then.
pub(super) fn run(command: &Command) -> Ended {
    converse(command, None, false).ended
}

/// Runs a command that tells the user something: it goes on to its end when the server has ended.
pub(super) fn tell(command: &Command) -> Ended {
    converse(command, None, true).ended
}

/// Runs `command` to its end with `input` on its standard input, and keeps what it prints. Where the
/// server ends, it is killed, unless it has all of an input by then: what it makes of that is of use
/// to the next one.
pub(super) fn pipe(command: &Command, input: Option<&SecretText>) -> Finished {
    let bytes = input.map_or(&[][..], |input| input.expose().as_bytes());
    converse(command, Some(bytes), input.is_some())
}

fn converse(command: &Command, input: Option<&[u8]>, outlives: bool) -> Finished {
    let mut output = Zeroizing::default();
    let ended = try_to_converse(command, input, outlives, &mut output);
    Finished {
        ended: ended.unwrap_or_else(Ended::NotRun),
        output,
    }
}

fn try_to_converse(
    command: &Command,
    input: Option<&[u8]>,
    outlives: bool,
    output: &mut Zeroizing<Vec<u8>>,
) -> io::Result<Ended> {
    let deadline = clock::moment() + command.limit;
    let (helper, pipes) = match input {
        None => (helper::connect(&[])?, None),
        Some(_) => {
            let (theirs_in, ours_in) = io::pipe()?;
            let (ours_out, theirs_out) = io::pipe()?;
            let theirs = [theirs_in.as_fd(), ours_in.as_fd(), theirs_out.as_fd()];
            (helper::connect(&theirs)?, Some((ours_in, ours_out)))
        }
    };
    helper.set_write_timeout(Some(GRACE))?;
    helper.set_read_timeout(Some(command.limit + GRACE))?;
    helper::ask(&helper, &Ask::Run(asked(command, outlives)))?;
    if let Some((to, from)) = pipes {
        // A conversation that fails, or takes too long, is no more than a command that does.
        let _ = pipes::talk(
            &helper,
            to,
            from,
            input.unwrap_or_default(),
            output,
            deadline,
        );
    }
    let (told, _) = helper::hear(&helper)?;
    ended(told, command.limit)
}

fn asked(command: &Command, outlives: bool) -> Run {
    let variables = command.environment.iter();
    Run {
        script: command.script.clone(),
        environment: variables
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect(),
        limit: u64::try_from(command.limit.as_millis()).unwrap_or(u64::MAX),
        outlives,
    }
}

fn ended(told: Told, limit: Duration) -> io::Result<Ended> {
    match told {
        Told::Exited(status) => Ok(Ended::Exited(ExitStatus::from_raw(status))),
        Told::TimedOut => Ok(Ended::TimedOut(limit)),
        Told::Failed(failure) => Err(failure.into()),
        Told::NotNamed | Told::Done => Err(io::Error::other(
            "it is not in the configuration that was read last",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::SigSet;

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
    fn signals_that_the_server_waits_for_reach_the_command() {
        SigSet::all().thread_block().unwrap();
        let ended = run(&command("kill -TERM $$", Duration::from_secs(30)));
        SigSet::all().thread_unblock().unwrap();
        assert_eq!(ended.to_string(), "was ended by signal 15");
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
