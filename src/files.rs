//! Opens the files that the configuration names, and the configuration itself.
//!
//! A server that has given up reading the user's files has another process open them for it. Knows
//! nothing of that process: it is told, once, how to ask.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// How to have a file opened by somebody else.
type Opener = fn(&Path) -> io::Result<File>;

static OPENER: OnceLock<Opener> = OnceLock::new();

/// From now on, has `opener` open what this process may not. To be called once.
pub fn open_through(opener: Opener) {
    // A second call would come from a second server in one process, which there is not.
    let _ = OPENER.set(opener);
}

/// Opens a file for reading.
///
/// # Errors
/// Where it cannot be opened: with [`NotNamed`] inside where that is because the configuration in
/// force, as far as it is free of mistakes, does not name it.
pub fn open(path: &Path) -> io::Result<File> {
    let opened = File::open(path);
    match (OPENER.get(), &opened) {
        (Some(opener), Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            opener(path)
        }
        _ => opened,
    }
}

/// Whether a file was not even tried, since no configuration that is free of mistakes names it.
#[must_use]
pub fn is_not_named(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotNamed>())
}

/// The file is not one that the configuration names.
#[derive(Debug)]
pub struct NotNamed;

impl std::error::Error for NotNamed {}

impl fmt::Display for NotNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration does not name this file")
    }
}
