//! What a browser does for a login: it goes to the provider, and comes back to pizauth with what
//! the provider sent it away with.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use url::{Host, Url};

use super::provider::Provider;
use super::wait::DEADLINE;

/// An HTTP response.
#[derive(Debug)]
pub struct Page {
    /// Its status code.
    pub status: u16,
    /// The head as it came.
    pub head: String,
    /// The body.
    pub text: String,
}

impl Page {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let line = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        line.map(|(_, value)| value.trim())
    }
}

/// The fields of a URL's query, in order.
pub fn fields(url: &str) -> Vec<(String, String)> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().into_owned().collect()
}

/// One field of a URL's query.
pub fn field(url: &str, name: &str) -> Option<String> {
    let found = fields(url).into_iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value)
}

/// The redirect URI in an authorisation URL, with this query.
pub fn back(url: &str, query: &str) -> String {
    format!("{}?{query}", field(url, "redirect_uri").unwrap())
}

/// Goes to the provider at `url`, consents, and comes back to pizauth.
#[track_caller]
pub fn log_in(provider: &Provider, url: &str) -> Page {
    visit(&provider.consent(url))
}

/// Fetches a loopback URL; `localhost` is the IPv4 address.
#[track_caller]
pub fn visit(url: &str) -> Page {
    let address = match Url::parse(url).unwrap().host().unwrap() {
        Host::Domain(_) => Ipv4Addr::LOCALHOST.into(),
        Host::Ipv4(address) => IpAddr::from(address),
        Host::Ipv6(address) => IpAddr::from(address),
    };
    visit_at(address, url)
}

/// Fetches a URL from this address, whatever its host is.
#[track_caller]
pub fn visit_at(address: IpAddr, url: &str) -> Page {
    let port = Url::parse(url).unwrap().port_or_known_default().unwrap();
    request((address, port).into(), &get(url))
}

/// The request that a browser sends for a URL.
pub fn get(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\n\
         Accept: text/html\r\nConnection: keep-alive\r\n\r\n"
    )
}

/// Sends a request as it is, and reads the response to the connection's end.
#[track_caller]
pub fn request(address: SocketAddr, request: &str) -> Page {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    read_page(response)
}

/// Reads a whole response.
#[track_caller]
pub fn read_page(response: Vec<u8>) -> Page {
    let response = String::from_utf8(response).unwrap();
    let (head, text) = response.split_once("\r\n\r\n").expect("a response");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let page = Page {
        status,
        head: head.to_owned(),
        text: text.to_owned(),
    };
    let length = page.header("content-length").unwrap().parse();
    assert_eq!(length, Ok(text.len()), "{page:?}");
    page
}
