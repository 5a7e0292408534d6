//! What a process does about signals, and what it leaves to those that it starts.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal};

/// Has `command` run with no signal blocked, whatever this thread blocks: programs inherit that,
/// and most cannot be ended by ctrl-c or a plain kill then.
#[expect(unsafe_code, reason = "what is done between fork and exec")]
pub fn unblock_signals(command: &mut Command) -> &mut Command {
    // SAFETY: a system call that allocates nothing and takes no lock.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) }
}

/// Whether this process ignores `signal`, as whoever started it may have wanted it to.
#[expect(unsafe_code, reason = "sigaction has no safe wrapper")]
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    // SAFETY: an all-zero sigaction is valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is changed, and `action` outlives the call.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), &raw mut action) };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}
