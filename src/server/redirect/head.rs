//! The head of the browser's request: where it ends, and what is read of it.
//!
//! Bytes in, the request's target out. Knows no socket, and not what a target means.

use url::Host;

use super::stream::HANDSHAKE;
use crate::config::endpoint::{is_loopback, parse_host};
use crate::server::intake::Framing;
use crate::server::page::Page;

/// The longest request head: real ones have one or two KiB, and codes can be long.
const MAX_HEAD: usize = 16 * 1024;

/// More header lines than this no browser sends.
const MAX_HEADERS: usize = 100;

/// Whether `received`, of which the first `known` bytes were seen before, is a whole head.
pub(super) fn framing(received: &[u8], known: usize) -> Framing {
    // A browser that was sent to https here learns at once that nobody speaks it.
    if received.first() == Some(&HANDSHAKE) {
        return Framing::Bad("the request is for https".into());
    }
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

/// The same for [`crate::fuzzing`]: whether it is whole, or why it will never be a head.
pub(crate) fn is_whole(received: &[u8], known: usize) -> Result<bool, String> {
    match framing(received, known) {
        Framing::NeedMore => Ok(false),
        Framing::Whole => Ok(true),
        Framing::Bad(why) => Err(why),
    }
}

/// The request's target (RFC 9112 section 3.2.1), or what to answer instead.
pub(crate) fn read(head: &[u8]) -> Result<&str, Page<'static>> {
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
    parse_host(host).is_ok_and(|host| match host {
        Host::Domain(name) => is_loopback(Some(Host::Domain(name.as_str()))),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_wherever_its_pieces_do() {
        let head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for split in 0..head.len() {
            assert_eq!(framing(&head[..split], 0), Framing::NeedMore);
            assert_eq!(framing(head, split), Framing::Whole);
        }
        assert_eq!(framing(b"GET / HTTP/1.1\n\n", 15), Framing::Whole);
    }

    #[test]
    fn what_is_no_head_is_known_early() {
        assert!(matches!(framing(&[22, 3, 1], 0), Framing::Bad(_)));
        let long = [b'x'; MAX_HEAD + 1];
        assert_eq!(framing(&long[1..], 0), Framing::NeedMore);
        assert!(matches!(framing(&long, MAX_HEAD), Framing::Bad(_)));
    }
}
