//! `server --replace` where it cannot be: the running server goes on as if nothing had been.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::attack::{control, descriptors, descriptors_at_rest, send};
use support::*;

/// A server with a token and a login that is under way.
struct Running {
    provider: Provider,
    user: Pizauth,
    token: String,
    url: String,
    pid: Pid,
}

impl Running {
    fn start() -> Self {
        let provider = Provider::start();
        provider.rotate();
        let user = Pizauth::start(&Self::config(&provider));
        log_in(&provider, &user.url("a"));
        Self {
            token: user.token("a"),
            url: user.url("b"),
            pid: user.pid().unwrap(),
            provider,
            user,
        }
    }

    fn config(provider: &Provider) -> String {
        provider.account("a", "") + &provider.account("b", "")
    }

    /// It must be as it was.
    #[track_caller]
    fn goes_on(&self) {
        assert_eq!(self.user.token("a"), self.token);
        assert_eq!(self.user.url("b"), self.url);
        assert_eq!(self.user.pid(), Some(self.pid));
        assert_eq!(self.user.info()["pid"], self.pid.as_raw());
    }

    /// And all of it must still work.
    #[track_caller]
    fn works(&self) {
        self.goes_on();
        log_in(&self.provider, &self.url);
        for name in ["a", "b"] {
            self.user.run(&["refresh", name]).expect(0);
            assert_eq!(self.user.token(name), self.provider.last_token());
        }
        self.user.run(&["server", "--replace"]).expect(0);
        assert_ne!(self.user.pid(), Some(self.pid));
        self.user.run(&["refresh", "a"]).expect(0);
        self.user.run(&["shutdown"]).expect(0);
        assert!(!self.user.socket().exists());
    }

    #[track_caller]
    fn refuses(&self, why: &str) {
        for arguments in [&["server", "--replace"][..], &["server", "-d", "--replace"]] {
            let run = self.user.run(arguments).expect(1);
            assert!(run.err.contains("ERROR - "), "{run:?}");
            assert!(run.err.contains(why), "{run:?}");
            self.goes_on();
        }
    }
}

#[test]
fn a_server_that_cannot_start_replaces_nobody() {
    let running = Running::start();
    let config = Running::config(&running.provider);
    running.user.write_config("acount {}");
    running.refuses("correct the configuration");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    running
        .user
        .write_config(&format!("http_listen = \"{address}\";\n{config}"));
    running.refuses(&address.to_string());
    running.user.write_config(&config);
    let run = running.user.run(&["server"]).expect(1);
    assert!(run.err.contains("running already"), "{run:?}");
    running.works();
}

/// How far a process that takes over comes before it dies.
const STAGES: [&str; 5] = ["asks", "reads a little", "reads all", "is ready", "is told"];

#[test]
fn whoever_dies_while_taking_over_replaces_nobody() {
    let running = Running::start();
    let count = descriptors_at_rest(&running.user);
    for stage in STAGES {
        take_over_until(&running.user, stage);
        running.goes_on();
    }
    wait_until("nothing is left open", || {
        descriptors(&running.user) <= count
    });
    running.works();
}

/// Behaves like a new server, and then is gone.
#[track_caller]
fn take_over_until(user: &Pizauth, stage: &str) {
    let mut stream = control(user);
    stream.write_all(b"replace\t1\n").unwrap();
    if stage == "asks" {
        return;
    }
    let length = head(&stream);
    let mut text = vec![
        0;
        if stage == "reads a little" {
            10
        } else {
            length
        }
    ];
    stream.read_exact(&mut text).unwrap();
    if stage.starts_with("reads") {
        return;
    }
    stream.write_all(b"ready\n").unwrap();
    if stage == "is ready" {
        return;
    }
    let mut word = [0; 5];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"done\n");
}

/// How much follows. Descriptors that come with it are closed, since nobody takes them.
#[track_caller]
fn head(mut stream: &UnixStream) -> usize {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    let length = line.strip_prefix("handover ").map(str::trim_end);
    length.unwrap().parse().unwrap()
}

#[test]
fn another_format_is_refused() {
    let running = Running::start();
    for request in ["replace\t99\n", "replace\t0\n"] {
        let reply = attack::ask(&running.user, request);
        assert!(reply.starts_with("error "), "{reply}");
        assert!(reply.contains("hands over in format 1"), "{reply}");
        running.goes_on();
    }
    running.works();
}

#[test]
fn clients_notice_nothing_of_those_who_fail() {
    let running = Running::start();
    let user = &running.user;
    thread::scope(|scope| {
        let client = || {
            for _ in 0..30 {
                assert_eq!(user.token("a"), running.token);
            }
        };
        for _ in 0..4 {
            thread::Builder::new().spawn_scoped(scope, client).unwrap();
        }
        for stage in STAGES {
            take_over_until(user, stage);
        }
    });
    running.works();
}

#[test]
fn killed_new_servers() {
    let running = Running::start();
    let user = &running.user;
    // Whenever it is hit, there is one server or the other. Where the new one was that server
    // already, it is the one that was killed.
    for nth in 0..12 {
        let mut new = user.command(&["server", "-d", "--replace"]);
        let mut new = new.stderr(std::process::Stdio::null()).spawn().unwrap();
        let longest = std::time::Duration::from_millis(nth * 6);
        let id = Pid::from_raw(new.id().cast_signed());
        let status = format!("/proc/{id}/task");
        // Its threads come one after another.
        let threads = || std::fs::read_dir(&status).map_or(0, Iterator::count);
        let start = now();
        wait_until("it is under way", || {
            threads() as u64 > nth % 4 || start.elapsed() > longest
        });
        kill(id, Signal::SIGKILL).unwrap();
        new.wait().unwrap();
        // It may have been the server without having signed as that yet.
        if user.pid() != Some(running.pid) || user.show("a").code == 5 {
            wait_until("the old one has let go", || user.pid().is_none());
            return;
        }
        running.goes_on();
    }
    running.works();
}

#[test]
fn a_stranger_is_not_understood() {
    let running = Running::start();
    let stream = control(&running.user);
    send(&stream, b"replace\t1\n");
    assert!(head(&stream) > 100);
    send(&stream, b"hello\nhello\n");
    running.goes_on();
}

#[test]
fn ending_and_replacing_at_once() {
    let provider = Provider::start();
    let user = Pizauth::with_config(&provider.account("a", ""));
    for _ in 0..10 {
        user.start_background();
        let mut new = user.spawn(&["server", "--replace"]);
        let mut client = user.spawn(&["shutdown"]);
        let code = wait_for("an answer", || client.try_wait().unwrap()).code();
        let begun = wait_for("an end", || new.try_wait().unwrap()).success();
        // Either there is one that works, or none and nothing that is left of it.
        if begun && user.pid().is_some() {
            user.url("a");
            user.run(&["shutdown"]).expect(0);
        } else {
            assert_eq!(code, Some(0));
        }
        assert!(!user.socket().exists());
    }
}

#[test]
fn a_slow_persist_cmd_delays_nobody_but_the_new_one() {
    let provider = Provider::start();
    let user = Pizauth::new();
    let kept = Record::new(&user, "kept");
    let go = user.dir().join("go");
    let slow = format!(
        "{}; while ! test -e '{}'; do sleep 0.02; done",
        kept.script("begun"),
        go.display()
    );
    let option = format!("persist_cmd = {};\n", support::provider::quoted(&slow));
    user.write_config(&(option + &provider.account("a", "")));
    user.start_background();
    let pid = user.pid();
    log_in(&provider, &user.url("a"));
    kept.wait_for_lines(1);
    let mut new = user.spawn(&["server", "--replace"]);
    for _ in 0..20 {
        user.token("a");
    }
    assert!(new.try_wait().unwrap().is_none());
    assert_eq!(user.pid(), pid);
    std::fs::write(&go, "").unwrap();
    let status = wait_for("it has taken over", || new.try_wait().unwrap());
    assert!(status.success());
    user.token("a");
    assert_ne!(user.pid(), pid);
}
