//! Whoever attacks the redirect listener delays no login, costs little, and gets a page.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use support::attack::*;
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(3);

/// The longest head that is read.
const MAX_HEAD: usize = 16 * 1024;

fn started() -> (Provider, Pizauth, String) {
    let provider = Provider::start();
    let config = provider.account("a", "") + &provider.account("b", "");
    let user = Pizauth::start(&config);
    let address = user.listeners().swap_remove(0);
    (provider, user, address)
}

/// What the listener says to these bytes.
#[track_caller]
fn heard(address: &str, bytes: &[u8]) -> String {
    let stream = browser(address);
    send(&stream, bytes);
    hear(&stream)
}

fn is_page(heard: &str, status: &str) -> bool {
    heard.starts_with(&format!("HTTP/1.1 {status} ")) && heard.trim_end().ends_with("</html>")
}

#[test]
fn whoever_is_slow_is_turned_out_after_ten_seconds() {
    let (_provider, user, address) = started();
    let start = Instant::now();
    let silent = browser(&address);
    let dripping = browser(&address);
    drip(dripping.try_clone().unwrap(), b'G');
    let half = browser(&address);
    send(&half, b"GET / HTTP/1.1\r\nHost: localhost\r\n");
    let used = processor_time(&user);
    for stream in [silent, dripping, half] {
        let heard = hear(&stream);
        assert!(is_page(&heard, "408"), "{heard}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(9_900), "{took:?}");
        assert!(took < Duration::from_secs(10) + QUICK, "{took:?}");
    }
    let used = processor_time(&user) - used;
    assert!(used < Duration::from_secs(2), "{used:?}");
}

#[test]
fn a_login_goes_through_five_hundred_half_open_connections() {
    let (provider, user, address) = started();
    let crowd: Vec<_> = (0..500).map(|_| browser(&address)).collect();
    for (number, mut stream) in crowd.iter().enumerate() {
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /?code=1&state=2 HTTP/1.1\r\nHost: loc");
        }
    }
    let page = log_in(&provider, &user.url("a"));
    assert_eq!(page.status, 200, "{page:?}");
    let slowest = slowest_show(&user, "a", 20);
    assert!(slowest < QUICK, "{slowest:?}");
    // The oldest ones had to make room, and were told.
    let heard = hear(&crowd[1]);
    assert!(is_page(&heard, "503"), "{heard}");
    assert!(vital(&user, "Threads") < 30);
    assert!(vital(&user, "VmRSS") < 100 * 1024);
}

#[test]
fn limits_are_exact_and_whoever_passes_them_is_told() {
    let (_provider, user, address) = started();
    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
        format!("{start}{}\r\n\r\n", "y".repeat(length - start.len() - 4))
    };
    for (length, status) in [
        (MAX_HEAD, "200"),
        (MAX_HEAD + 1, "431"),
        (2 * MAX_HEAD, "431"),
        (64 * MAX_HEAD, "431"),
    ] {
        let heard = heard(&address, head(length).as_bytes());
        assert!(is_page(&heard, status), "{length}: {heard}");
    }
    let endless = format!("GET /{}", "x".repeat(2 * MAX_HEAD));
    assert!(is_page(&heard(&address, endless.as_bytes()), "431"));
    let lines = "X: y\r\n".repeat(500);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    assert!(is_page(&heard(&address, many.as_bytes()), "400"));
    let form = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n";
    let form = form.to_owned() + &"z".repeat(9000);
    assert!(is_page(&heard(&address, form.as_bytes()), "405"));
    assert_eq!(user.state("a"), "empty");
}

#[test]
fn browsers_that_leave_while_a_login_goes_on_do_no_harm() {
    let (provider, user, address) = started();
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let back = provider.consent(&user.url("a"));
    let target = &back[back.find("/?").unwrap()..];
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let stream = browser(&address);
    send(&stream, request.as_bytes());
    wait_until("the code is being exchanged", || {
        user.state("a") == "exchanging"
    });
    drop(stream);
    // Nor do those who come back with the same code.
    for _ in 0..100 {
        send(&browser(&address), request.as_bytes());
    }
    gate.open();
    wait_until("the login has ended", || user.state("a") == "active");
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn rubbish_gets_a_page_or_nothing() {
    let (provider, user, address) = started();
    let url = user.url("b");
    let mut random = Random(0xbad_5eed);
    let words: [&[u8]; 14] = [
        b"GET ",
        b"/",
        b"?",
        b"code=",
        b"state=",
        b"&",
        b"%",
        b" HTTP/1.1",
        b"\r\n",
        b"\n",
        b"Host: localhost",
        b"\0",
        b"\xff",
        b"Host: evil.example",
    ];
    for round in 0..1500 {
        let mut bytes = Vec::new();
        for _ in 0..random.below(12) {
            bytes.extend_from_slice(random.pick(&words));
        }
        let rest = random.below(40);
        bytes.extend(random.bytes(rest));
        let mut stream = browser(&address);
        let _ = stream.write_all(&bytes);
        match round % 3 {
            0 => continue,
            1 => drop(stream.shutdown(Shutdown::Write)),
            _ => drop(stream.write_all(b"\r\n\r\n")),
        }
        let heard = hear(&stream);
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 "),
            "{heard}"
        );
    }
    // The login that waited meanwhile was not disturbed.
    let page = log_in(&provider, &url);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(user.token("b"), provider.last_token());
    assert!(vital(&user, "VmRSS") < 100 * 1024);
}
