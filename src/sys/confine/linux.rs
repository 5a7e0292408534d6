//! Giving things up for good, on Linux: new privileges, files (landlock), system calls (seccomp).
//!
//! All of it holds for this thread and those that it starts, so it is to be called while there is
//! one. Knows the kernel's interfaces; what a server needs is for the caller to say.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::adopt;
use super::linux_filter as filter;
use super::{Access, Measure};

/// The system calls, which have the same numbers on all processors.
const LANDLOCK_CREATE_RULESET: libc::c_long = 444;
const LANDLOCK_ADD_RULE: libc::c_long = 445;
const LANDLOCK_RESTRICT_SELF: libc::c_long = 446;
/// Asks for the version that the kernel knows.
const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
const LANDLOCK_RULE_PATH_BENEATH: u32 = 1;

/// What can be given up, from <linux/landlock.h>.
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_FILE: u64 = 1 << 5;
/// All that version 1 knows; the later ones have one more each.
const VERSION_1: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;
const SCOPE_SIGNAL: u64 = 1 << 1;

/// `struct landlock_ruleset_attr`.
#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneathAttr {
    allowed_access: u64,
    parent_fd: i32,
}

/// Gives up all that `access` does not name, as far as this kernel can.
#[must_use]
pub fn confine(access: &Access) -> Vec<Measure> {
    let privileges = nix::sys::prctl::set_no_new_privs().map_err(io::Error::from);
    vec![
        Measure::new("no new privileges", privileges),
        Measure::new("files (landlock)", restrict_files(access)),
        Measure::new("system calls (seccomp)", filter::install()),
    ]
}

fn restrict_files(access: &Access) -> io::Result<()> {
    let version = landlock_version()?;
    let handled = handled(version);
    let ruleset = create_ruleset(version, handled, access)?;
    for path in &access.read {
        allow(&ruleset, path, handled & (READ_FILE | READ_DIR))?;
    }
    for path in &access.read_and_write {
        allow(&ruleset, path, handled & (READ_FILE | WRITE_FILE))?;
    }
    for path in &access.remove_within {
        allow(&ruleset, path, handled & REMOVE_FILE)?;
    }
    restrict_self(&ruleset)
}

#[expect(unsafe_code, reason = "landlock has no safe wrapper")]
fn landlock_version() -> io::Result<libc::c_long> {
    // SAFETY: no memory is passed.
    let version = unsafe {
        libc::syscall(
            LANDLOCK_CREATE_RULESET,
            std::ptr::null::<RulesetAttr>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    if version > 0 {
        return Ok(version);
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::ENOSYS) => io::Error::other("this kernel has no landlock"),
        Some(libc::EOPNOTSUPP) => io::Error::other("landlock is switched off in this kernel"),
        _ => error,
    })
}

const fn handled(version: libc::c_long) -> u64 {
    let mut rights = VERSION_1;
    if version >= 2 {
        rights |= REFER;
    }
    if version >= 3 {
        rights |= TRUNCATE;
    }
    if version >= 5 {
        rights |= IOCTL_DEV;
    }
    rights
}

#[expect(unsafe_code, reason = "landlock has no safe wrapper")]
fn create_ruleset(version: libc::c_long, handled: u64, access: &Access) -> io::Result<OwnedFd> {
    let mut scoped = SCOPE_SIGNAL;
    if !access.abstract_sockets {
        scoped |= SCOPE_ABSTRACT_UNIX_SOCKET;
    }
    let attributes = RulesetAttr {
        handled_access_fs: handled,
        handled_access_net: 0,
        scoped,
    };
    // A kernel that does not know the later members refuses them.
    let size = match version {
        ..=3 => size_of::<u64>(),
        4..=5 => 2 * size_of::<u64>(),
        _ => size_of::<RulesetAttr>(),
    };
    // SAFETY: `attributes` outlives the call and is at least `size` bytes long.
    let result =
        unsafe { libc::syscall(LANDLOCK_CREATE_RULESET, &raw const attributes, size, 0_u32) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(adopt(i32::try_from(result).map_err(io::Error::other)?))
}

/// Allows `rights` on a file, or on all beneath a directory. What is not there needs no rule.
#[expect(unsafe_code, reason = "landlock has no safe wrapper")]
fn allow(ruleset: &OwnedFd, path: &Path, rights: u64) -> io::Result<()> {
    let Ok(place) = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) else {
        return Ok(());
    };
    let place = File::from(place);
    let is_dir = place.metadata()?.is_dir();
    let rule = PathBeneathAttr {
        allowed_access: if is_dir {
            rights
        } else {
            rights & (READ_FILE | WRITE_FILE)
        },
        parent_fd: place.as_raw_fd(),
    };
    if rule.allowed_access == 0 {
        return Ok(());
    }
    // SAFETY: `rule` outlives the call, and is what this kind of rule is described by.
    let result = unsafe {
        libc::syscall(
            LANDLOCK_ADD_RULE,
            ruleset.as_raw_fd(),
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0_u32,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[expect(unsafe_code, reason = "landlock has no safe wrapper")]
fn restrict_self(ruleset: &OwnedFd) -> io::Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::syscall(LANDLOCK_RESTRICT_SELF, ruleset.as_raw_fd(), 0_u32) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
