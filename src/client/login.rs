//! `pizauth login`: a login from its beginning to its end, for somebody who sits in front of it.
//!
//! Asks the server for a login, chooses how to bring the user there (`way`), and tells how it
//! ended. The state and the verifier stay in the server, and with them the login: whoever stops
//! waiting leaves it open.

mod await_end;
mod browser;
mod device;
mod paste;
mod qr;
mod way;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use self::await_end::await_end;
pub(super) use self::paste::complete;
use self::way::{Surroundings, Way};
use super::status::unreadable;
use super::terminal::Screen;
use super::time::Clock;
use super::{ClientError, complain, connection, fail, perform};
use crate::cli::LoginOptions;
use crate::console::{Stdout, one_line, say};
use crate::exit::Exit;
use crate::paths::control_socket;
use crate::protocol::{LoggedIn, LoginMethod, LoginOffer, Reply, Request};
use crate::shell_word::shell_word;

/// Logs in, and tells how it ended.
pub(super) fn run(options: &LoginOptions, err: &mut dyn Write) -> Exit {
    let login = Login {
        socket: control_socket(),
        around: Surroundings::read(),
        options,
    };
    login.run(err).unwrap_or_else(|failure| failure.tell(err))
}

/// Why there is no login to wait for.
enum Failure {
    Server(ClientError),
    /// What the server answered instead.
    Refused(Reply),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Server(error)
    }
}

impl Failure {
    fn tell(&self, err: &mut dyn Write) -> Exit {
        match self {
            Self::Server(error) => fail(error, err),
            Self::Refused(reply) => perform(reply, false, &mut Stdout, err),
        }
    }
}

struct Login<'a> {
    socket: PathBuf,
    around: Surroundings,
    options: &'a LoginOptions,
}

impl Login<'_> {
    fn run(&self, err: &mut dyn Write) -> Result<Exit, Failure> {
        let method = match self.options.device {
            true => LoginMethod::Device,
            false => LoginMethod::Configured,
        };
        let offer = self.offer(method)?;
        if let Some(until) = &offer.logged_in_until {
            say(err, &logged_in_already(&offer.account, until));
            return Ok(Exit::Done);
        }
        match way::choose(self.options, &self.around, &offer) {
            Way::AskForCode => self.with_code(err),
            way => Ok(self.go(way, &offer, err)),
        }
    }

    fn offer(&self, method: LoginMethod) -> Result<LoginOffer, Failure> {
        let request = Request::Login(self.options.account.clone(), method);
        match connection::exchange(&self.socket, &request, &connection::LIMITS)? {
            Reply::Document(text) => {
                let offer = serde_json::from_str(text.expose());
                Ok(offer.map_err(|_| unreadable())?)
            }
            other => Err(Failure::Refused(other)),
        }
    }

    /// There is no browser here, and the account can be logged in with a code. Where the provider
    /// refuses to give one, there is still the other way.
    fn with_code(&self, err: &mut dyn Write) -> Result<Exit, Failure> {
        match self.offer(LoginMethod::Device) {
            Ok(offer) if offer.user_code.is_some() => Ok(self.go(Way::Code, &offer, err)),
            Ok(offer) => Ok(self.go(self.around.without_code(), &offer, err)),
            Err(Failure::Refused(Reply::Error(reason) | Reply::TryLater(reason))) => {
                say(err, &format!("there is no code to log in with: {reason}"));
                let offer = self.offer(LoginMethod::Configured)?;
                Ok(self.go(self.around.without_code(), &offer, err))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Brings the user to the login, and waits for its end.
    fn go(&self, way: Way, offer: &LoginOffer, err: &mut dyn Write) -> Exit {
        let account = one_line(&offer.account);
        if way != Way::Browser
            && !self.was_chosen()
            && let Some(reason) = self.around.no_browser()
        {
            say(err, &reason);
        }
        match way {
            Way::Code | Way::CodeInBrowser => {
                device::show(offer, Screen::of_stderr(), &Clock::read(), err);
                if way == Way::CodeInBrowser {
                    let url = offer.url_with_code.as_ref().unwrap_or(&offer.url);
                    browser::open(url, &self.around, err);
                }
            }
            Way::Browser => {
                say(
                    err,
                    &format!("log in to account '{account}' at\n\n    {}\n\n", offer.url),
                );
                browser::open(&offer.url, &self.around, err);
            }
            Way::Url | Way::AskForCode => {
                say(
                    err,
                    &format!("log in to account '{account}' at\n\n    {}\n\n", offer.url),
                );
                if !self.options.no_browser || self.around.no_browser().is_some() {
                    say(err, &self.around.elsewhere(offer));
                }
            }
            Way::Paste => {
                say(
                    err,
                    &format!("log in to account '{account}' at\n\n    {}\n\n", offer.url),
                );
                say(err, &self.around.how_to_paste(offer));
                say(err, &self.around.tunnel_line(offer));
                return paste::run(&self.socket, offer, io::stdin().as_fd(), err);
            }
        }
        say(
            err,
            "waiting for the login; ctrl-c stops waiting and leaves it open",
        );
        await_end(&self.socket, offer, err)
    }

    fn was_chosen(&self) -> bool {
        self.options.paste || self.options.device || self.options.no_browser
    }
}

fn logged_in_already(account: &str, until: &str) -> String {
    format!(
        "account '{account}' is logged in already, and its token is good until {}: \
         to log in anew, 'pizauth revoke {}' first",
        Clock::read().point(until),
        shell_word(account)
    )
}

/// What a reply about a login's end comes to. `expires` is until when it could be completed.
fn ended(reply: &Reply, expires: Option<&str>, err: &mut dyn Write) -> Exit {
    let document = match reply {
        Reply::Document(document) => document,
        Reply::Error(reason) => {
            complain(reason, err);
            // That nobody came is not that somebody refused.
            let late = expires.is_some_and(|time| Clock::read().is_past(time));
            return if late { Exit::LoginNeeded } else { Exit::Error };
        }
        other => return perform(other, false, &mut Stdout, err),
    };
    match serde_json::from_str(document.expose()) {
        Ok(login) => {
            say(err, &logged_in(&login, &Clock::read()));
            Exit::Done
        }
        Err(_) => fail(&unreadable(), err),
    }
}

/// What is said of a login that has ended well.
fn logged_in(login: &LoggedIn, clock: &Clock) -> String {
    let future = match login.refreshable {
        true => "and is refreshed by itself",
        false => "and cannot be refreshed: log in again then",
    };
    format!(
        "account '{}' is logged in; its token is good until {} {future}",
        one_line(&login.account),
        clock.point(&login.expires_at)
    )
}

#[cfg(test)]
mod tests;
