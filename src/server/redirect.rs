//! The loopback HTTP listener that the browser comes back to (RFC 8252 section 7.3).
//!
//! Reads the head of one request a connection, and answers it with a page. What a return means is
//! decided in the vault: here it is only taken out of the request.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use rand::TryRng;
use rand::rngs::SysRng;
use url::Host;
use zeroize::Zeroizing;

use crate::clock::{self, Moment};
use crate::config::redirect_uri::is_loopback;
use crate::config::{AccountName, Listen};
use crate::console::describe;
use crate::oauth::authorize::{BadCallback, Callback};
use crate::server::Server;
use crate::server::intake::{Door, Framing, Refusal, Served, Waiting};
use crate::server::page::{self, Page};
use crate::vault::answer::{LoggedIn, Returned};
use crate::vault::order::Ticket;

/// The longest request head: real ones have one or two KiB, and codes can be long.
const MAX_HEAD: usize = 16 * 1024;

/// More header lines than this no browser sends.
const MAX_HEADERS: usize = 100;

/// How long the page waits to be able to say how the login ended.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often another free port is tried where the first one is free for one family only.
const PORT_TRIES: u32 = 20;

/// The redirect listener's side of the [`crate::server::intake`].
pub(super) struct Redirect(pub(super) Arc<Server>);

/// Opens the listeners that `listen` asks for.
///
/// # Errors
/// Where an address cannot be had; the message names it.
pub(super) fn bind(listen: &Listen) -> io::Result<Vec<TcpListener>> {
    let listeners = match listen {
        Listen::Off => Vec::new(),
        Listen::FreePort => bind_free_port()?,
        Listen::At(address) => bind_at(*address)?,
    };
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    Ok(listeners)
}

fn bind_at(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("http_listen cannot have {address}: {}", describe(&error)),
        )
    })?;
    let other = sibling(listener.local_addr()?);
    // `localhost` may mean either family; but only the address that was asked for is a must.
    let sibling = TcpListener::bind(other)
        .inspect_err(|error| log::info!("not listening at {other}: {error}"));
    Ok([listener].into_iter().chain(sibling.ok()).collect())
}

fn bind_free_port() -> io::Result<Vec<TcpListener>> {
    let free = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("no port for the redirect listener: {}", describe(&error)),
        )
    };
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else {
            break;
        };
        match TcpListener::bind(sibling(listener.local_addr()?)) {
            Ok(other) => return Ok(vec![listener, other]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(listener),
            // This machine has no IPv6.
            Err(_) => return Ok(vec![listener]),
        }
    }
    match last {
        Some(listener) => Ok(vec![listener]),
        None => Ok(vec![
            TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map_err(free)?,
        ]),
    }
}

/// The other family's loopback address with the same port.
fn sibling(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv6Addr::LOCALHOST, address.port()).into(),
        SocketAddr::V6(_) => (Ipv4Addr::LOCALHOST, address.port()).into(),
    }
}

impl Door for Redirect {
    type Wait = Ticket;
    type Listener = Arc<TcpListener>;
    type Stream = TcpStream;
    const CLIENTS: usize = 64;
    const TIME: Duration = Duration::from_secs(10);

    fn accept(&self, listener: &Arc<TcpListener>) -> io::Result<Option<TcpStream>> {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(peer.ip().is_loopback().then_some(stream))
    }

    fn framing(&self, received: &[u8], known: usize) -> Framing {
        // The end of the head may have begun up to three bytes before what is new.
        let new = &received[known.saturating_sub(3)..];
        let ends = new.windows(4).any(|bytes| bytes == b"\r\n\r\n")
            || new.windows(2).any(|bytes| bytes == b"\n\n");
        match ends {
            true if received.len() <= MAX_HEAD => Framing::Whole,
            false if received.len() <= MAX_HEAD => Framing::NeedMore,
            _ => Framing::Bad("the request is too long".into()),
        }
    }

    fn serve(&self, stream: TcpStream, request: Zeroizing<Vec<u8>>) -> Served<TcpStream, Ticket> {
        let answer = read_head(&request).map_or_else(Answer::Page, |target| self.answer(target));
        match answer {
            Answer::Page(page) => send(&stream, &page),
            Answer::Refused(account, reason) => {
                let account = account.as_str();
                send(
                    &stream,
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

    fn resume(&self, client: Waiting<TcpStream, Ticket>, over: bool) -> Served<TcpStream, Ticket> {
        let account = client.wait.account().as_str();
        let page = |page| send(&client.stream, &page);
        match self.0.shared.look(|vault, _| vault.logged_in(&client.wait)) {
            None if over => page(Page::StillWorking { account }),
            None => return Served::Waits(client),
            Some(LoggedIn::No(reason)) => page(Page::Failed {
                account,
                reason: &reason,
            }),
            Some(LoggedIn::Yes(expires)) => {
                let expires = local_time(expires);
                page(Page::LoggedIn {
                    account,
                    expires: Some(&expires),
                });
            }
        }
        Served::Done
    }

    /// The browser asks again, for the same: that is what this status is for (RFC 9110 section
    /// 15.4.8).
    fn send_on(&self, stream: TcpStream, request: &[u8]) {
        match read_head(request) {
            // Two slashes would name another host.
            Ok(target) if target.starts_with('/') && !target.starts_with("//") => {
                send_bytes(&stream, page::again(target).as_bytes());
            }
            _ => send(&stream, &Page::Busy),
        }
    }

    fn refuse(&self, stream: TcpStream, refusal: Refusal) {
        send(
            &stream,
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

/// The request's target (RFC 9112 section 3.2.1), or what to answer instead.
fn read_head(head: &[u8]) -> Result<&str, Page<'static>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Err(Page::BadRequest("this is not an HTTP request"));
    }
    if request.method != Some("GET") {
        return Err(Page::MethodNotAllowed);
    }
    let mut hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = hosts
        .next()
        .and_then(|header| std::str::from_utf8(header.value).ok());
    // A foreign page whose name was made to point here would say its own name.
    if hosts.next().is_some() || !host.is_some_and(is_loopback_authority) {
        return Err(Page::BadRequest("the request is for another host"));
    }
    Ok(request.path.unwrap_or_default())
}

/// Whether a Host header names this machine. The port may be another one: `ssh -L` changes it.
fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    Host::parse(host).is_ok_and(|host| match host {
        Host::Domain(name) => is_loopback(Some(Host::Domain(name.as_str()))),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}

impl Redirect {
    fn answer(&self, target: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path.starts_with('/') {
            return Answer::Page(Page::BadRequest("the request names no path"));
        }
        let callback = match Callback::parse(query) {
            Ok(callback) => callback,
            Err(BadCallback::NotACallback) if path == "/" && query.is_empty() => {
                return Answer::Page(Page::Welcome);
            }
            Err(BadCallback::NotACallback) => return Answer::Page(Page::NotFound),
            Err(BadCallback::Repeated(_)) => {
                return Answer::Page(Page::BadRequest(
                    "the provider's answer says something twice",
                ));
            }
        };
        match self
            .0
            .apply(|vault, now| vault.callback(path, callback, now.moment))
        {
            Returned::Unknown => Answer::Page(Page::UnknownRequest),
            Returned::Refused(account, reason) => Answer::Refused(account, reason),
            Returned::Accepted(ticket) => Answer::Login(ticket),
        }
    }
}

fn local_time(moment: Moment) -> String {
    let now = clock::now();
    let wall = now.wall_time_of(moment);
    wall.to_zoned(TimeZone::system())
        .strftime("%H:%M on %A, %-d %B")
        .to_string()
}

/// Sends a page. It fits into an empty socket's buffer; a browser that does not take it is gone.
fn send(stream: &TcpStream, page: &Page) {
    // Without random numbers the page's own style and script do not apply; its text is there.
    let mut nonce = [0; 16];
    let _ = SysRng.try_fill_bytes(&mut nonce);
    send_bytes(
        stream,
        &page::response(page, &URL_SAFE_NO_PAD.encode(nonce)),
    );
}

fn send_bytes(mut stream: &TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}
