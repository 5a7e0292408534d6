//! What the server and its helper say to each other: a length and JSON, with descriptors beside it.
//! Nothing of it is secret.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sys;

/// The longest message. The system allows a command no more than that, and mostly less.
const LONGEST: usize = 2 * 1024 * 1024;

/// What the server asks for.
#[derive(Serialize, Deserialize)]
pub(in crate::server) enum Ask {
    /// Run a command. The pipes for it, if any, came with the connection.
    Run(Run),
    /// Open the file with this path.
    Open(Vec<u8>),
    /// On the connection on which the configuration was opened: from now on what it names is what
    /// may be done.
    Adopt,
}

/// A command to run.
#[derive(Serialize, Deserialize)]
pub(in crate::server) struct Run {
    /// What the shell is given.
    pub(in crate::server) script: String,
    /// Added to the environment.
    pub(in crate::server) environment: Vec<(String, String)>,
    /// After this time it is killed, in milliseconds.
    pub(in crate::server) limit: u64,
    /// Whether it goes on when the server has ended.
    pub(in crate::server) outlives: bool,
}

/// What the helper answers.
#[derive(Serialize, Deserialize)]
pub(in crate::server) enum Told {
    /// It is done; the file that was asked for comes with this.
    Done,
    /// The command has ended: its status as wait(2) has it.
    Exited(i32),
    /// It was killed, since its time was over.
    TimedOut,
    /// The configuration says nothing of it.
    NotNamed,
    Failed(Failure),
}

/// An error of the system's, or another one.
#[derive(Serialize, Deserialize)]
pub(in crate::server) struct Failure {
    number: Option<i32>,
    text: String,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            number: error.raw_os_error(),
            text: error.to_string(),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        failure
            .number
            .map_or_else(|| Self::other(failure.text), Self::from_raw_os_error)
    }
}

/// Sends one message.
///
/// # Errors
/// Where it is too long, or the other end is gone.
pub(in crate::server) fn write(
    mut stream: &UnixStream,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    if body.len() > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    sys::send_with_descriptors(stream, &length.to_le_bytes(), descriptors)?;
    stream.write_all(&body)
}

/// Receives one message, and what came with it.
///
/// # Errors
/// Where the other end is gone, or says something else.
pub(in crate::server) fn read<T: DeserializeOwned>(
    stream: &UnixStream,
) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let mut length = [0; 4];
    fill(stream, &mut length, &mut descriptors)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    let mut body = vec![0; length];
    fill(stream, &mut body, &mut descriptors)?;
    Ok((serde_json::from_slice(&body)?, descriptors))
}

fn fill(
    stream: &UnixStream,
    mut bytes: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match sys::receive_with_descriptors(stream, bytes) {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((count, more)) => {
                descriptors.extend(more);
                bytes = &mut bytes[count..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
