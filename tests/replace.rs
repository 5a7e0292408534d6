//! `server --replace`: nobody notices, and nothing is lost.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use support::pizauth::{is_zombie, run};
use support::provider::quoted;
use support::*;

/// Has another server take over, and says which process it is.
#[track_caller]
fn replace(user: &Pizauth) -> i32 {
    let before = user.pid().unwrap();
    user.run(&["server", "--replace"]).expect(0);
    let after = user.pid().unwrap();
    assert_ne!(before, after);
    after.as_raw()
}

fn number(name: &str, default: usize) -> usize {
    let number = std::env::var(name).ok();
    number.map_or(default, |number| number.parse().unwrap())
}

/// `PIZAUTH_REPLACE_CLIENTS=64 PIZAUTH_REPLACE_TIMES=20` is the full figure.
#[test]
fn no_show_fails_meanwhile() {
    let clients = number("PIZAUTH_REPLACE_CLIENTS", 16);
    let times = number("PIZAUTH_REPLACE_TIMES", 6);
    let provider = Provider::start();
    let user = Pizauth::with_config(&provider.account("a", ""));
    user.start_background();
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    let (over, shown) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let client = || {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(user.token("a"), token);
                shown.fetch_add(1, Ordering::Relaxed);
            }
        };
        for _ in 0..clients {
            thread::Builder::new().spawn_scoped(scope, client).unwrap();
        }
        for _ in 0..times {
            let so_far = shown.load(Ordering::Relaxed);
            replace(&user);
            wait_until("clients are served", || {
                shown.load(Ordering::Relaxed) > so_far + clients
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    let shown = shown.into_inner();
    println!("{clients} clients, {times} replacements, {shown} answers, no failure");
}

#[test]
fn a_login_is_begun_before_and_finished_after() {
    let provider = Provider::start();
    let user = Pizauth::with_config(&(provider.account("a", "") + &provider.account("b", "")));
    user.start_background();
    let url = user.url("a");
    let consented = provider.consent(&url);
    for _ in 0..3 {
        replace(&user);
        assert_eq!(user.url("a"), url);
    }
    let page = visit(&consented);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(user.token("a"), provider.last_token());
    // What was used once stays used.
    replace(&user);
    assert_ne!(visit(&consented).status, 200);
    log_in(&provider, &user.url("b"));
}

#[test]
fn whoever_waits_is_served_by_the_next_one() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    // The old server has something to do for a while after it was replaced.
    let done = Record::new(&user, "done");
    let go = user.dir().join("go");
    let slow = quoted(&format!(
        "while ! test -e '{}'; do sleep 0.05; done; {}",
        go.display(),
        done.script("$PIZAUTH_ACCOUNT")
    ));
    let notify = format!("auth_notify_cmd = {slow};\n");
    user.write_config(&(notify + &provider.account("a", "")));
    user.start_foreground();
    let url = user.url("a");
    thread::scope(|scope| {
        let wait = || user.run(&["show", "--wait=25s", "a"]);
        let waiting: Vec<_> = (0..4)
            .map(|_| thread::Builder::new().spawn_scoped(scope, wait).unwrap())
            .collect();
        attack::wait_for_clients(&user, 4);
        replace(&user);
        log_in(&provider, &url);
        for client in waiting {
            let shown = client.join().unwrap().expect(0);
            assert_eq!(shown.out.trim_end(), provider.last_token());
        }
    });
    assert!(done.lines().is_empty(), "it was waited for");
    std::fs::write(go, "").unwrap();
    assert!(user.wait_for_end().success());
    assert_eq!(done.lines(), ["a"], "what is queued is done");
}

/// A gap between two tries that no test lives to see.
const LATER: &str = "refresh_retry = 1h;";

#[test]
fn failing_refreshes_stay_what_they_are() {
    let provider = Provider::start();
    let mut config = String::new();
    for name in ["backoff", "expired", "fine", "none", "pending"] {
        config += &provider.account(name, LATER);
    }
    let user = Pizauth::with_config(&config);
    user.start_background();
    for name in ["backoff", "fine"] {
        log_in(&provider, &user.url(name));
    }
    provider.set_lifetime(Some(1));
    provider.rule(|request| {
        let refresh = request.field("grant_type") == Some("refresh_token");
        refresh.then(|| Answer::of(503, "text/html", "<html>"))
    });
    log_in(&provider, &user.url("expired"));
    user.run(&["refresh", "backoff"]).expect(4);
    wait_until("it has expired", || user.state("expired") == "expired");
    user.url("pending");
    let settled = || {
        let status = user.run(&["status", "--json"]).expect(0).out;
        (!status.contains("\"busy\": true") && !status.contains("\"busy\":true")).then_some(status)
    };
    let before = wait_for("nothing is under way", settled);
    let count = provider.requests().len();
    for _ in 0..2 {
        replace(&user);
        let after = user.run(&["status", "--json"]).expect(0).out;
        assert_eq!(without_fractions(&before), without_fractions(&after));
    }
    assert_eq!(provider.requests().len(), count);
    provider.behave();
    for name in ["backoff", "expired", "fine"] {
        user.run(&["refresh", name]).expect(0);
    }
    user.show("none").expect(3);
}

/// Two clocks that are read one after the other may differ by a millisecond.
fn without_fractions(status: &str) -> String {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    let accounts = status["accounts"].as_array().unwrap();
    let states = accounts.iter().map(|account| {
        let part = |name: &str| account[name].to_string();
        let minute = |name: &str| part(name).chars().take(17).collect::<String>();
        format!(
            "{} {} {} {} {} {}",
            part("account"),
            part("state"),
            part("url"),
            part("last_error"),
            part("refreshable"),
            minute("obtained_at").is_empty(),
        )
    });
    states.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_halted_refresh_is_tried_with_the_new_configuration() {
    let provider = Provider::start();
    let user = Pizauth::with_config(&provider.account("a", LATER));
    user.start_background();
    log_in(&provider, &user.url("a"));
    provider.script(Answer::error(401, "invalid_client", "who are you"));
    user.run(&["refresh", "a"]).expect(1);
    let status = user.status("a");
    assert!(status.get("next_refresh_at").is_none(), "{status}");
    let token = user.token("a");
    replace(&user);
    let status = user.status("a");
    assert!(status.get("next_refresh_at").is_some(), "{status}");
    assert!(status["last_error"].to_string().contains("who are you"));
    assert_eq!(user.token("a"), token);
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn another_authority_drops_its_own_token_only() {
    let provider = Provider::start();
    let user = Pizauth::new();
    let events = Record::new(&user, "events");
    let told = format!(
        "token_event_cmd = {};\n",
        events.command("$PIZAUTH_ACCOUNT $PIZAUTH_EVENT")
    );
    let other = provider
        .account("b", "")
        .replace("\"mail\"", "\"other mail\"");
    let a = provider.account("a", "");
    user.write_config(&(told.clone() + &a + &provider.account("b", "")));
    user.start_background();
    for name in ["a", "b"] {
        log_in(&provider, &user.url(name));
    }
    let token = user.token("a");
    events.wait_for_lines(2);
    user.write_config(&(told + &a + &other));
    replace(&user);
    assert_eq!(events.wait_for_lines(3)[2], "b token_invalidated");
    assert_eq!(user.token("a"), token);
    assert!(user.url("b").contains("other"));
}

#[test]
fn other_listeners() {
    let provider = Provider::start();
    let accounts = provider.account("a", "") + &provider.account("b", "");
    let user = Pizauth::with_config(&accounts);
    user.start_background();
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    let url = user.url("b");
    let listeners = user.listeners();
    // The same address under another name.
    user.write_config(&format!("http_listen = \"{}\";\n{accounts}", listeners[0]));
    replace(&user);
    assert_eq!(user.listeners(), listeners);
    assert_eq!(user.url("b"), url);
    // Another one: a login that would come back to nobody is begun anew.
    user.write_config(&accounts);
    replace(&user);
    assert_ne!(user.listeners(), listeners);
    assert_eq!(user.token("a"), token);
    let other = user.url("b");
    assert_ne!(other, url);
    log_in(&provider, &other);
    // The old server lets go of it beside the new one.
    wait_until("the old port is free", || {
        std::net::TcpListener::bind(&listeners[0]).is_ok()
    });
}

#[test]
fn with_nobody_to_replace_it_starts() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(&provider.account("a", ""));
    user.run(&["server", "--replace"]).expect(0);
    user.url("a");
    user.run(&["shutdown"]).expect(0);
    assert!(!user.socket().exists());
    user.start_foreground_with(|command| {
        command.arg("--replace");
    });
    log_in(&provider, &user.url("a"));
    // And the other way round: this one is replaced, and another one by one in the foreground.
    replace(&user);
    assert!(user.wait_for_end().success());
    assert!(user.log().contains("ended"), "{}", user.log());
    let token = user.token("a");
    user.start_foreground_with(|command| {
        command.arg("--replace");
    });
    assert_eq!(user.info()["pid"], user.pid().unwrap().as_raw());
    assert_eq!(user.token("a"), token);
    user.run(&["shutdown"]).expect(0);
    assert!(user.wait_for_end().success());
    assert!(!user.socket().exists());
    user.start_background();
}

#[test]
fn a_refresh_in_flight_is_awaited() {
    let provider = Provider::start();
    provider.rotate();
    let mut user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    thread::scope(|scope| {
        let refresh = || user.run(&["refresh", "a"]).expect(0);
        let refreshing = thread::Builder::new().spawn_scoped(scope, refresh).unwrap();
        provider.wait_for_refreshes(1);
        let other = || replace(&user);
        let replacing = thread::Builder::new().spawn_scoped(scope, other).unwrap();
        wait_until("the old one knows", || user.log().contains("taking over"));
        // Whoever asks meanwhile has what there is.
        assert_eq!(user.token("a"), token);
        gate.open();
        replacing.join().unwrap();
        refreshing.join().unwrap();
    });
    assert_eq!(user.token("a"), provider.last_token());
    assert_ne!(user.token("a"), token);
    assert!(user.wait_for_end().success());
    let count = provider.refreshes().len();
    assert_eq!(count, 1);
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn one_after_another_even_at_once() {
    let provider = Provider::start();
    provider.rotate();
    let user = Pizauth::with_config(&provider.account("a", ""));
    user.start_background();
    log_in(&provider, &user.url("a"));
    let old = user.pid().unwrap();
    let start = |_| {
        let mut command = user.command(&["server", "--replace"]);
        thread::Builder::new().spawn(move || run(&mut command))
    };
    let starting: Vec<_> = (0..4).map(start).collect();
    for started in starting {
        started.unwrap().join().unwrap().expect(0);
    }
    // The last one has it all.
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), provider.last_token());
    let gone = || nix::sys::signal::kill(old, None).is_err() || is_zombie(old);
    wait_until("the first one has ended", gone);
}

#[test]
fn the_tokens_are_kept_by_one_server_at_a_time() {
    let provider = Provider::start();
    let user = Pizauth::new();
    let kept = Record::new(&user, "kept");
    let script = quoted(&format!("cat >/dev/null; {}", kept.script("$PPID")));
    let config = format!("persist_cmd = {script};\n{}", provider.account("a", ""));
    user.write_config(&config);
    user.start_background();
    log_in(&provider, &user.url("a"));
    // Each server has a process of its own that runs commands.
    let old = kept.wait_for_lines(1)[0].clone();
    replace(&user);
    let new = kept.wait_for_lines(2)[1].clone();
    assert_ne!(old, new);
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(kept.wait_for_lines(3)[2], new);
}
