//! What differs between operating systems, and all unsafe code but the name of `main`.
//!
//! Knows nothing of pizauth: each function is a small piece of the system under one name.

#[cfg_attr(target_os = "linux", path = "sys/alarm_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys/alarm_elsewhere.rs")]
mod alarm;
/// What other systems have in its place works here too, so that it can be tried out.
#[cfg(all(test, target_os = "linux"))]
#[expect(unreachable_pub, reason = "there it is for others")]
#[path = "sys/alarm_elsewhere.rs"]
mod alarm_elsewhere;
mod begin;
mod confine;
mod large;
mod locked;
mod memory;
mod removals;
mod signals;
mod terminal;
mod watch;
mod wiping;

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{ForkResult, Pid};

pub use self::alarm::Alarm;
pub use self::begin::run_program;
pub use self::confine::{Access, Measure, confine};
pub use self::locked::{LockedText, reserve_locked_memory};
pub use self::memory::{give_memory_back, refuse_huge_pages, return_memory};
pub use self::removals::Removals;
pub use self::signals::{is_ignored, unblock_signals};
pub use self::terminal::window_width;
pub use self::watch::{Interest, Watch};
pub use self::wiping::{WipedBytes, Wiping, wipe_stack};

/// The longest path that a Unix socket can have here, in bytes: the kernel's field less its NUL.
pub const MAX_SOCKET_PATH: usize =
    size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// The first descriptor after standard input, output and error.
#[cfg(target_os = "linux")]
const FIRST_DESCRIPTOR: u32 = 3;

/// The most descriptors that are received at once: more than a server has listeners.
const MOST_DESCRIPTORS: usize = 8;

/// The user at the other end of a Unix socket.
///
/// # Errors
/// Where the system does not tell.
pub fn peer_uid(stream: &impl AsFd) -> io::Result<u32> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        Ok(getsockopt(stream, PeerCredentials)?.uid())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let (uid, _) = nix::unistd::getpeereid(stream)?;
        Ok(uid.as_raw())
    }
}

/// Accepts a connection that does not block.
///
/// # Errors
/// Where nobody is there, or the system refuses.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "accept4 gives a number")]
pub fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    use nix::sys::socket::{SockFlag, accept4};
    use std::os::fd::FromRawFd as _;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let number = accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: the kernel has just opened it for this process, and nobody else has it.
    Ok(unsafe { UnixStream::from_raw_fd(number) })
}

/// Accepts a connection that does not block.
///
/// # Errors
/// Where nobody is there, or the system refuses.
#[cfg(not(target_os = "linux"))]
pub fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Splits the process in two.
///
/// # Errors
/// Where the system has no room for another process, or this one has threads already.
#[expect(unsafe_code, reason = "fork has no safe wrapper")]
pub fn fork() -> io::Result<ForkResult> {
    if thread_count().is_some_and(|count| count > 1) {
        return Err(io::Error::other("there are threads already"));
    }
    // SAFETY: this process has one thread (checked above where the system tells), so the child
    // finds no lock held by a thread that it does not have.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// How many threads this process has, where that is easy to find out.
fn thread_count() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// Sends bytes and descriptors over a Unix socket, in one piece.
///
/// # Errors
/// Where the socket does not take all of it at once, or fails.
pub fn send_with_descriptors(
    stream: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let slices = [io::IoSlice::new(bytes)];
    let flags = MsgFlags::empty();
    let sent = sendmsg::<()>(stream.as_raw_fd(), &slices, &rights, flags, None)?;
    if sent == bytes.len() {
        return Ok(());
    }
    Err(io::Error::other("the message was cut short"))
}

/// Receives bytes, and the descriptors that were sent with them: at most `MOST_DESCRIPTORS`.
///
/// # Errors
/// Where the socket fails.
pub fn receive_with_descriptors(
    stream: &UnixStream,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut space = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut slices = [io::IoSliceMut::new(bytes)];
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let flags = MsgFlags::empty();
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(adopt));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Takes a descriptor over that came as a number: from the kernel, or from the process that started
/// this one. To be called once for each.
#[expect(unsafe_code, reason = "descriptors are handed over as numbers")]
#[must_use]
pub fn adopt(number: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: it was opened for this process, and nothing else in it knows the number.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Keeps descriptors that were open when the program began from what it starts. Those that it
/// opens itself are never handed on.
pub fn keep_inherited_descriptors() {
    #[cfg(target_os = "linux")]
    if close_range(FIRST_DESCRIPTOR, u32::MAX, libc::CLOSE_RANGE_CLOEXEC).is_ok() {
        return;
    }
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    for descriptor in possible_descriptors() {
        let descriptor = borrow(descriptor);
        if let Ok(flags) = fcntl(descriptor, FcntlArg::F_GETFD) {
            let flags = FdFlag::from_bits_retain(flags) | FdFlag::FD_CLOEXEC;
            let _ = fcntl(descriptor, FcntlArg::F_SETFD(flags));
        }
    }
}

/// Closes descriptors that were open when the program began: somebody may wait for the end of a
/// pipe, or for a lock. To be called before it opens any itself.
pub fn close_inherited_descriptors() {
    #[cfg(target_os = "linux")]
    if close_range(FIRST_DESCRIPTOR, u32::MAX, 0).is_ok() {
        return;
    }
    for descriptor in possible_descriptors() {
        let _ = nix::unistd::close(descriptor);
    }
}

/// Closes all descriptors but this one, and standard input, output and error. For a process that
/// was just forked and uses nothing else of what it was forked with.
pub fn close_descriptors_but(kept: &impl AsFd) {
    let kept = kept.as_fd().as_raw_fd();
    #[cfg(target_os = "linux")]
    {
        let number = kept.cast_unsigned();
        let below =
            number <= FIRST_DESCRIPTOR || close_range(FIRST_DESCRIPTOR, number - 1, 0).is_ok();
        if below && close_range(number + 1, u32::MAX, 0).is_ok() {
            return;
        }
    }
    for descriptor in possible_descriptors().filter(|descriptor| *descriptor != kept) {
        let _ = nix::unistd::close(descriptor);
    }
}

/// What this process, which has one thread, is called in lists of processes, where the system
/// knows such a name: at most 15 bytes.
pub fn set_process_name(name: &str) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(name) = std::ffi::CString::new(name) {
        let _ = nix::sys::prctl::set_name(&name);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = name;
}

/// From 3 on, as many as are likely to be there.
fn possible_descriptors() -> std::ops::Range<i32> {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft.min(4096));
    3..i32::try_from(limit).unwrap_or(1024)
}

#[expect(unsafe_code, reason = "a number that may or may not be a descriptor")]
fn borrow(descriptor: i32) -> BorrowedFd<'static> {
    // SAFETY: only F_GETFD and F_SETFD are used on it, which fail on a closed descriptor.
    unsafe { BorrowedFd::borrow_raw(descriptor) }
}

/// Does to all these descriptors what `flags` says: 0 is closing them.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "close_range has no safe wrapper")]
fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: no memory is passed. Descriptors are closed only where the caller promises that
    // nothing of this program has opened any yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Keeps the process's memory from core files and from other processes of the same user.
///
/// # Errors
/// Where the system refuses.
pub fn hide_memory() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}

/// How many descriptors this process may have.
#[must_use]
pub fn descriptor_limit() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE)
        .ok()
        .and_then(|(soft, _)| usize::try_from(soft).ok())
        .unwrap_or(usize::MAX)
}

/// Allows as many descriptors as the hard limit does.
pub fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // A refusal leaves what was there, which is enough in ordinary use.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Waits until `child` has ended, without collecting it. Returns false where `limit` has passed
/// before.
///
/// # Errors
/// Where `child` is not a child of this process.
pub fn wait_for_end(child: Pid, limit: Duration) -> io::Result<bool> {
    Ok(wait_for_end_or(child, None, limit)? == Woken::Ended)
}

/// Why a wait has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The child has ended.
    Ended,
    /// There is something to read, or nobody left to write it.
    Readable,
    /// The time is over.
    TimeOver,
}

/// Waits until `child` has ended, without collecting it: its id stays its own until the caller
/// does that; or until there is something to read from `other`; or until `limit` has passed.
///
/// # Errors
/// Where `child` is not a child of this process.
pub fn wait_for_end_or(
    child: Pid,
    other: Option<&UnixStream>,
    limit: Duration,
) -> io::Result<Woken> {
    #[cfg(target_os = "linux")]
    if let Ok(descriptor) = pidfd_open(child) {
        let mut ready = vec![PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        ready.extend(other.map(|other| PollFd::new(other.as_fd(), PollFlags::POLLIN)));
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        return loop {
            match poll(&mut ready, timeout) {
                Err(Errno::EINTR) => {}
                Err(error) => break Err(error.into()),
                Ok(0) => break Ok(Woken::TimeOver),
                Ok(_) if ready[0].any() == Some(true) => break Ok(Woken::Ended),
                Ok(_) => break Ok(Woken::Readable),
            }
        };
    }
    wait_by_asking(child, other, limit)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "pidfd_open has no safe wrapper")]
fn pidfd_open(process: Pid) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0_u32) };
    let descriptor = i32::try_from(result).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(adopt(descriptor))
}

/// For systems where a process is not a descriptor: asks some times a second, while a command of
/// the user runs.
fn wait_by_asking(child: Pid, other: Option<&UnixStream>, limit: Duration) -> io::Result<Woken> {
    const PAUSE: u8 = 50;
    let pauses = limit.as_millis() / u128::from(PAUSE) + 1;
    for _ in 0..pauses {
        if has_ended(child)? {
            return Ok(Woken::Ended);
        }
        let mut ready = Vec::with_capacity(1);
        ready.extend(other.map(|other| PollFd::new(other.as_fd(), PollFlags::POLLIN)));
        if poll(&mut ready, PollTimeout::from(PAUSE)).is_ok_and(|count| count > 0) {
            return Ok(Woken::Readable);
        }
    }
    Ok(match has_ended(child)? {
        true => Woken::Ended,
        false => Woken::TimeOver,
    })
}

#[expect(unsafe_code, reason = "nix has waitid on some systems only")]
fn has_ended(child: Pid) -> io::Result<bool> {
    // SAFETY: an all-zero siginfo_t is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id = libc::id_t::try_from(child.as_raw()).map_err(io::Error::other)?;
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is a siginfo_t that outlives the call.
    let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, flags) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // Left at zero where the child has not ended; SIGCHLD otherwise.
    Ok(info.si_signo != 0)
}

#[cfg(test)]
mod tests;
