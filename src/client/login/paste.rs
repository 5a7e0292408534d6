//! Finishing a login with the URL that a browser elsewhere ended at: pasted at a prompt that shows
//! nothing of it, or read from a pipe.
//!
//! Knows what to do when something arrives, from whoever pastes or from the server; what a key does
//! to the line is `line`'s, and what arrives where is `inlet`'s. The URL has a code in it, so that
//! it is nowhere but in buffers that are wiped.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

use super::super::inlet::{Inlet, Source, ready};
use super::super::line::Key;
use super::super::pasted;
use super::await_end::{pause, request};
use super::{ClientError, complain, connection, ended, fail, perform};
use crate::clock::{self, Moment};
use crate::console::{self, Stdout, describe, say};
use crate::exit::Exit;
use crate::paths::control_socket;
use crate::protocol::{LoginOffer, Reply, Request, Status};
use crate::shell_word::shell_word;

/// How long nothing more may come after the end of a line: a URL that was copied out of several
/// lines is pasted as several.
const SETTLING: Duration = Duration::from_millis(50);
const PROMPT: &str = "address (not shown), then enter: ";

/// Waits for the end of a login, and takes the URL meanwhile.
pub(super) fn run(
    socket: &Path,
    offer: &LoginOffer,
    input: BorrowedFd<'_>,
    err: &mut dyn Write,
) -> Exit {
    let account = Some(offer.account.as_str());
    run_session(socket, account, Some(offer), input, err)
}

/// Finishes a login that was begun elsewhere.
pub(in crate::client) fn complete(account: Option<&str>, err: &mut dyn Write) -> Exit {
    let (socket, stdin) = (control_socket(), io::stdin());
    if stdin.is_terminal() {
        // Nobody is asked for what there is no server to take.
        let there = connection::exchange(&socket, &Request::Info, &connection::LIMITS);
        if let Err(error) = there {
            return fail(&error, err);
        }
    }
    run_session(&socket, account, None, stdin.as_fd(), err)
}

fn run_session(
    socket: &Path,
    account: Option<&str>,
    offer: Option<&LoginOffer>,
    input: BorrowedFd<'_>,
    err: &mut dyn Write,
) -> Exit {
    let end = match Inlet::open(input) {
        Ok(inlet) => Session::new(socket, account, offer, inlet).run(err),
        Err(error) => Err(End::CannotRead(error)),
    };
    // The terminal is as it was from here on, and signals do what they do.
    end.unwrap_or_else(|end| end.tell(account, err))
}

/// Why a session is over without a reply.
enum End {
    Server(ClientError),
    Signal(Signal),
    /// Whoever was asked has nothing more to say.
    NoInput,
    CannotRead(io::Error),
}

impl From<ClientError> for End {
    fn from(error: ClientError) -> Self {
        Self::Server(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::CannotRead(error)
    }
}

impl End {
    fn tell(self, account: Option<&str>, err: &mut dyn Write) -> Exit {
        let account = account.map_or(String::new(), |name| format!(" {}", shell_word(name)));
        let open = format!("the login stays open: 'pizauth complete{account}' finishes it");
        match self {
            Self::Server(error) => fail(&error, err),
            Self::CannotRead(error) => {
                let why = describe(&error);
                console::error(err, &format!("cannot read the address: {why}"));
                Exit::Error
            }
            Self::NoInput => {
                console::error(err, &format!("nothing was entered; {open}"));
                Exit::LoginNeeded
            }
            Self::Signal(signal) => {
                say(err, &open);
                // Whoever started this sees what ended it.
                let _ = raise(signal);
                Exit::LoginNeeded
            }
        }
    }
}

struct Session<'a> {
    socket: &'a Path,
    account: Option<&'a str>,
    /// The login whose end is waited for; `complete` waits for its own answer only.
    offer: Option<&'a LoginOffer>,
    inlet: Inlet<'a>,
    /// A line has ended, if nothing follows at once.
    entered: bool,
    awaiting: Option<Awaiting>,
    completing: Option<UnixStream>,
    /// Why the last URL was refused.
    refusal: Option<String>,
}

/// The question how the login ended.
struct Awaiting {
    /// Where the answer comes; `None` until it is asked (again).
    stream: Option<UnixStream>,
    asked: Moment,
    /// How often the connection was closed without an answer.
    closed: u32,
}

impl<'a> Session<'a> {
    fn new(
        socket: &'a Path,
        account: Option<&'a str>,
        offer: Option<&'a LoginOffer>,
        inlet: Inlet<'a>,
    ) -> Self {
        let now = clock::moment();
        Self {
            socket,
            account,
            offer,
            inlet,
            entered: false,
            awaiting: offer.map(|_| Awaiting {
                stream: None,
                asked: now - Duration::from_secs(60),
                closed: 0,
            }),
            completing: None,
            refusal: None,
        }
    }

    fn run(mut self, err: &mut dyn Write) -> Result<Exit, End> {
        self.prompt(err);
        loop {
            self.ask_for_end()?;
            let waited = self.wait()?;
            if waited.is_empty() && self.entered && self.completing.is_none() {
                self.submit(err)?;
            }
            for source in waited {
                let exit = match source {
                    Source::Signal => {
                        self.next_line(err);
                        return Err(End::Signal(self.inlet.signal()));
                    }
                    Source::Input => self.read(err)?,
                    Source::Awaiting => self.awaited(err)?,
                    Source::Completing => self.completed(err)?,
                };
                if let Some(exit) = exit {
                    return Ok(exit);
                }
            }
        }
    }

    fn prompt(&self, err: &mut dyn Write) {
        if self.inlet.is_terminal() {
            // The rest of the line is where the cursor waits; nobody is left to tell that it fails.
            let _ = err.write_all(PROMPT.as_bytes());
        }
    }

    /// Asks how the login ended, where that is to be asked now.
    fn ask_for_end(&mut self) -> Result<(), ClientError> {
        let (Some(awaiting), Some(offer)) = (&mut self.awaiting, self.offer) else {
            return Ok(());
        };
        if awaiting.stream.is_none() && pause(awaiting.asked).is_zero() {
            let request = request(offer);
            let stream = connection::begin(self.socket, &request, &connection::LIMITS)?;
            awaiting.stream = Some(stream);
            awaiting.asked = clock::moment();
        }
        Ok(())
    }

    /// What has arrived; nothing where time has passed.
    fn wait(&self) -> Result<Vec<Source>, End> {
        let awaiting = self.awaiting.as_ref();
        let mut sources = self.inlet.sources(self.completing.is_some());
        let streams = [
            (
                Source::Awaiting,
                awaiting.and_then(|awaiting| awaiting.stream.as_ref()),
            ),
            (Source::Completing, self.completing.as_ref()),
        ];
        for (source, stream) in streams {
            sources.extend(stream.map(|stream| (source, stream.as_fd())));
        }
        let again = awaiting
            .filter(|awaiting| awaiting.stream.is_none())
            .map(|awaiting| pause(awaiting.asked));
        let settled = (self.entered && self.completing.is_none()).then_some(SETTLING);
        let limit = again.into_iter().chain(settled).min();
        Ok(ready(&sources, limit)?)
    }

    fn read(&mut self, err: &mut dyn Write) -> Result<Option<Exit>, End> {
        let bytes = self.inlet.read()?;
        if bytes.is_empty() {
            return self.input_ended(err);
        }
        for &byte in bytes.iter() {
            match self.inlet.take(byte) {
                Key::Edit if byte > b' ' => self.entered = false,
                Key::Edit => {}
                Key::Enter => self.entered = true,
                Key::Interrupt => {
                    let _ = err.write_all(b"\n");
                    return Err(End::Signal(Signal::SIGINT));
                }
                Key::Suspend => {
                    self.inlet.suspend()?;
                    self.prompt(err);
                }
                Key::End => {
                    let _ = err.write_all(b"\n");
                    return Err(End::NoInput);
                }
            }
        }
        if self.entered && !self.inlet.is_terminal() {
            self.submit(err)?;
        }
        Ok(None)
    }

    /// The pipe is at its end, or the terminal is gone.
    fn input_ended(&mut self, err: &mut dyn Write) -> Result<Option<Exit>, End> {
        self.inlet.close();
        if !self.inlet.line.is_blank() {
            self.submit(err)?;
        }
        if self.completing.is_some() {
            return Ok(None);
        }
        if self.refusal.is_some() {
            return Ok(Some(Exit::Error));
        }
        if self.offer.is_none() {
            return Err(End::NoInput);
        }
        say(err, "standard input has ended: waiting for the browser");
        Ok(None)
    }

    /// Sends what was entered to the server, if it can be what is wanted.
    fn submit(&mut self, err: &mut dyn Write) -> Result<(), ClientError> {
        self.entered = false;
        if self.inlet.is_terminal() {
            let _ = err.write_all(b"\n");
        }
        if self.inlet.line.is_blank() && !self.inlet.line.is_cut() {
            self.prompt(err);
            return Ok(());
        }
        let begun = || begun(self.socket);
        let url = self.inlet.line.text();
        let url = url.and_then(|text| pasted::redirect(text, begun));
        self.inlet.line.clear();
        match url {
            Ok(url) => {
                let account = self.account.map(str::to_owned);
                let request = Request::Complete(account, url);
                let stream = connection::begin(self.socket, &request, &connection::LIMITS)?;
                self.completing = Some(stream);
            }
            Err(reason) => self.refuse(reason, err),
        }
        Ok(())
    }

    fn refuse(&mut self, reason: String, err: &mut dyn Write) {
        complain(&reason, err);
        self.refusal = Some(reason);
        self.prompt(err);
    }

    fn awaited(&mut self, err: &mut dyn Write) -> Result<Option<Exit>, End> {
        let Some(awaiting) = &mut self.awaiting else {
            return Ok(None);
        };
        let Some(stream) = awaiting.stream.take() else {
            return Ok(None);
        };
        let reply = match connection::finish(&stream, &connection::LIMITS) {
            // The server is being replaced: the next one listens at the same socket.
            Err(ClientError::Closed) if awaiting.closed < connection::REPEATS => {
                awaiting.closed += 1;
                awaiting.asked = awaiting.asked - Duration::from_secs(60);
                return Ok(None);
            }
            reply => reply?,
        };
        awaiting.closed = 0;
        if let Reply::TryLater(_) = reply {
            return Ok(None);
        }
        self.next_line(err);
        // The reason was told already, as the answer to what was pasted.
        if matches!(&reply, Reply::Error(reason) if self.refusal.as_ref() == Some(reason)) {
            return Ok(Some(Exit::Error));
        }
        Ok(Some(self.told(&reply, err)))
    }

    fn completed(&mut self, err: &mut dyn Write) -> Result<Option<Exit>, End> {
        let Some(stream) = self.completing.take() else {
            return Ok(None);
        };
        let reply = connection::finish(&stream, &connection::LIMITS)?;
        if self.offer.is_none() {
            return Ok(Some(self.told(&reply, err)));
        }
        match reply {
            // The login itself goes on, until the answer about its end says otherwise.
            Reply::Error(reason) if self.inlet.is_open() => self.refuse(reason, err),
            Reply::TryLater(reason) => say(err, &reason),
            reply => return Ok(Some(self.told(&reply, err))),
        }
        Ok(None)
    }

    fn told(&self, reply: &Reply, err: &mut dyn Write) -> Exit {
        let expires = self
            .offer
            .and_then(|offer| offer.code_expires_at.as_deref());
        match reply {
            Reply::Document(_) | Reply::Error(_) => ended(reply, expires, err),
            reply => perform(reply, false, &mut Stdout, err),
        }
    }

    /// Leaves the prompt's line.
    fn next_line(&self, err: &mut dyn Write) {
        if self.inlet.is_terminal() && self.completing.is_none() {
            let _ = err.write_all(b"\n");
        }
    }
}

/// Where the logins that are under way began; nowhere, where the server does not tell.
fn begun(socket: &Path) -> Vec<String> {
    let status = connection::exchange(socket, &Request::Status, &connection::LIMITS);
    let Ok(Reply::Document(text)) = status else {
        return Vec::new();
    };
    let status = serde_json::from_str::<Status>(text.expose());
    let accounts = status.map_or_else(|_| Vec::new(), |status| status.accounts);
    accounts.into_iter().filter_map(|it| it.url).collect()
}

#[cfg(test)]
mod tests;
