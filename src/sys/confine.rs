//! What is given up for good, whatever the system calls it.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux_filter;
#[cfg_attr(
    any(target_os = "linux", target_os = "android"),
    path = "confine/linux.rs"
)]
#[cfg_attr(target_os = "openbsd", path = "confine/openbsd.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android", target_os = "openbsd")),
    path = "confine/elsewhere.rs"
)]
mod system;

use std::io;
use std::path::PathBuf;

pub use self::system::confine;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::adopt;

/// What a process goes on needing of the file system.
#[derive(Debug, Default)]
pub struct Access {
    /// Files, and directories with all beneath them, to read.
    pub read: Vec<PathBuf>,
    /// Files to read and write.
    pub read_and_write: Vec<PathBuf>,
    /// Directories to remove files from.
    pub remove_within: Vec<PathBuf>,
    /// Whether sockets without a place in the file system are to be connected to.
    pub abstract_sockets: bool,
}

/// Something that protects this process.
#[derive(Debug)]
pub struct Measure {
    /// What it is about.
    pub name: &'static str,
    /// Why it is not in force, where it is not.
    pub outcome: io::Result<()>,
}

impl Measure {
    /// A measure, and how putting it in force ended.
    #[must_use]
    pub const fn new(name: &'static str, outcome: io::Result<()>) -> Self {
        Self { name, outcome }
    }
}
