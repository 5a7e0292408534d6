//! The demo's own OAuth2 provider, on a free loopback port.
//!
//! An example, but one that keeps to the RFCs: authorisation codes for public clients (RFC 6749
//! section 4.1) with PKCE (RFC 7636), loopback redirects (RFC 8252), rotating refresh tokens with
//! reuse detection (RFC 9700 section 4.14), the issuer in the redirect (RFC 9207), and
//! introspection (RFC 7662). It knows nothing of pizauth: this is the other side.

mod authorize;
mod http;
mod ledger;
mod page;
mod token;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pizauth::clock;

use self::http::{Request, Response};
use self::ledger::Ledger;

/// The one client that is registered here.
pub(crate) const CLIENT_ID: &str = "pizauth-demo";
/// What can be asked for, and how the page puts it.
const SCOPES: [(&str, &str); 2] = [
    ("mail.read", "Read your mail"),
    ("mail.send", "Send mail in your name"),
];
/// How long access tokens live: so short that a person can watch one being refreshed.
pub(crate) const LIFETIME: Duration = Duration::from_secs(20);
/// The name that the login page suggests.
pub(crate) const SUGGESTED_USER: &str = "ada";

/// The provider. It serves until the process ends.
pub(crate) struct Provider(Arc<Office>);

/// What all connections share.
struct Office {
    address: SocketAddr,
    /// What a resource server proves itself with at the introspection endpoint.
    secret: String,
    ledger: Mutex<Ledger>,
}

impl Provider {
    /// A provider that listens.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let office = Arc::new(Office {
            address: listener.local_addr()?,
            secret: ledger::random()?,
            ledger: Mutex::default(),
        });
        let shared = Arc::clone(&office);
        http::serve(listener, move |request| shared.answer(request))?;
        Ok(Self(office))
    }

    /// Its issuer identifier, which everything of it begins with.
    pub(crate) fn issuer(&self) -> String {
        self.0.issuer()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The name and the password for the introspection endpoint.
    pub(crate) fn resource_server(&self) -> (&'static str, &str) {
        (token::RESOURCE_SERVER, &self.0.secret)
    }

    /// How often a token has been refreshed so far.
    pub(crate) fn refreshes(&self) -> usize {
        self.0.ledger().refreshes()
    }
}

impl Office {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Each change of the ledger is whole, whatever became of the thread that made it.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Response {
        // A foreign page whose name was made to point here would say its own name.
        if !self.is_addressed_by(request) {
            return page::problem("400 Bad Request", "This request is for another host");
        }
        match (request.path.as_str(), request.method.as_str()) {
            ("/authorize", "GET") => self.authorize(request),
            ("/login", "POST") => self.login(request),
            ("/token", "POST") => self.token(request),
            ("/introspect", "POST") => self.introspect(request),
            ("/authorize", _) => page::not_allowed("GET"),
            ("/login" | "/token" | "/introspect", _) => page::not_allowed("POST"),
            _ => page::problem("404 Not Found", "There is nothing here"),
        }
    }

    fn is_addressed_by(&self, request: &Request) -> bool {
        let port = self.address.port();
        let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let host = request.header("host").unwrap_or_default();
        names.iter().any(|name| host.eq_ignore_ascii_case(name))
    }
}

/// Seconds since the epoch, as introspection has times.
fn unix_time(moment: clock::Moment) -> i64 {
    clock::now().wall_time_of(moment).as_second()
}
