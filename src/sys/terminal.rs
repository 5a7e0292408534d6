//! What a terminal says of itself.

use std::os::fd::{AsFd, AsRawFd};

/// How many characters fit on a line of this terminal, where it says so.
#[expect(unsafe_code, reason = "the window's size has no safe wrapper")]
#[must_use]
pub fn window_width(terminal: &impl AsFd) -> Option<usize> {
    // SAFETY: an all-zero winsize is valid.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: `size` is a winsize that outlives the call.
    let result = unsafe {
        libc::ioctl(
            terminal.as_fd().as_raw_fd(),
            libc::TIOCGWINSZ,
            &raw mut size,
        )
    };
    (result == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}
