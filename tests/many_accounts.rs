//! Thousands of accounts that are due at once: bounded threads and memory, everybody is answered
//! meanwhile, and a dead endpoint starves no other one.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::attack::*;
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(3);

const LIVE: usize = 2000;
const DEAD: usize = 300;

/// As many as design.md's worker limit and the other threads are, with some room.
const MOST_THREADS: u64 = 150;

fn live(number: usize) -> String {
    format!("live{number}")
}

fn dead(number: usize) -> String {
    format!("dead{number}")
}

/// Answers each refresh after a while, as the internet does.
fn slow_but_alive(stream: TcpStream) {
    thread::sleep(Duration::from_millis(50));
    let body = r#"{"access_token":"fresh","token_type":"Bearer","expires_in":3600}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    send(stream, format!("{head}{length}{body}").as_bytes());
}

/// Holds the connection open without a word.
fn never_answers(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A dump in which all of these accounts have a refresh token and nothing else, so that they are
/// due at once. The accounts at one provider differ in nothing but their names.
fn all_due(dump: &str) -> String {
    let mut dump: serde_json::Value = serde_json::from_str(dump).unwrap();
    let logged_in = dump["accounts"].as_array().unwrap().clone();
    let of = |name: String, model: &str| {
        let model = logged_in.iter().find(|it| it["account"] == model).unwrap();
        serde_json::json!({
            "account": name,
            "authority": model["authority"],
            "obtained_at": model["obtained_at"],
            "refresh_token": format!("of-{name}"),
        })
    };
    let live = (1..LIVE).map(|number| of(live(number), "live0"));
    let dead = (1..DEAD).map(|number| of(dead(number), "dead0"));
    dump["accounts"] = dead.chain(live).collect();
    dump.to_string()
}

/// Samples the server's threads until told to stop; returns the most there were.
fn most_threads(user: &Pizauth, stop: &AtomicBool) -> u64 {
    let mut most = 0;
    while !stop.load(Ordering::Relaxed) {
        most = most.max(vital(user, "Threads"));
        thread::sleep(Duration::from_millis(10));
    }
    most
}

#[test]
fn thousands_due_at_once_are_refreshed_beside_a_dead_endpoint() {
    let good = Villain::start(slow_but_alive);
    let bad = Villain::start(never_answers);
    let live_ones = (0..LIVE).map(|number| good.account(&live(number)));
    let dead_ones = (0..DEAD).map(|number| bad.account(&dead(number)));
    let config: String = live_ones.chain(dead_ones).collect();
    let user = Pizauth::start(&config);
    come_back(&user, "live0");
    come_back(&user, "dead0");
    let dump = all_due(&user.run(&["dump"]).expect(0).out);
    let before = vital(&user, "VmRSS");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads = scope.spawn(|| most_threads(&user, &stop));
        user.run_with_input(&["restore"], &dump).expect(0);
        wait_until("all at the live endpoint are refreshed", || {
            let slowest = slowest_show(&user, "live0", 3);
            assert!(slowest < QUICK, "{slowest:?}");
            let reply = |number| ask(&user, format!("show\t{}\n", live(number)));
            (1..LIVE)
                .step_by(100)
                .all(|number| reply(number).starts_with("token "))
                && refreshed(&user) == LIVE
        });
        stop.store(true, Ordering::Relaxed);
        let most = threads.join().unwrap();
        assert!(most <= MOST_THREADS, "{most} threads");
    });
    let grown = vital(&user, "VmRSS").saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
}

/// How many accounts at the live endpoint have a token.
fn refreshed(user: &Pizauth) -> usize {
    let run = user.run(&["status", "--json"]).expect(0);
    let status: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let accounts = status["accounts"].as_array().unwrap().iter();
    let live = accounts.filter(|it| it["account"].as_str().unwrap().starts_with("live"));
    live.filter(|it| it["state"] == "active").count()
}
