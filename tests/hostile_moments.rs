//! Whatever comes at whatever moment: signals while the server starts and ends, two servers at
//! once, and death in the middle of anything. What is left never stands in the next one's way.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::attack::*;
use support::pizauth::is_zombie;
use support::*;

const SIGNALS: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGKILL,
    Signal::SIGPIPE,
    Signal::SIGQUIT,
    Signal::SIGCHLD,
];

const CONFIG: &str = "account \"a\" { auth_uri = \"http://127.0.0.1:9/a\"; \
    token_uri = \"http://127.0.0.1:9/t\"; client_id = \"i\"; }\n";

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Lets some time pass, up to `limit`: what is tried is that no moment is special.
fn at_any_moment(random: &mut Random, limit: Duration) {
    let micros = random.below(usize::try_from(limit.as_micros()).unwrap());
    thread::sleep(Duration::from_micros(micros as u64));
}

/// How long a server takes to be ready here.
fn time_to_start(user: &mut Pizauth) -> Duration {
    let start = Instant::now();
    user.start_foreground();
    let took = start.elapsed();
    user.run(&["shutdown"]).expect(0);
    assert!(user.wait_for_end().success());
    took
}

/// Ends the process and waits for it, which has to come soon.
fn ends(child: &mut Child, what: &str) {
    wait_for(what, || child.try_wait().unwrap());
}

/// Whatever was left behind, a server starts and answers, and another one ends it.
fn starts_and_answers(user: &Pizauth) {
    user.start_background();
    assert_eq!(user.state("a"), "empty");
    user.run(&["shutdown"]).expect(0);
    assert!(!user.socket().exists());
}

#[test]
fn signals_at_every_moment_of_the_start_leave_nothing_in_the_way() {
    let mut user = Pizauth::with_config(CONFIG);
    let limit = time_to_start(&mut user) * 5 / 4;
    let mut random = Random(0x51_6e_a1);
    for round in 0..42 {
        let signal = SIGNALS[round % SIGNALS.len()];
        let mut starting = user.spawn(&["server", "-d"]);
        at_any_moment(&mut random, limit);
        let _ = kill(pid(&starting), signal);
        // What does not end it must leave it able to be ended.
        let mut asked = false;
        wait_until("it ends or answers", || {
            asked = asked || user.pid().is_some();
            asked || starting.try_wait().unwrap().is_some()
        });
        let _ = kill(pid(&starting), Signal::SIGTERM);
        ends(&mut starting, "the server ends");
        if round % 6 == 5 {
            starts_and_answers(&user);
        }
    }
    starts_and_answers(&user);
}

#[test]
fn signals_at_every_moment_of_the_end_do_not_keep_it_from_ending() {
    let mut user = Pizauth::with_config(CONFIG);
    let mut random = Random(0xe_0d);
    for round in 0..21 {
        user.start_foreground();
        let server = user.pid().unwrap();
        let mut asking = user.spawn(&["shutdown"]);
        at_any_moment(&mut random, Duration::from_millis(30));
        let _ = kill(server, SIGNALS[round % SIGNALS.len()]);
        at_any_moment(&mut random, Duration::from_millis(5));
        let _ = kill(server, Signal::SIGTERM);
        user.wait_for_end();
        ends(&mut asking, "whoever asked for it comes back");
    }
    starts_and_answers(&user);
}

#[test]
fn of_two_servers_at_once_exactly_one_wins_every_time() {
    let user = Pizauth::with_config(CONFIG);
    for round in 0..20 {
        let start = |_| {
            let mut command = user.command(&["server"]);
            command.stderr(Stdio::null()).spawn().unwrap()
        };
        let mut started: Vec<Child> = (0..2).map(start).collect();
        let won = |child: &mut Child| child.wait().unwrap().success();
        let won = started.iter_mut().map(won).filter(|won| *won).count();
        assert_eq!(won, 1, "round {round}");
        let server = user.pid().unwrap();
        assert_eq!(user.state("a"), "empty");
        // Half of them leave their files behind for the next two to fight over.
        if round % 2 == 0 {
            kill(server, Signal::SIGKILL).unwrap();
            wait_until("it is dead", || {
                kill(server, None).is_err() || is_zombie(server)
            });
        } else {
            user.run(&["shutdown"]).expect(0);
        }
    }
}

/// Killed in the middle of logins, refreshes, dumps, restores and reloads; what the provider has
/// granted and a dump has kept is there after each of them.
#[test]
fn death_in_the_middle_of_anything_costs_no_login_that_was_kept() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(&(provider.account("a", "") + &provider.account("b", "")));
    let kept = user.dir().join("home/kept");
    let keep = format!(
        "persist_cmd = \"cat >{0}.new && mv {0}.new {0}\"; restore_cmd = \"cat {0} 2>/dev/null || true\";\n",
        kept.display()
    );
    user.write_config(&(keep + &provider.account("a", "") + &provider.account("b", "")));
    user.start_foreground();
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    wait_until("it is kept", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains(&token))
    });
    let mut random = Random(0xdead);
    for _ in 0..15 {
        let busy: Vec<Child> = [
            &["show", "b"][..],
            &["dump"],
            &["reload"],
            &["status"],
            &["show", "--wait=5s", "b"],
        ]
        .into_iter()
        .map(|arguments| user.spawn(arguments))
        .collect();
        let half = control(&user);
        send(&half, b"restore\t100000\n{\"pizauth_dump\": 1,");
        at_any_moment(&mut random, Duration::from_millis(60));
        user.signal(Signal::SIGKILL);
        user.wait_for_end();
        for mut client in busy {
            ends(&mut client, "a client of a dead server ends");
        }
        user.start_foreground();
        assert_eq!(user.token("a"), token);
    }
}
