//! `persist_cmd` and `restore_cmd`: nothing is lost, and nothing good is overwritten.

mod support;

use std::fs;
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use support::keeper::Keeper;
use support::pizauth::is_zombie;
use support::*;

/// Whoever logs out may take the runtime directory along, but not the server.
#[test]
fn a_server_that_nobody_finds_any_more_ends() {
    let mut keeper = Keeper::new();
    keeper.provider.rotate();
    keeper.user.start_foreground();
    keeper.log_in("a");
    let token = keeper.provider.last_token();
    keeper.wait_for_kept(&token);
    let (dir, socket) = (keeper.user.runtime_dir(), keeper.user.socket());
    let take_along = || fs::remove_dir_all(dir.join("pizauth"));
    let take_socket = || fs::remove_file(&socket);
    for take in [&take_along as &dyn Fn() -> io::Result<()>, &take_socket] {
        take().unwrap();
        assert_eq!(keeper.user.wait_for_end().code(), Some(1));
        let log = keeper.user.log();
        assert!(log.contains("nobody finds this server: ending"), "{log}");
        keeper.user.start_foreground();
        assert_eq!(keeper.user.token("a"), token);
    }
    keeper.user.run(&["shutdown"]).expect(0);
    assert!(keeper.user.wait_for_end().success());
    assert!(!keeper.user.log().contains("nobody finds"));
}

#[test]
fn it_leaves_the_place_of_the_next_one_alone() {
    let keeper = Keeper::new();
    keeper.user.start_background();
    keeper.log_in("a");
    let token = keeper.provider.last_token();
    keeper.wait_for_kept(&token);
    let first = keeper.user.pid().unwrap();
    let dir = keeper.user.runtime_dir().join("pizauth");
    fs::rename(&dir, dir.with_extension("old")).unwrap();
    keeper.user.start_background();
    wait_until("the first has ended", || {
        kill(first, None).is_err() || is_zombie(first)
    });
    assert_ne!(keeper.user.pid().unwrap(), first);
    assert_eq!(keeper.user.token("a"), token);
}

#[test]
fn a_killed_server_has_lost_nothing() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    provider.rotate();
    user.start_background();
    keeper.log_in("a");
    keeper.wait_for_kept(&provider.last_token());
    user.run(&["refresh", "a"]).expect(0);
    let token = provider.last_token();
    keeper.wait_for_kept(&token);
    keeper.wait_for_kept(&provider.refresh_token());
    for _ in 0..3 {
        keeper.kill();
        user.start_background();
        assert_eq!(user.token("a"), token, "before anything else");
    }
    user.run(&["refresh", "a"]).expect(0);
    keeper.log_in("b");
    keeper.wait_for_kept(&provider.last_token());
    user.run(&["revoke", "a"]).expect(0);
    wait_until("the loss is kept", || !keeper.kept().contains("\"a\""));
    user.run(&["revoke", "b"]).expect(0);
    wait_until("the last loss is kept", || !keeper.kept().contains("\"b\""));
    keeper.kill();
    user.start_background();
    user.show("a").expect(3);
    user.show("b").expect(3);
    assert_eq!(keeper.errors.lines(), [""; 0]);
}

#[test]
fn the_first_request_waits_for_what_is_restored() {
    let keeper = Keeper::new();
    keeper.user.start_background();
    keeper.log_in("a");
    let token = keeper.provider.last_token();
    keeper.wait_for_kept(&token);
    keeper.kill();
    let go = keeper.user.dir().join("go");
    let wait = format!(
        "while ! test -e '{}'; do sleep 0.02; done; {}",
        go.display(),
        keeper.restore()
    );
    keeper.configure(&keeper.persist(), &wait);
    // In the foreground, where the socket is there before the server is ready.
    let mut server = keeper.user.spawn(&["server", "-d"]);
    wait_until("the socket is there", || {
        std::os::unix::net::UnixStream::connect(keeper.user.socket()).is_ok()
    });
    let client = keeper.user.command(&["show", "a"]);
    let shown = std::thread::Builder::new()
        .spawn(move || support::pizauth::run(&mut { client }))
        .unwrap();
    // It, and the connection that was tried just now.
    attack::wait_for_clients(&keeper.user, 2);
    fs::write(&go, "").unwrap();
    assert_eq!(shown.join().unwrap().expect(0).out.trim_end(), token);
    keeper.user.run(&["shutdown"]).expect(0);
    wait_for("it ends", || server.try_wait().unwrap());
}

#[test]
fn many_changes_are_kept_by_few_runs_one_at_a_time() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    let busy = user.dir().join("busy");
    let alone = format!(
        "mkdir '{0}' || {1}; {2}; sleep 0.2; rmdir '{0}'",
        busy.display(),
        keeper.errors.script("two at once"),
        keeper.persist()
    );
    keeper.configure(&alone, "true");
    user.start_background();
    keeper.log_in("a");
    let mut pauses = 0;
    for _ in 0..60 {
        let start = now();
        user.run(&["refresh", "a"]).expect(0);
        // Half a second without a change is enough for a run.
        pauses += usize::from(start.elapsed() > Duration::from_millis(400));
    }
    keeper.wait_for_kept(&provider.last_token());
    let start = now();
    let runs = keeper.runs.lines().len();
    assert!(runs <= 8 + pauses, "{runs} runs for 61 changes");
    // What changes nothing is not kept.
    for _ in 0..20 {
        user.token("a");
        user.url("b");
        user.run(&["status"]).expect(0);
    }
    user.run(&["shutdown"]).expect(0);
    assert!(start.elapsed() < DEADLINE);
    assert_eq!(keeper.errors.lines(), [""; 0]);
    assert!(keeper.runs.lines().len() <= runs + 1);
}

#[test]
fn nothing_is_kept_after_a_failed_restore_until_there_is_something() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    user.start_background();
    keeper.log_in("a");
    keeper.wait_for_kept(&provider.last_token());
    user.run(&["shutdown"]).expect(0);
    let good = keeper.kept();
    for restore in ["exit 1", "echo nonsense", "kill -9 $$", "cat; echo '{'"] {
        keeper.configure(&keeper.persist(), restore);
        let (told, runs) = (keeper.errors.lines().len(), keeper.runs.lines().len());
        user.start_background();
        let told = keeper.errors.wait_for_lines(told + 1);
        assert!(told.last().unwrap().contains("restore_cmd"), "{told:?}");
        user.url("a");
        // There is nothing to revoke; and were there, it would not be a reason to keep that.
        user.run(&["revoke", "a"]).expect(0);
        user.run(&["shutdown"]).expect(0);
        assert_eq!(keeper.runs.lines().len(), runs);
        assert_eq!(keeper.kept(), good);
    }
    // Nor is a token that nobody had to log in for, nor a dump that brings nothing back.
    let config = fs::read_to_string(user.config_file()).unwrap();
    user.write_config(&format!(
        "{config}account \"robot\" {{ grant = \"client_credentials\"; client_id = \"c\"; \
         client_secret = \"SECRET\"; token_uri = \"{}\"; }}",
        provider.token_uri()
    ));
    provider.script(Answer::json(
        200,
        "{\"access_token\":\"SECRET-robot\",\"token_type\":\"Bearer\",\"expires_in\":600}",
    ));
    user.start_background();
    wait_until("the robot has its token", || user.show("robot").code == 0);
    let others = good.replace("\"a\"", "\"z\"");
    user.run_with_input(&["restore"], &others).expect(0);
    user.run(&["shutdown"]).expect(0);
    assert_eq!(keeper.kept(), good);
    user.write_config(&config);
    // By hand. Until then, whoever asks is told.
    let started = user.run(&["server"]).expect(0);
    assert!(started.err.contains("warning: restore_cmd"), "{started:?}");
    user.run(&["server", "--replace"]).expect(0);
    let is_told = || user.run(&["info"]).expect(0).out.contains("restore_cmd");
    assert!(is_told());
    user.run_with_input(&["restore"], &good).expect(0);
    user.token("a");
    user.run(&["refresh", "a"]).expect(0);
    keeper.wait_for_kept(&provider.last_token());
    wait_until("nobody is told any more", || !is_told());
    keeper.kill();
    // By a new token.
    user.start_background();
    keeper.log_in("b");
    keeper.wait_for_kept(&provider.last_token());
}

#[test]
fn an_empty_state_is_not_kept_unless_the_user_wished_so() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    user.start_background();
    keeper.log_in("a");
    keeper.wait_for_kept(&provider.last_token());
    let good = keeper.kept();
    provider.end_logins();
    user.run(&["refresh", "a"]).expect(3);
    keeper.errors.wait_for_lines(1);
    user.run(&["shutdown"]).expect(0);
    assert_eq!(keeper.kept(), good);
    let none = keeper.restore();
    fs::rename(&keeper.file, user.dir().join("elsewhere")).unwrap();
    keeper.configure(&keeper.persist(), &none);
    user.start_background();
    user.run(&["shutdown"]).expect(0);
    assert_eq!(keeper.kept(), "", "nothing there, nothing kept");
    assert_eq!(keeper.errors.lines().len(), 1, "the login that has ended");
}

#[test]
fn a_failing_persist_cmd_is_told_once() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    let failing = format!("{}; exit 7", keeper.runs.script("failed"));
    keeper.configure(&failing, "true");
    user.start_background();
    keeper.log_in("a");
    let told = keeper.errors.wait_for_lines(1);
    assert!(told[0].contains("persist_cmd ended with exit status 7"));
    for runs in 2..4 {
        user.run(&["refresh", "a"]).expect(0);
        keeper.runs.wait_for_lines(runs);
    }
    keeper.configure(&keeper.persist(), "true");
    user.run(&["reload"]).expect(0);
    keeper.wait_for_kept(&provider.last_token());
    assert_eq!(keeper.errors.lines().len(), 1);
}

#[test]
fn the_last_change_is_kept_at_the_end() {
    for ending in ["shutdown", "TERM", "INT"] {
        let keeper = Keeper::new();
        let Keeper { provider, user, .. } = &keeper;
        provider.rotate();
        user.start_background();
        keeper.log_in("a");
        let gate = provider.gate();
        provider.script(Answer::own().after(&gate));
        let mut refreshing = user.spawn(&["refresh", "a"]);
        provider.wait_for_refreshes(1);
        let pid = user.pid().unwrap();
        let mut ending = match ending {
            "TERM" => kill(pid, Signal::SIGTERM).map(|()| None).unwrap(),
            "INT" => kill(pid, Signal::SIGINT).map(|()| None).unwrap(),
            _ => Some(user.spawn(&["shutdown"])),
        };
        // Only now is the request answered that has spent the old token.
        gate.open();
        wait_until("it ends", || kill(pid, None).is_err() || is_zombie(pid));
        if let Some(client) = &mut ending {
            assert!(client.wait().unwrap().success());
        }
        let _ = refreshing.wait();
        assert!(keeper.kept().contains(&provider.refresh_token()));
        user.start_background();
        user.run(&["refresh", "a"]).expect(0);
    }
}

#[test]
fn commands_that_behave_oddly() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    // Much is printed before it comes to the dump; and what it leaves behind holds on to its pipes.
    let restore = format!(
        "sleep 30 & {{ head -c 3000000 /dev/zero | tr '\\0' ' '; {}; }}",
        keeper.restore()
    );
    let odd = [
        format!("sleep 30 & {}", keeper.persist()),
        // Prints more than a pipe holds, before it reads.
        format!("head -c 3000000 /dev/zero; {}", keeper.persist()),
        // Reads nothing.
        keeper.runs.script("run"),
        format!("exec 0<&- 1>&-; {}", keeper.runs.script("run")),
    ];
    for (number, persist) in odd.iter().enumerate() {
        keeper.configure(persist, &restore);
        let runs = keeper.runs.lines().len();
        let start = now();
        user.start_background();
        if number == 0 {
            provider.set_lifetime(Some(1_000_000));
            keeper.log_in("a");
        } else {
            user.run(&["refresh", "a"]).expect(0);
        }
        keeper.runs.wait_for_lines(runs + 1);
        user.run(&["shutdown"]).expect(0);
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(keeper.errors.lines(), [""; 0]);
        if number < 2 {
            assert!(keeper.kept().contains(&provider.last_token()));
        }
    }
}

#[test]
fn some_megabytes_are_kept_and_restored() {
    let keeper = Keeper::new();
    let Keeper { provider, user, .. } = &keeper;
    user.start_background();
    for name in ["a", "b", "c"] {
        let token = format!("SECRET-{}-{name}", "x".repeat(900_000));
        let body = format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"bearer\",\"expires_in\":3600}}"
        );
        provider.script(Answer::json(200, &body));
        keeper.log_in(name);
    }
    user.run(&["shutdown"]).expect(0);
    assert!(keeper.kept().len() > 2_700_000);
    user.start_background();
    for name in ["a", "b", "c"] {
        assert!(user.token(name).ends_with(name));
    }
    user.run(&["server", "--replace"]).expect(0);
    assert!(user.token("c").ends_with('c'));
}
