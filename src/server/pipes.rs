//! Talking to a command through its standard input and output, without waiting on either for
//! longer than allowed.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::clock::{self, Moment};
use crate::protocol::MAX_DUMP;
use crate::sys;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Writes `input` to the child and reads what it prints, until it has closed both, or has ended and
/// all is read that is there (what it has left running in the background may hold them for ever),
/// or `deadline` has come.
///
/// # Errors
/// Where a pipe fails, or the child prints more than any dump.
pub(super) fn talk(
    child: &mut Child,
    input: &[u8],
    deadline: Moment,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let (mut to, mut from) = (child.stdin.take(), child.stdout.take());
    let mut input = input;
    let mut output = Zeroizing::new(Vec::new());
    for pipe in [to.as_ref().map(AsFd::as_fd), from.as_ref().map(AsFd::as_fd)]
        .into_iter()
        .flatten()
    {
        set_nonblocking(pipe)?;
    }
    let end = sys::end_of(Pid::from_raw(child.id().cast_signed()));
    while to.is_some() || from.is_some() {
        let ready = wait(to.as_ref(), from.as_ref(), end.as_ref(), deadline)?;
        if ready == Ready::TimeOver {
            break;
        }
        to = to.filter(|pipe| write_some(pipe, &mut input));
        from = match from {
            Some(mut pipe) => read_some(&mut pipe, &mut output)?.then_some(pipe),
            None => None,
        };
        if ready == Ready::Ended {
            break;
        }
    }
    Ok(output)
}

fn set_nonblocking(pipe: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    fcntl(pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// What has been waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// One of the pipes.
    Pipe,
    /// The child has ended: what it has printed is there.
    Ended,
    TimeOver,
}

/// Waits until one of the pipes is ready, or the child has ended.
fn wait(
    to: Option<&ChildStdin>,
    from: Option<&ChildStdout>,
    end: Option<&OwnedFd>,
    deadline: Moment,
) -> io::Result<Ready> {
    let left = deadline.since(clock::moment());
    if left.is_zero() {
        return Ok(Ready::TimeOver);
    }
    let end = end.map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
    let to = to.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT));
    let from = from.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
    let has_end = end.is_some();
    let mut pipes: Vec<PollFd<'_>> = to.into_iter().chain(from).chain(end).collect();
    let timeout =
        PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut pipes, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ended = has_end && pipes.last().is_some_and(|end| end.any() == Some(true));
    Ok(if ended { Ready::Ended } else { Ready::Pipe })
}

/// Writes as much as fits. False where there is nothing more to write, or nobody who reads: a
/// command need not read its input.
fn write_some(mut pipe: &ChildStdin, input: &mut &[u8]) -> bool {
    while !input.is_empty() {
        match pipe.write(input) {
            Ok(count) => *input = &input[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// Reads what is there. False at its end.
fn read_some(pipe: &mut ChildStdout, output: &mut Zeroizing<Vec<u8>>) -> io::Result<bool> {
    loop {
        let known = output.len();
        if known > MAX_DUMP {
            return Err(io::Error::other("the command prints too much"));
        }
        output.resize(known + CHUNK, 0);
        let result = pipe.read(&mut output[known..]);
        output.truncate(known + result.as_ref().map_or(0, |count| *count));
        match result {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}
