//! Talking to a command through its standard input and output, without waiting on either for
//! longer than allowed.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::clock::{self, Moment};
use crate::protocol::MAX_DUMP;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Writes `input` to a command and appends what it prints to `output`, until it has closed both, or
/// has ended and all is read that is there (what it has left running in the background may hold
/// them for ever), or `deadline` has come. `helper` is the helper's connection for this command: it
/// is told when all is written, and has something to say when the command has ended.
///
/// # Errors
/// Where a pipe fails, or the command prints more than any dump.
pub(super) fn talk(
    helper: &UnixStream,
    to: PipeWriter,
    from: PipeReader,
    mut input: &[u8],
    output: &mut Zeroizing<Vec<u8>>,
    deadline: Moment,
) -> io::Result<()> {
    set_nonblocking(to.as_fd())?;
    set_nonblocking(from.as_fd())?;
    let (mut to, mut from) = (Some(to), Some(from));
    while to.is_some() || from.is_some() {
        let ready = wait(to.as_ref(), from.as_ref(), helper, deadline)?;
        if ready == Ready::TimeOver {
            break;
        }
        if let Some(pipe) = &to
            && !write_some(pipe, &mut input)
        {
            to = None;
            // Where it is gone, that is noticed elsewhere.
            let _ = (&*helper).write(&[0]);
        }
        from = match from {
            Some(mut pipe) => read_some(&mut pipe, output)?.then_some(pipe),
            None => None,
        };
        if ready == Ready::Ended {
            break;
        }
    }
    Ok(())
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
    /// The command has ended: what it has printed is there.
    Ended,
    TimeOver,
}

/// Waits until one of the pipes is ready, or the command has ended.
fn wait(
    to: Option<&PipeWriter>,
    from: Option<&PipeReader>,
    helper: &UnixStream,
    deadline: Moment,
) -> io::Result<Ready> {
    let left = deadline.since(clock::moment());
    if left.is_zero() {
        return Ok(Ready::TimeOver);
    }
    let end = PollFd::new(helper.as_fd(), PollFlags::POLLIN);
    let to = to.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT));
    let from = from.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
    let mut pipes: Vec<PollFd<'_>> = to.into_iter().chain(from).chain([end]).collect();
    let timeout =
        PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut pipes, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ended = pipes.last().is_some_and(|end| end.any() == Some(true));
    Ok(if ended { Ready::Ended } else { Ready::Pipe })
}

/// Writes as much as fits. False where there is nothing more to write, or nobody who reads: a
/// command need not read its input.
fn write_some(mut pipe: &PipeWriter, input: &mut &[u8]) -> bool {
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
fn read_some(pipe: &mut PipeReader, output: &mut Zeroizing<Vec<u8>>) -> io::Result<bool> {
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
