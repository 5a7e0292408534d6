//! The end of a server: what comes in its last moments is not lost, and whoever waits is told.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs;

use nix::sys::signal::{Signal, kill};
use support::attack::{control, hear, send, wait_for_accepted};
use support::pizauth::is_zombie;
use support::provider::quoted;
use support::*;

/// A user whose dumps, and what is restored, wait until somebody lets them.
struct Slow {
    provider: Provider,
    user: Pizauth,
    begun: Record,
}

impl Slow {
    fn new() -> Self {
        let (provider, user) = (Provider::start(), Pizauth::new());
        let slow = Self {
            begun: Record::new(&user, "begun"),
            provider,
            user,
        };
        let persist = slow.waiting("cat >kept.new && mv kept.new kept");
        let accounts = slow.provider.account("a", "") + &slow.provider.account("b", "");
        slow.user.write_config(&format!(
            "persist_cmd = {}; restore_cmd = {};\n{accounts}",
            quoted(&persist),
            quoted(&slow.waiting("test ! -e kept || cat kept"))
        ));
        slow.let_go();
        slow
    }

    /// A command that says that it has begun, and goes on when it may.
    fn waiting(&self, what: &str) -> String {
        let dir = self.user.dir().display();
        let begun = self.begun.script("now");
        format!("cd '{dir}'; {begun}; while ! test -e go; do sleep 0.05; done; {what}")
    }

    fn let_go(&self) {
        fs::write(self.user.dir().join("go"), "").unwrap();
    }

    fn hold(&self) {
        fs::remove_file(self.user.dir().join("go")).unwrap();
    }

    /// Comes back when another command has begun after `act`.
    fn until_another_begins(&self, act: impl FnOnce()) {
        let count = self.begun.lines().len();
        act();
        self.begun.wait_for_lines(count + 1);
    }
}

#[test]
fn what_comes_while_the_last_dump_is_made_is_kept_too() {
    let slow = Slow::new();
    let Slow { provider, user, .. } = &slow;
    user.start_background();
    let (first, second) = (user.url("a"), user.url("b"));
    slow.until_another_begins(|| {
        slow.hold();
        log_in(provider, &first);
    });
    let mut ending = user.spawn(&["shutdown"]);
    assert_eq!(log_in(provider, &second).status, 200);
    let token = provider.last_token();
    slow.let_go();
    assert!(ending.wait().unwrap().success());
    user.start_background();
    assert_eq!(user.token("b"), token);
    user.token("a");
}

#[test]
fn all_who_have_it_end_are_told() {
    let slow = Slow::new();
    let Slow { provider, user, .. } = &slow;
    user.start_background();
    let url = user.url("a");
    slow.until_another_begins(|| {
        slow.hold();
        log_in(provider, &url);
    });
    let asked: Vec<_> = (0..3).map(|_| control(user)).collect();
    for stream in &asked {
        send(stream, b"shutdown\n");
    }
    wait_for_accepted(user, 3);
    slow.let_go();
    for stream in asked {
        assert!(hear(stream).starts_with("done "));
    }
}

#[test]
fn signals_end_it_while_something_is_restored() {
    let slow = Slow::new();
    slow.hold();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut starting = None;
        slow.until_another_begins(|| {
            let mut server = slow.user.command(&["server", "-d"]);
            starting = Some(server.spawn().unwrap());
        });
        let mut starting = starting.unwrap();
        let id = nix::unistd::Pid::from_raw(starting.id().cast_signed());
        kill(id, signal).unwrap();
        wait_until("it has ended", || is_zombie(id));
        assert!(!starting.wait().unwrap().success());
    }
    slow.let_go();
    slow.user.start_background();
    slow.user.url("a");
}

#[test]
fn of_those_that_replace_at_once_all_come_to_their_turn() {
    let provider = Provider::start();
    let user = Pizauth::with_config(&provider.account("a", ""));
    for _ in 0..5 {
        let mut starting: Vec<_> = (0..3)
            .map(|_| user.spawn(&["server", "--replace"]))
            .collect();
        for starting in &mut starting {
            assert!(starting.wait().unwrap().success());
        }
        user.url("a");
        user.run(&["shutdown"]).expect(0);
    }
}
