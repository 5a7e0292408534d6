//! Giving things up for good, on OpenBSD: system calls (pledge) and files (unveil).

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Access, Measure};

/// What a server does: memory and threads, its sockets, the network and its names, descriptors to
/// and from the helper and the next server, reading files, and removing its socket.
const PROMISES: &CStr = c"stdio rpath cpath unix inet dns sendfd recvfd";

/// Gives up all that `access` does not name. Files first: afterwards that is not possible any more.
#[must_use]
pub fn confine(access: &Access) -> Vec<Measure> {
    vec![
        Measure::new("files (unveil)", restrict_files(access)),
        Measure::new("system calls (pledge)", pledge()),
    ]
}

fn restrict_files(access: &Access) -> io::Result<()> {
    for path in &access.read {
        show(path, c"r")?;
    }
    for path in &access.read_and_write {
        show(path, c"rw")?;
    }
    for path in &access.remove_within {
        show(path, c"c")?;
    }
    Ok(())
}

#[expect(unsafe_code, reason = "unveil has no safe wrapper")]
fn show(path: &Path, permissions: &CStr) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both texts outlive the call.
    let result = unsafe { libc::unveil(path.as_ptr(), permissions.as_ptr()) };
    let error = io::Error::last_os_error();
    // What is not there needs no rule.
    if result == 0 || error.kind() == io::ErrorKind::NotFound {
        return Ok(());
    }
    Err(error)
}

#[expect(unsafe_code, reason = "pledge has no safe wrapper")]
fn pledge() -> io::Result<()> {
    // SAFETY: the text outlives the call, and there is no second one.
    let result = unsafe { libc::pledge(PROMISES.as_ptr(), std::ptr::null()) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
