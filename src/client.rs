//! The client: one request to the server, and its reply as output, messages and an exit code.
//!
//! Knows the command line's [`ClientCommand`], the protocol and the paths; knows nothing of the
//! server behind the socket, nor of the configuration.

mod connection;
mod git;
mod info;
mod inlet;
mod line;
mod login;
pub(crate) mod pasted;
mod sasl;
mod status;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod time;

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use self::status::unreadable;
use crate::cli::{ClientCommand, Format};
use crate::console::{self, Stdout, describe, say};
use crate::exit::Exit;
use crate::paths::control_socket;
use crate::protocol::{BadReply, MAX_DUMP, Reply, Request, Wanted};
use crate::secret::SecretText;
use crate::sys::MAX_SOCKET_PATH;

/// Does what the command line asks of a client.
#[must_use]
pub fn run(command: ClientCommand) -> Exit {
    let err = &mut io::stderr();
    let request = match command {
        ClientCommand::Show(options) => {
            let wanted = Wanted {
                account: options.account.account,
                wait: options.wait,
                min_valid: options.min_valid.unwrap_or_default(),
            };
            let form = Form {
                format: options.format,
                user: options.user.unwrap_or_default(),
            };
            return show(wanted, &form, options.account.hide_url, err);
        }
        ClientCommand::Refresh(options) => {
            return answer(&Request::Refresh(options.account), options.hide_url, err);
        }
        ClientCommand::Login(options) => return login::run(&options, err),
        ClientCommand::Complete(account) => return login::complete(account.as_deref(), err),
        ClientCommand::GitCredential(options) => return git::run(&options, &mut Stdout, err),
        ClientCommand::Status(json) => return status(json, err),
        ClientCommand::Info(json) => return info::run(json, &mut Stdout, err),
        ClientCommand::Restore => match read_dump(err) {
            Ok(dump) => Request::Restore(dump),
            Err(exit) => return exit,
        },
        ClientCommand::Dump => {
            warn_of_secrets(err);
            Request::Dump
        }
        ClientCommand::Revoke(account) => Request::Revoke(account),
        ClientCommand::Reload => Request::Reload,
        ClientCommand::Shutdown => Request::Shutdown,
    };
    answer(&request, false, err)
}

/// What a token is printed as.
struct Form {
    format: Format,
    user: String,
}

fn show(wanted: Wanted, form: &Form, hide_url: bool, err: &mut dyn Write) -> Exit {
    match exchange(&Request::Show(wanted)) {
        Ok(Reply::Token(token)) => {
            let text = sasl::written(form.format, &form.user, token.expose());
            console::document(&text, &mut Stdout, err)
        }
        Ok(reply) => perform(&reply, hide_url, &mut Stdout, err),
        Err(error) => fail(&error, err),
    }
}

/// Sends a request and does what the reply says.
fn answer(request: &Request, hide_url: bool, err: &mut dyn Write) -> Exit {
    match exchange(request) {
        Ok(reply) => perform(&reply, hide_url, &mut Stdout, err),
        Err(error) => fail(&error, err),
    }
}

fn fail(error: &ClientError, err: &mut dyn Write) -> Exit {
    console::error(err, &error.to_string());
    Exit::NoServer
}

/// Asks the server of this user.
///
/// # Errors
/// If there is none, or it does not answer.
pub fn exchange(request: &Request) -> Result<Reply, ClientError> {
    connection::exchange(&control_socket(), request, &connection::LIMITS)
}

/// Asks the server for one of its documents.
///
/// # Errors
/// As with [`exchange`], and where something else comes.
pub(crate) fn ask<T: DeserializeOwned>(request: &Request) -> Result<T, ClientError> {
    match exchange(request)? {
        Reply::Document(document) => {
            serde_json::from_str(document.expose()).map_err(|_| unreadable())
        }
        _ => Err(unreadable()),
    }
}

/// Turns a reply into output, messages and an exit code.
pub fn perform(reply: &Reply, hide_url: bool, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match reply {
        Reply::Token(token) => {
            // The token and its newline in one write, from a buffer that is wiped.
            let line = sasl::written(Format::Token, "", token.expose());
            console::document(&line, out, err)
        }
        Reply::Document(text) => console::document(text.expose(), out, err),
        Reply::Done(text) => {
            if !text.is_empty() {
                say(err, text);
            }
            Exit::Done
        }
        Reply::LoginNeeded(_) if hide_url => {
            console::error(err, "Token unavailable until authorised");
            Exit::LoginNeeded
        }
        Reply::LoginNeeded(place) => {
            let url = &place.url;
            let mut message = format!("Token unavailable until authorised with URL {url}");
            if let Some(user_code) = &place.user_code {
                message.push_str(&format!(" and code {user_code}"));
            }
            console::error(err, &message);
            Exit::LoginNeeded
        }
        Reply::TryLater(reason) => {
            complain(reason, err);
            Exit::TryLater
        }
        Reply::Error(reason) => {
            complain(reason, err);
            Exit::Error
        }
    }
}

/// Prints a reason: its last line says what it comes to, and those above it, such as the mistakes
/// in a configuration, are printed as they are.
fn complain(reason: &str, err: &mut dyn Write) {
    let reason = reason.trim_end_matches('\n');
    let last = reason.rfind('\n').map_or(0, |end| end + 1);
    if last > 0 {
        say(err, &reason[..last]);
    }
    console::error(err, &reason[last..]);
}

fn status(json: bool, err: &mut dyn Write) -> Exit {
    let reply = match exchange(&Request::Status) {
        Ok(Reply::Document(document)) => document,
        Ok(other) => return perform(&other, false, &mut Stdout, err),
        Err(error) => return fail(&error, err),
    };
    let text = match json {
        true => status::json(reply.expose()),
        false => status::table(reply.expose(), &time::Clock::read()),
    };
    match text {
        Ok(text) => console::document(&text, &mut Stdout, err),
        Err(error) => fail(&error, err),
    }
}

/// A dump from standard input.
fn read_dump(err: &mut dyn Write) -> Result<SecretText, Exit> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        say(
            err,
            "reading a dump from the terminal: end it with ctrl-d on a line of its own, \
             or stop with ctrl-c and use 'pizauth restore <FILE'",
        );
    }
    dump_from(stdin.lock()).map_err(|why| {
        console::error(err, &why);
        Exit::Error
    })
}

/// Everything that `source` has, if it can be a dump.
fn dump_from(source: impl Read) -> Result<SecretText, String> {
    let bytes = connection::read_all(source, MAX_DUMP)
        .map_err(|error| format!("cannot read the dump: {}", describe(&error)))?
        .ok_or_else(|| format!("the dump is longer than {MAX_DUMP} bytes: it is not one"))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| "the dump is not valid UTF-8: if it is encrypted, decrypt it first")?;
    if text.trim().is_empty() {
        return Err("there is no dump on standard input: nothing was restored".to_owned());
    }
    Ok(SecretText::new(text.to_owned()))
}

fn warn_of_secrets(err: &mut dyn Write) {
    if io::stdout().is_terminal() {
        say(
            err,
            "this is secret, and stays in the terminal's history: \
             whoever reads it has access to the accounts",
        );
    }
}

/// Why there is no reply.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens at the socket of this user's server.
    NotRunning,
    /// Nobody listens at the socket that `PIZAUTH_SOCKET` names.
    NobodyAt(PathBuf),
    /// The server takes no connection, or is silent for too long.
    NoAnswer,
    /// The path is too long for a socket.
    SocketTooLong(PathBuf),
    /// The socket is there but cannot be connected to.
    Connect(PathBuf, io::Error),
    /// The socket is another user's.
    NotOurs(PathBuf, u32),
    /// The connection was closed without a word.
    Closed,
    /// The connection failed.
    Talk(io::Error),
    /// What came back is not a reply.
    BadReply(BadReply),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => {
                f.write_str("the pizauth server is not running: start it with 'pizauth server'")
            }
            Self::NobodyAt(path) => write!(
                f,
                "no pizauth server listens at '{}', which PIZAUTH_SOCKET names: see whether the \
                 connection that forwards it is still there, or unset PIZAUTH_SOCKET",
                path.display()
            ),
            Self::NoAnswer => f.write_str(
                "the pizauth server does not answer: try again, or restart it if that persists",
            ),
            Self::Closed => BadReply::CutOff.fmt(f),
            Self::SocketTooLong(path) => write!(
                f,
                "the socket's path '{}' is longer than the {MAX_SOCKET_PATH} bytes that the system \
                 allows: set XDG_RUNTIME_DIR to a shorter path, for the server too (or \
                 PIZAUTH_SOCKET, if that names it)",
                path.display()
            ),
            Self::Connect(path, error) => write!(
                f,
                "cannot connect to the server at '{}': {}",
                path.display(),
                describe(error)
            ),
            Self::NotOurs(path, uid) => write!(
                f,
                "the server at '{}' is run by the user with id {uid} and is not trusted: \
                 use XDG_RUNTIME_DIR to name the right directory, or PIZAUTH_SOCKET the right \
                 socket",
                path.display()
            ),
            Self::Talk(error) => {
                write!(
                    f,
                    "the connection to the server failed: {}",
                    describe(error)
                )
            }
            Self::BadReply(bad) => bad.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<BadReply> for ClientError {
    fn from(bad: BadReply) -> Self {
        Self::BadReply(bad)
    }
}

#[cfg(test)]
mod tests;
