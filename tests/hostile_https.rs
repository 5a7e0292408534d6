//! Whatever comes to the port for https that is no login: it delays nobody, costs little, and is
//! told what is wrong where it can be.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::{ProtocolVersion, StreamOwned};
use support::attack::*;
use support::browser::{field, get, request};
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(3);
/// The longest head that is read.
const MAX_HEAD: usize = 16 * 1024;

/// A provider, and a user whose account `s` comes back over https.
fn set_up() -> (Provider, Pizauth) {
    let provider = Provider::start();
    let account = provider.account("s", "redirect_uri = \"https://localhost/\";");
    let user = Pizauth::start(&account);
    (provider, user)
}

/// Goes to the provider at `url`, consents, and comes back over https.
#[track_caller]
fn log_in_securely(provider: &Provider, user: &Pizauth, url: &str) -> Page {
    tls::visit(user, &provider.consent(url))
}

#[test]
fn http_at_the_port_for_https_is_answered_and_never_used() {
    let (provider, user) = set_up();
    let back = provider.consent(&user.url("s"));
    let address = user.secure_listeners()[0].parse().unwrap();
    let page = request(address, &get(&back));
    assert_eq!(page.status, 400);
    assert!(page.text.contains("https://"), "{page:?}");
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(!page.text.contains(&field(&back, "code").unwrap()));
    assert_eq!(user.state("s"), "pending");
    assert_eq!(tls::visit(&user, &back).status, 200);
}

#[test]
fn https_at_the_port_for_http_is_refused_at_once() {
    let (_provider, user) = set_up();
    let start = Instant::now();
    let mut stream = tls::connect(&user.listeners()[0], &user.fingerprint());
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn a_browser_that_is_slow_to_shake_hands_is_served() {
    let (provider, user) = set_up();
    let back = provider.consent(&user.url("s"));
    let address = user.secure_listeners().swap_remove(0);
    let mut session = tls::session(&user.fingerprint());
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    let mut stream = browser(&address);
    stream.set_nodelay(true).unwrap();
    for byte in hello {
        stream.write_all(&[byte]).unwrap();
    }
    let mut secure = StreamOwned::new(session, stream);
    secure.write_all(get(&back).as_bytes()).unwrap();
    assert_eq!(
        secure.conn.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
    assert_eq!(secure.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut response = String::new();
    secure.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[test]
fn the_silent_and_the_half_heard_delay_nobody() {
    let (provider, user) = set_up();
    let address = user.secure_listeners().swap_remove(0);
    let fingerprint = user.fingerprint();
    let start = Instant::now();
    let mut hello = Vec::new();
    tls::session(&fingerprint).write_tls(&mut hello).unwrap();
    let crowd: Vec<TcpStream> = (0..70).map(|_| browser(&address)).collect();
    for (number, stream) in crowd.iter().enumerate() {
        match number % 3 {
            0 => {}
            1 => send(stream, &hello[..hello.len() / 2]),
            _ => send(stream, &hello),
        }
    }
    let page = log_in_securely(&provider, &user, &user.url("s"));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
    assert!(slowest_show(&user, "s", 20) < QUICK);
    let used = processor_time(&user);
    // Whoever is left has ten seconds.
    for stream in crowd {
        hear(stream);
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10) + QUICK, "{took:?}");
    assert!(processor_time(&user) - used < Duration::from_secs(1));
}

#[test]
fn a_request_that_stays_unfinished_is_told_so_over_tls() {
    let (_provider, user) = set_up();
    let address = user.secure_listeners().swap_remove(0);
    let mut stream = tls::connect(&address, &user.fingerprint());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    // A byte too many, so that nothing is left unread: whoever sends more may be cut off.
    let (start, end) = ("GET / HTTP/1.1\r\nX: ", "\r\n\r\n");
    let filling = MAX_HEAD + 1 - start.len() - end.len();
    let long = format!("{start}{}{end}", "y".repeat(filling));
    let page = tls::ask(tls::connect(&address, &user.fingerprint()), &long);
    assert_eq!(page.status, 431);
}

#[test]
fn rubbish_costs_next_to_nothing() {
    let (provider, user) = set_up();
    let address = user.secure_listeners().swap_remove(0);
    let mut hello = Vec::new();
    let mut session = tls::session(&user.fingerprint());
    session.write_tls(&mut hello).unwrap();
    let mut random = Random(0xbad_5eed);
    let used = processor_time(&user);
    for round in 0..1000 {
        let mut bytes = match round % 3 {
            0 => random.bytes(200),
            1 => [&[22, 3, 1], &random.bytes(200)[..]].concat(),
            _ => hello.clone(),
        };
        for _ in 0..8 {
            let position = random.below(bytes.len());
            bytes[position] ^= 1 << random.below(8);
        }
        let stream = browser(&address);
        send(&stream, &bytes);
        if round % 2 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            hear(stream);
        }
    }
    let used = processor_time(&user) - used;
    assert!(used < Duration::from_secs(10), "{used:?}");
    assert!(vital(&user, "VmRSS") < 100 * 1024);
    let page = log_in_securely(&provider, &user, &user.url("s"));
    assert_eq!(page.status, 200, "{page:?}");
}
