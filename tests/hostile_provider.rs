//! A provider that answers badly, slowly or without end costs no login, and delays no other
//! account.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use support::attack::*;
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(4);

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// What the provider does, as part of a name and with a piece of what the user is told.
struct Attack {
    name: &'static str,
    act: fn(TcpStream),
    told: &'static str,
}

const ENDLESS: [Attack; 3] = [
    Attack {
        name: "silence",
        act: |stream| {
            hold(&stream);
        },
        told: "did not answer within 30 s",
    },
    Attack {
        name: "dripping-body",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(&stream, b"Content-Length: 100000\r\n\r\n");
            drip(stream, b' ');
        },
        told: "did not answer within 30 s",
    },
    Attack {
        name: "dripping-head",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            drip(stream, b'x');
        },
        told: "did not answer within 30 s",
    },
];

const BAD: [Attack; 12] = [
    Attack {
        name: "nothing",
        act: drop,
        told: "failed",
    },
    Attack {
        name: "cut-off",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(
                &stream,
                b"Content-Length: 900\r\n\r\n{\"access_token\":\"cut",
            );
        },
        told: "failed",
    },
    Attack {
        name: "two-mebibytes",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(&stream, b"Content-Length: 2097152\r\n\r\n");
            send(&stream, &vec![b' '; 2 * 1024 * 1024]);
        },
        told: "longer than 1048576 bytes",
    },
    Attack {
        name: "endless-body",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(&stream, b"\r\n");
            for_ever(&stream, &[b' '; 64 * 1024]);
        },
        told: "longer than 1048576 bytes",
    },
    Attack {
        name: "endless-headers",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            for_ever(&stream, b"X: y\r\n");
        },
        told: "failed",
    },
    Attack {
        name: "endless-header",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(&stream, b"X: ");
            for_ever(&stream, &[b'y'; 64 * 1024]);
        },
        told: "failed",
    },
    Attack {
        name: "endless-interim",
        act: |stream| for_ever(&stream, b"HTTP/1.1 100 Continue\r\n\r\n"),
        told: "failed",
    },
    Attack {
        name: "rubbish",
        act: |stream| send(&stream, &Random(7).bytes(4096)),
        told: "failed",
    },
    Attack {
        name: "impossible-length",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(
                &stream,
                b"Content-Length: 99999999999999999999999\r\n\r\n{}",
            );
        },
        told: "failed",
    },
    Attack {
        name: "bad-chunks",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(
                &stream,
                b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}",
            );
        },
        told: "failed",
    },
    Attack {
        name: "deep-nesting",
        act: |stream| {
            send(&stream, HEAD.as_bytes());
            send(&stream, b"Connection: close\r\n\r\n");
            send(&stream, "[".repeat(500_000).as_bytes());
        },
        told: "",
    },
    Attack {
        name: "redirect",
        act: |stream| {
            let head = "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\n";
            send(&stream, head.as_bytes());
            send(&stream, b"Content-Length: 0\r\n\r\n");
        },
        told: "redirect",
    },
];

fn for_ever(mut stream: &TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

/// Holds the connection open without a word, until the server closes it.
fn hold(stream: &TcpStream) {
    hear_or_leave(stream);
}

fn hear_or_leave(mut stream: &TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// A server with an account for each attack, each logged in, and one at a good provider.
fn under(attacks: &[Attack], good: &Provider) -> Pizauth {
    let accounts = attacks
        .iter()
        .map(|attack| Villain::start(attack.act).account(attack.name));
    let config: String = accounts.chain([good.account("good", "")]).collect();
    let user = Pizauth::start(&config);
    for attack in attacks {
        come_back(&user, attack.name);
    }
    log_in(good, &user.url("good"));
    user
}

/// The refresh has failed, is told, and has cost nothing.
#[track_caller]
fn assert_survived(user: &Pizauth, attack: &Attack, run: &Run) {
    assert_eq!(run.code, 4, "{}: {run:?}", attack.name);
    assert!(run.err.contains(attack.told), "{}: {run:?}", attack.name);
    assert_eq!(user.token(attack.name), "good");
    let status = user.status(attack.name);
    assert_eq!(status["refreshable"], true, "{status}");
    assert!(status["next_refresh_at"].is_string(), "{status}");
}

#[test]
fn bad_answers_cost_no_login() {
    let good = Provider::start();
    let user = under(&BAD, &good);
    let before = vital(&user, "VmRSS");
    for attack in &BAD {
        let run = user.run(&["refresh", attack.name]);
        assert_survived(&user, attack, &run);
    }
    let grown = vital(&user, "VmRSS").saturating_sub(before);
    assert!(grown < 30 * 1024, "{grown} KiB more");
    user.run(&["refresh", "good"]).expect(0);
}

#[test]
fn endless_answers_end_after_thirty_seconds_and_delay_no_other_account() {
    let good = Provider::start();
    let user = under(&ENDLESS, &good);
    let start = Instant::now();
    thread::scope(|scope| {
        let attacked = ENDLESS.iter().map(|attack| {
            let user = &user;
            scope.spawn(move || (attack, user.run(&["refresh", attack.name]), start.elapsed()))
        });
        let attacked: Vec<_> = attacked.collect();
        for _ in 0..5 {
            let start = Instant::now();
            user.run(&["refresh", "good"]).expect(0);
            assert!(start.elapsed() < QUICK);
        }
        for attacked in attacked {
            let (attack, run, took) = attacked.join().unwrap();
            assert_survived(&user, attack, &run);
            assert!(took >= Duration::from_millis(29_500), "{took:?}");
            assert!(took < Duration::from_secs(30) + QUICK, "{took:?}");
        }
    });
    let used = processor_time(&user);
    assert!(used < Duration::from_secs(5), "{used:?}");
}
