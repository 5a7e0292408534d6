//! Why there is no configuration, in words for people.

use std::fmt;
use std::path::PathBuf;

use super::diagnostic::Report;

/// What stands between a file and a configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: FileProblem,
    },
    /// Its text has mistakes.
    Mistakes(Report),
}

/// Why a file cannot be read.
#[derive(Debug)]
pub enum FileProblem {
    /// It does not exist.
    Missing,
    /// It is a directory.
    Directory,
    /// It is larger than this many MiB.
    TooLarge(u64),
    /// From this line and column (counted in characters) on it is not UTF-8.
    NotUtf8(usize, usize),
    /// It belongs to the user with this id, who is neither this one nor root.
    NotOurs(u32),
    /// Other users can write to it.
    Writable,
    /// This user may not read it.
    Denied,
    /// It cannot be read for this reason.
    Unreadable(String),
}

impl ConfigError {
    /// The text for people; with colours for a terminal where that is asked for.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::File { path, problem } => format!("{} {problem}", path.display()),
            Self::Mistakes(report) => report.render(colour),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "does not exist: write a configuration there (pizauth.conf(5) says how), or name another file with '-c FILE'",
            ),
            Self::Directory => f.write_str("is a directory: name a file with '-c FILE'"),
            Self::TooLarge(limit) => write!(
                f,
                "is larger than {limit} MiB, which no configuration is: name another file with '-c FILE'"
            ),
            Self::NotUtf8(line, column) => write!(
                f,
                "is not UTF-8 text (line {line}, column {column}): save it as UTF-8"
            ),
            Self::NotOurs(owner) => write!(
                f,
                "belongs to the user with id {owner}, who could have commands run: use a file of \
                 your own"
            ),
            Self::Writable => f.write_str(
                "can be changed by other users, who could have commands run: 'chmod go-w' on it \
                 closes it to them",
            ),
            Self::Denied => f.write_str(
                "cannot be read: permission denied: make it readable for the user that runs pizauth",
            ),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}
