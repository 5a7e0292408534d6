//! The loopback listeners that the browser comes back to, over http or https (RFC 8252 section 7.3).
//!
//! Reads the head of one request a connection, and answers it with a page. What a return means is
//! decided in the vault: here it is only taken out of the request.

mod bind;
mod certificate;
mod files;
pub(crate) mod head;
mod listeners;
mod self_signed;
mod stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use rand::TryRng;
use rand::rngs::SysRng;

pub(super) use self::certificate::{Certificate, Handed};
pub(super) use self::listeners::{Entrance, Listeners, Said};
use self::stream::Stream;
use crate::clock::{self, Moment};
use crate::config::AccountName;
use crate::oauth::authorize::{BadCallback, Callback};
use crate::server::Server;
use crate::server::intake::{Door, Framing, Refusal, Served, Waiting};
use crate::server::page::{self, Page};
use crate::sys::WipedBytes;
use crate::vault::answer::{LoggedIn, Returned};
use crate::vault::order::Ticket;

/// How long the page waits to be able to say how the login ended.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is said in plain http to a browser where only https is welcome. Nothing that it sent was
/// looked at: whoever can read it on the way must not be able to use it.
const SPEAK_HTTPS: &str = "HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 83\r\nConnection: close\r\n\
    Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n\
    pizauth expects https here: the address that you go to must begin with \"https://\"\r\n";

/// The redirect listener's side of the [`crate::server::intake`].
pub(super) struct Redirect(pub(super) Arc<Server>);

impl Door for Redirect {
    type Wait = Ticket;
    type Listener = Entrance;
    type Stream = Stream;
    const CLIENTS: usize = 64;
    const TIME: Duration = Duration::from_secs(10);

    fn accept(&self, entrance: &Entrance) -> io::Result<Option<Stream>> {
        entrance.accept()
    }

    fn holds_more(&self, stream: &Stream) -> bool {
        stream.holds_more()
    }

    fn framing(&self, received: &[u8], known: usize) -> Framing {
        head::framing(received, known)
    }

    fn serve(&self, stream: Stream, request: WipedBytes) -> Served<Stream, Ticket> {
        if stream.is_mistaken() {
            stream.finish(SPEAK_HTTPS.as_bytes());
            return Served::Done;
        }
        let is_https = stream.is_https();
        let answer =
            head::read(&request).map_or_else(Answer::Page, |target| self.answer(target, is_https));
        match answer {
            Answer::Page(page) => send(stream, &page),
            Answer::Refused(account, reason) => {
                let account = account.as_str();
                send(
                    stream,
                    &Page::Failed {
                        account,
                        reason: &reason,
                    },
                );
            }
            Answer::Login(wait) => {
                let until = clock::moment() + PATIENCE;
                return Served::Waits(Waiting {
                    stream,
                    wait,
                    until,
                });
            }
        }
        Served::Done
    }

    fn is_over(&self, ticket: &Ticket) -> bool {
        let logged_in = self.0.shared.look(|vault, _| vault.logged_in(ticket));
        logged_in.is_some()
    }

    fn resume(&self, client: Waiting<Stream, Ticket>, over: bool) -> Served<Stream, Ticket> {
        let logged_in = self.0.shared.look(|vault, _| vault.logged_in(&client.wait));
        if logged_in.is_none() && !over {
            return Served::Waits(client);
        }
        let Waiting { stream, wait, .. } = client;
        let account = wait.account().as_str();
        match logged_in {
            None => send(stream, &Page::StillWorking { account }),
            Some(LoggedIn::No(reason)) => send(
                stream,
                &Page::Failed {
                    account,
                    reason: &reason,
                },
            ),
            Some(LoggedIn::Yes(expires)) => {
                let expires = local_time(expires);
                send(
                    stream,
                    &Page::LoggedIn {
                        account,
                        expires: Some(&expires),
                    },
                );
            }
        }
        Served::Done
    }

    /// The browser asks again, for the same: that is what this status is for (RFC 9110 section
    /// 15.4.8).
    fn send_on(&self, stream: Stream, request: &[u8]) {
        match head::read(request) {
            _ if stream.is_mistaken() => stream.finish(SPEAK_HTTPS.as_bytes()),
            // Two slashes would name another host. Without a scheme, it stays the same.
            Ok(target) if target.starts_with('/') && !target.starts_with("//") => {
                stream.finish(page::again(target).as_bytes());
            }
            _ => send(stream, &Page::Busy),
        }
    }

    fn refuse(&self, stream: Stream, refusal: Refusal) {
        send(
            stream,
            &match refusal {
                Refusal::TimedOut => Page::TimedOut,
                Refusal::Crowded => Page::Busy,
                Refusal::Bad(_) => Page::TooLarge,
            },
        );
    }
}

/// What a request leads to.
enum Answer {
    /// A page.
    Page(Page<'static>),
    /// The provider refused this account's login, for this reason.
    Refused(AccountName, String),
    /// A login that will have ended soon.
    Login(Ticket),
}

impl Redirect {
    fn answer(&self, target: &str, is_https: bool) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path.starts_with('/') {
            return Answer::Page(Page::BadRequest("the request names no path"));
        }
        let callback = match Callback::parse(query) {
            Ok(callback) => callback,
            Err(BadCallback::NotACallback) if path == "/" && query.is_empty() => {
                return Answer::Page(Page::Welcome);
            }
            Err(BadCallback::NotACallback) if is_half_an_answer(query) => {
                return Answer::Page(Page::BadRequest(
                    "the provider's answer does not say which login it is of (state), or how that \
                     ended (code or error)",
                ));
            }
            Err(BadCallback::NotACallback) => return Answer::Page(Page::NotFound),
            Err(BadCallback::Repeated(_)) => {
                return Answer::Page(Page::BadRequest(
                    "the provider's answer says something twice",
                ));
            }
        };
        let returned = self
            .0
            .apply(|vault, now| vault.callback(is_https, path, callback, now.moment));
        match returned {
            Returned::Unknown => Answer::Page(Page::UnknownRequest),
            Returned::Refused(account, reason) => Answer::Refused(account, reason),
            Returned::Accepted(ticket) => Answer::Login(ticket),
        }
    }
}

/// Whether a provider meant this to be the end of a login: some leave the state out of an error. To
/// say that no account comes back to this path would lead astray.
fn is_half_an_answer(query: &str) -> bool {
    let named = |field: &str| {
        ["code=", "error=", "state="]
            .iter()
            .any(|it| field.starts_with(it))
    };
    query.split('&').any(named)
}

fn local_time(moment: Moment) -> String {
    let now = clock::now();
    let wall = now.wall_time_of(moment);
    wall.to_zoned(TimeZone::system())
        .strftime("%H:%M on %A, %-d %B")
        .to_string()
}

/// Sends a page, and ends the connection.
fn send(stream: Stream, page: &Page) {
    // Without random numbers the page's own style and script do not apply; its text is there.
    let mut nonce = [0; 16];
    let _ = SysRng.try_fill_bytes(&mut nonce);
    stream.finish(&page::response(page, &URL_SAFE_NO_PAD.encode(nonce)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_answer_is_told_from_none() {
        for query in ["code=x", "error=access_denied", "a=b&state=s"] {
            assert!(is_half_an_answer(query), "{query}");
        }
        for query in ["", "x=code=", "decode=x"] {
            assert!(!is_half_an_answer(query), "{query}");
        }
    }

    #[test]
    fn the_word_for_those_who_do_not_speak_https_is_as_long_as_it_says() {
        let (head, body) = SPEAK_HTTPS.split_once("\r\n\r\n").unwrap();
        let length = format!("Content-Length: {}\r\n", body.len());
        assert!(head.contains(&length), "{length}");
    }
}
