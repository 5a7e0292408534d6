//! Where the system gives the server no more threads or memory, it does with what it has, and is
//! whole again when there is more. (Descriptors: tests/hostile_socket.rs.)

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::unistd::geteuid;
use support::attack::*;
use support::pizauth::start_as;
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(3);
/// An id that nobody has, so that its limit on processes counts nobody else's.
const ALONE: u32 = 61_125;

/// Changes a soft limit of the server, whose user `uid` is, while it runs; `false` where there is
/// no prlimit(1) for it.
fn limit(user: &Pizauth, uid: u32, what: &str) -> bool {
    let pid = user.recorded_pid().unwrap().to_string();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid, what]).current_dir("/");
    if uid != geteuid().as_raw() {
        command.uid(uid).gid(uid);
    }
    let run = command.status();
    let limited = run.is_ok_and(|status| status.success());
    if !limited {
        println!("left out: no prlimit(1)");
    }
    limited
}

/// A server of a user who has no other processes.
fn start_alone(user: &mut Pizauth) {
    for part in ["", "run", "home", "bin", "config", "config/pizauth.conf"] {
        chown(user.dir().join(part), Some(ALONE), Some(ALONE)).unwrap();
    }
    start_as(user, ALONE);
}

#[test]
fn without_threads_everybody_is_still_served() {
    if !geteuid().is_root() {
        println!("left out: only root can be a user without other processes");
        return;
    }
    let provider = Provider::start();
    let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    let config: String = names
        .iter()
        .map(|name| provider.account(name, ""))
        .collect();
    let mut user = Pizauth::with_config(&config);
    start_alone(&mut user);
    let url = |name: &String| {
        let reply = ask(&user, format!("show\t{name}\n"));
        reply.split_once('\n').unwrap().1.to_owned()
    };
    if !limit(&user, ALONE, "--nproc=1:") {
        return;
    }
    let before = vital(&user, "Threads");
    // Logins, which need a worker each, one after the other and some at once.
    let urls: Vec<String> = names.iter().map(url).collect();
    for url in &urls {
        let page = log_in(&provider, url);
        assert_eq!(page.status, 200, "{page:?}");
    }
    let crowd: Vec<_> = (0..50).map(|_| control(&user)).collect();
    let asked = ask_all(&user, &names, "refresh");
    assert!(
        asked
            .iter()
            .all(|reply| reply.starts_with("done ") || reply.starts_with("later ")),
        "{asked:?}"
    );
    let slowest = slowest_show(&user, "a0", 20);
    assert!(slowest < QUICK, "{slowest:?}");
    assert!(vital(&user, "Threads") <= before);
    drop(crowd);
    assert!(limit(&user, ALONE, "--nproc=500:"));
    let asked = ask_all(&user, &names, "refresh");
    assert!(
        asked.iter().all(|reply| reply.starts_with("done ")),
        "{asked:?}"
    );
}

/// poll(2) takes no more descriptors than the limit allows, so that the timer cannot be waited for.
#[test]
fn a_server_that_cannot_go_on_ends_as_one_that_failed() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(&provider.account("a", ""));
    user.start_foreground();
    log_in(&provider, &user.url("a"));
    wait_for_accepted(&user, 0);
    let inside = control(&user);
    wait_for_accepted(&user, 1);
    if !limit(&user, geteuid().as_raw(), "--nofile=2:") {
        return;
    }
    send(&inside, b"refresh\ta\n");
    assert_eq!(user.wait_for_end().code(), Some(1));
    assert!(user.log().contains("the timer fails"), "{}", user.log());
    user.start_foreground();
    assert!(ask(&user, "status\n").starts_with("document "));
}

/// The replies to the same request for each account, all asked before any is heard.
fn ask_all(user: &Pizauth, names: &[String], verb: &str) -> Vec<String> {
    let asking = names.iter().map(|name| {
        let stream = control(user);
        send(&stream, format!("{verb}\t{name}\n").as_bytes());
        stream
    });
    let asking: Vec<_> = asking.collect();
    asking.into_iter().map(hear).collect()
}

/// All that strangers can have the server hold at once fits into what is told here.
#[test]
fn with_little_memory_it_survives_all_of_its_clients() {
    const ROOM: u64 = 256 * 1024 * 1024;
    const MAX_DUMP: usize = 16 * 1024 * 1024;
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    let listeners = user.listeners();
    let room = vital(&user, "VmSize") * 1024 + ROOM;
    if !limit(&user, geteuid().as_raw(), &format!("--as={room}:")) {
        return;
    }
    let clients: Vec<_> = (0..300).map(|_| control(&user)).collect();
    for stream in &clients {
        send(stream, "show\t".as_bytes());
        send(stream, "x".repeat(60_000).as_bytes());
    }
    let mut dump = format!("restore\t{MAX_DUMP}\n").into_bytes();
    dump.resize(MAX_DUMP, b' ');
    let restores: Vec<_> = (0..6).map(|_| control(&user)).collect();
    for stream in &restores {
        send(stream, &dump);
    }
    let browsers: Vec<_> = (0..100).map(|_| browser(&listeners[0])).collect();
    for stream in &browsers {
        send(stream, format!("GET /{}", "y".repeat(15_000)).as_bytes());
    }
    let slowest = slowest_show(&user, "a", 20);
    assert!(slowest < QUICK, "{slowest:?}");
    println!("memory: {} KiB at most", vital(&user, "VmHWM"));
    drop((clients, restores, browsers));
    assert_eq!(user.token("a"), provider.last_token());
}
