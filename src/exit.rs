//! The exit codes: what a script can tell from a command's end. Documented in pizauth(1).
//!
//! Knows nothing of what led to them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// An error: unknown account, bad configuration, the provider refused, ...
    Error,
    /// The command line is wrong.
    Usage,
    /// The user must log in first.
    LoginNeeded,
    /// Temporarily unavailable: try again later.
    TryLater,
    /// The server is not running or does not answer.
    NoServer,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::LoginNeeded => 3,
            Self::TryLater => 4,
            Self::NoServer => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
