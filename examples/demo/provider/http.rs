//! HTTP/1.1, as much of it as a provider needs: a thread and one request for each connection.
//!
//! Knows nothing of OAuth2.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pizauth::clock::{self, Moment};
use url::form_urlencoded;

/// The longest request, head and body together: a login form or a token request with room to
/// spare.
const MAX_REQUEST: usize = 32 * 1024;
/// More header fields than any browser sends.
const MAX_HEADERS: usize = 100;
/// How long a request may take to arrive: browsers open connections that they do not use yet.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once.
const MAX_CONNECTIONS: usize = 64;

/// A whole request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A header's value, if it is there once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let named = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        let mut found = self.headers.iter().filter(named);
        let first = found.next()?;
        found.next().is_none().then_some(first.1.as_str())
    }

    /// The fields of the query.
    pub(super) fn query_fields(&self) -> Fields {
        Fields::parse(self.query.as_bytes())
    }

    /// The fields of a form in the body.
    pub(super) fn form(&self) -> Option<Fields> {
        let content_type = self.header("content-type")?;
        let media_type = content_type.split(';').next().unwrap_or_default();
        let is_form = media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded");
        is_form.then(|| Fields::parse(&self.body))
    }
}

/// The fields of a form or a query.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// A field's value. One without a value counts as left out (RFC 6749 section 3.1).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a field is there more than once, which RFC 6749 section 3.1 forbids.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.0.iter().filter(|(field, _)| field == name).count() > 1
    }

    /// The name of a field that is there more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| self.repeats(name))
    }
}

/// A response; its length and the end of the connection are seen to here.
pub(super) struct Response {
    /// Such as `200 OK`.
    pub(super) status: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Response {
    fn encode(&self) -> Vec<u8> {
        let mut text = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// Answers requests from now on, on threads of its own.
pub(super) fn serve(
    listener: TcpListener,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> io::Result<()> {
    let answer = Arc::new(answer);
    let accept = move || {
        let open = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming().flatten() {
            let Some(place) = Place::take(&open) else {
                continue;
            };
            let answer = Arc::clone(&answer);
            let serve = move || {
                converse(&stream, &*answer);
                drop(place);
            };
            // Where no thread can be had, the connection is closed.
            let _ = thread::Builder::new().name("provider".into()).spawn(serve);
        }
    };
    thread::Builder::new()
        .name("provider-accept".into())
        .spawn(accept)?;
    Ok(())
}

/// One of the connections that there may be at once.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::Relaxed) < MAX_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn converse(mut stream: &TcpStream, answer: &dyn Fn(&Request) -> Response) {
    let response = match receive(stream) {
        Received::Request(request) => answer(&request),
        Received::Bad(status) => Response {
            status,
            headers: Vec::new(),
            body: String::new(),
        },
        Received::Nothing => return,
    };
    // Whoever does not read the answer does not want it.
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.write_all(&response.encode());
    let _ = stream.shutdown(Shutdown::Write);
}

/// What came over a connection.
enum Received {
    Request(Request),
    /// Nothing that can be answered otherwise than with this status.
    Bad(&'static str),
    Nothing,
}

fn receive(stream: &TcpStream) -> Received {
    let until = clock::moment() + PATIENCE;
    let mut bytes = Vec::new();
    loop {
        match read_more(stream, &mut bytes, until) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Received::Nothing,
        }
        if let Some(received) = parse(&bytes) {
            return received;
        }
        if bytes.len() > MAX_REQUEST {
            return Received::Bad("413 Content Too Large");
        }
    }
}

/// Adds what has arrived; `false` at the end.
fn read_more(mut stream: &TcpStream, bytes: &mut Vec<u8>, until: Moment) -> io::Result<bool> {
    let left = until.since(clock::moment());
    if left.is_zero() {
        return Ok(false);
    }
    stream.set_read_timeout(Some(left))?;
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk)?;
    bytes.extend_from_slice(&chunk[..count]);
    Ok(count > 0)
}

/// The request, when all of it is there.
fn parse(bytes: &[u8]) -> Option<Received> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => {
            return Some(Received::Bad("431 Request Header Fields Too Large"));
        }
        Err(_) => return Some(Received::Bad("400 Bad Request")),
    };
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: head
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect(),
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Some(Received::Bad("411 Length Required"));
    }
    let Ok(body) = request.header("content-length").unwrap_or("0").parse() else {
        return Some(Received::Bad("400 Bad Request"));
    };
    if length.saturating_add(body) > MAX_REQUEST {
        return Some(Received::Bad("413 Content Too Large"));
    }
    request.body = bytes.get(length..length + body)?.to_vec();
    Some(Received::Request(request))
}
