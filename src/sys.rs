//! What differs between operating systems, and the only room where `unsafe` may be.
//!
//! Imports nothing of ours.

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::AsFd;

/// The longest path that a Unix socket can have here, in bytes: the kernel's field less its NUL.
pub const MAX_SOCKET_PATH: usize =
    size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// The user id of the process at the other end of a Unix socket.
///
/// # Errors
/// If the kernel does not say.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    Ok(getsockopt(&socket, PeerCredentials)?.uid())
}

/// The user id of the process at the other end of a Unix socket.
///
/// # Errors
/// If the kernel does not say.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    let (uid, _) = nix::unistd::getpeereid(socket)?;
    Ok(uid.as_raw())
}
