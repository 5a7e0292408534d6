//! Whoever attacks the control socket delays nobody, costs little, and is told what was wrong.

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

/// The protocol's limits.
const MAX_REQUEST: usize = 64 * 1024;
const MAX_DUMP: usize = 16 * 1024 * 1024;

fn logged_in(provider: &Provider) -> Pizauth {
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(provider, &user.url("a"));
    user
}

#[test]
fn whoever_is_slow_is_turned_out_after_five_seconds() {
    let provider = Provider::start();
    let user = logged_in(&provider);
    let start = Instant::now();
    let silent = control(&user);
    let dripping = control(&user);
    drip(dripping.try_clone().unwrap(), b'x');
    let announced = control(&user);
    send(&announced, b"restore\t1000\n{");
    for stream in [silent, dripping, announced] {
        let heard = hear(&stream);
        assert!(heard.contains("did not arrive in time"), "{heard}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(4_900), "{took:?}");
        assert!(took < Duration::from_secs(5) + QUICK, "{took:?}");
    }
}

#[test]
fn three_hundred_silent_clients_delay_nobody() {
    let provider = Provider::start();
    let user = logged_in(&provider);
    let crowd: Vec<_> = (0..300).map(|_| control(&user)).collect();
    for stream in &crowd[200..] {
        drip(stream.try_clone().unwrap(), b'x');
    }
    let slowest = slowest_show(&user, "a", 50);
    assert!(slowest < QUICK, "{slowest:?}");
    assert_eq!(user.token("a"), provider.last_token());
    // The oldest ones had to make room.
    let heard = hear(&crowd[0]);
    assert!(heard.contains("too many clients"), "{heard}");
    // The standing crowd keeps nothing busy: a spinning thread would use all of the time.
    let (used, start) = (processor_time(&user), Instant::now());
    hear(crowd.last().unwrap());
    let used = processor_time(&user) - used;
    assert!(used < start.elapsed() / 2, "{used:?}");
}

#[test]
fn waiting_clients_keep_nothing_busy() {
    let provider = Provider::start();
    let config = provider.account("a", "") + &provider.account("b", "");
    let user = Pizauth::start(&config);
    log_in(&provider, &user.url("a"));
    let start = Instant::now();
    let waiting: Vec<_> = (0..20).map(|_| control(&user)).collect();
    for stream in &waiting {
        send(stream, b"show\tb\twait=2\n");
    }
    // Changes wake them up, and looking is no change.
    slowest_show(&user, "a", 20);
    let used = processor_time(&user);
    for stream in &waiting {
        assert!(hear(stream).starts_with("login "));
    }
    let used = processor_time(&user) - used;
    assert!(start.elapsed() >= Duration::from_millis(1_900));
    assert!(used < Duration::from_millis(700), "{used:?}");
}

#[test]
fn limits_are_exact_and_whoever_passes_them_is_told() {
    let provider = Provider::start();
    let user = logged_in(&provider);
    let line = |length: usize| format!("show\t{}\n", "x".repeat(length - 6));
    assert!(ask(&user, line(MAX_REQUEST + 1)).contains("longer than 65536"));
    assert!(ask(&user, line(MAX_REQUEST)).contains("no account"));
    assert!(ask(&user, line(10 * MAX_REQUEST)).contains("longer than 65536"));
    let most = format!("restore\t{MAX_DUMP}\n{}", " ".repeat(MAX_DUMP));
    let heard = ask(&user, &most);
    assert!(heard.contains("not a dump"), "{heard}");
    let heard = ask(&user, format!("restore\t{}\n", MAX_DUMP + 1));
    assert!(heard.contains("is the most"), "{heard}");
    for length in ["-1", "99999999999999999999", "1x", "", "00"] {
        let heard = ask(&user, format!("restore\t{length}\n"));
        assert!(heard.contains("not a number"), "{heard}");
    }
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn clients_that_never_read_their_dump_cost_little() {
    const TOKEN: usize = 4 * 1024;
    const ACCOUNTS: usize = 250;
    let provider = Provider::start();
    let names: Vec<String> = (0..ACCOUNTS).map(|number| format!("a{number}")).collect();
    let config: String = names
        .iter()
        .map(|name| provider.account(name, ""))
        .collect();
    let user = Pizauth::start(&config);
    log_in(&provider, &user.url("a0"));
    let large = large_dump(&user.run(&["dump"]).expect(0).out, &names, TOKEN);
    user.run_with_input(&["restore"], &large).expect(0);
    let before = vital(&user, "VmRSS");
    let crowd: Vec<_> = (0..100).map(|_| control(&user)).collect();
    for stream in &crowd {
        send(stream, b"dump\n");
    }
    let slowest = slowest_show(&user, "a0", 20);
    assert!(slowest < QUICK, "{slowest:?}");
    // Whoever reads gets all of it, past those who do not.
    assert!(user.run(&["dump"]).expect(0).out.len() > TOKEN * ACCOUNTS);
    user.run(&["status"]).expect(0);
    // Each on its own would have cost a MiB.
    let grown = vital(&user, "VmRSS").saturating_sub(before);
    assert!(grown < 50 * 1024, "{grown} KiB more");
    assert!(vital(&user, "Threads") < 30);
}

/// A dump in which each of these accounts has a token of this length.
fn large_dump(dump: &str, names: &[String], length: usize) -> String {
    let mut dump: serde_json::Value = serde_json::from_str(dump).unwrap();
    let mut account = dump["accounts"][0].clone();
    account["access_token"] = "t".repeat(length).into();
    let others = names.iter().skip(1).map(|name| {
        account["account"] = name.as_str().into();
        account["refresh_token"] = format!("of-{name}").into();
        account.clone()
    });
    let others: Vec<_> = others.collect();
    dump["accounts"].as_array_mut().unwrap().extend(others);
    dump.to_string()
}

#[test]
fn restores_that_do_not_end_leave_room_for_one_that_does() {
    let provider = Provider::start();
    let user = logged_in(&provider);
    let dump = user.run(&["dump"]).expect(0).out;
    let mut unfinished = format!("restore\t{MAX_DUMP}\n").into_bytes();
    unfinished.resize(MAX_DUMP, b' ');
    let crowd: Vec<_> = (0..6).map(|_| control(&user)).collect();
    for stream in &crowd {
        send(stream, &unfinished);
    }
    user.run_with_input(&["restore"], &dump).expect(0);
    assert!(vital(&user, "VmRSS") < 200 * 1024);
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn without_descriptors_the_others_are_still_answered() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(&provider.account("a", ""));
    let dir = user.dir().to_owned();
    user.start_foreground_with(|command| limited(&dir, command, "-n 48"));
    let listeners = user.listeners();
    let crowd: Vec<_> = (0..150).map(|_| control(&user)).collect();
    let browsers: Vec<_> = (0..150).map(|_| browser(&listeners[0])).collect();
    // Even a login goes through, which needs a connection to the provider.
    let page = log_in(&provider, &user.url("a"));
    assert_eq!(page.status, 200, "{page:?}");
    let slowest = slowest_show(&user, "a", 20);
    assert!(slowest < QUICK, "{slowest:?}");
    let (used, start) = (processor_time(&user), Instant::now());
    hear(crowd.last().unwrap());
    let used = processor_time(&user) - used;
    assert!(
        used < start.elapsed() / 2 + Duration::from_millis(200),
        "{used:?}"
    );
    drop((crowd, browsers));
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn rubbish_and_clients_that_leave_change_nothing() {
    let provider = Provider::start();
    let user = logged_in(&provider);
    let mut random = Random(0x5eed);
    let words: [&[u8]; 12] = [
        b"show\ta",
        b"show",
        b"dump",
        b"status",
        b"info",
        b"restore\t",
        b"7",
        b"\t",
        b"\n",
        b"\0",
        b"\xff\xfe",
        b"refresh\tnobody",
    ];
    for round in 0..1500 {
        let mut bytes = Vec::new();
        for _ in 0..random.below(6) {
            bytes.extend_from_slice(random.pick(&words));
        }
        let rest = random.below(64);
        bytes.extend(random.bytes(rest));
        let mut stream = control(&user);
        // Nothing that could end it by chance is among the words.
        let _ = stream.write_all(&bytes);
        match round % 3 {
            0 => continue,
            1 => drop(stream.shutdown(Shutdown::Write)),
            _ => drop(stream.write_all(b"\n\n")),
        }
        hear(&stream);
    }
    assert_eq!(user.token("a"), provider.last_token());
    assert!(vital(&user, "VmRSS") < 100 * 1024);
}
