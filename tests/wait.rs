//! `show --wait` and `--min-valid`: who waits costs nothing, and is served at once.

mod support;

use std::thread;
use std::time::Duration;

use support::attack::{
    control, descriptors, descriptors_at_rest, hear, processor_time, send, switches,
    wait_for_accepted, wait_for_clients,
};
use support::*;

/// A server with account `a`, whose token has expired and cannot be refreshed yet.
fn expired(provider: &Provider, more: &str) -> Pizauth {
    let user = Pizauth::start(&provider.account("a", more));
    provider.set_lifetime(Some(1));
    let url = user.url("a");
    provider.hang_refreshes();
    log_in(provider, &url);
    provider.set_lifetime(Some(3600));
    wait_until("it has expired", || user.state("a") == "expired");
    user
}

#[test]
fn one_refresh_is_enough_for_all() {
    let provider = Provider::start();
    provider.rotate();
    let user = expired(&provider, "");
    user.show("a").expect(4);
    thread::scope(|scope| {
        let wait = || user.run(&["show", "--wait", "a"]).expect(0);
        let waiting: Vec<_> = (0..50)
            .map(|_| thread::Builder::new().spawn_scoped(scope, wait).unwrap())
            .collect();
        wait_for_clients(&user, 50);
        provider.behave();
        for client in waiting {
            let shown = client.join().unwrap();
            assert_eq!(shown.out.trim_end(), provider.last_token());
            assert_eq!(shown.err, "");
        }
    });
    assert_eq!(provider.refreshes().len(), 1);
}

#[test]
fn who_waits_costs_nothing_and_goes_with_its_process() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    let url = user.url("a");
    let before = descriptors_at_rest(&user);
    let mut waiting: Vec<_> = (0..40)
        .map(|_| user.spawn(&["show", "--wait=1h", "a"]))
        .collect();
    wait_for_accepted(&user, 40);
    let quiet = || {
        let count = switches(&user);
        provider.gate().pass_within(Duration::from_secs(2));
        switches(&user) == count
    };
    wait_until("things have calmed down", quiet);
    let (count, used) = (switches(&user), processor_time(&user));
    provider.gate().pass_within(Duration::from_secs(2));
    assert_eq!(switches(&user), count, "somebody woke up");
    assert_eq!(processor_time(&user), used);
    for client in &mut waiting[..39] {
        client.kill().unwrap();
        client.wait().unwrap();
    }
    wait_until("they are gone", || {
        descriptors(&user) <= before.map(|count| count + 1)
    });
    log_in(&provider, &url);
    let last = waiting.last_mut().unwrap();
    assert!(last.wait().unwrap().success());
    wait_until("nobody is left", || descriptors(&user) <= before);
}

#[test]
fn who_has_waited_long_enough_is_told_what_is_missing() {
    let provider = Provider::start();
    let user = Pizauth::start(&(provider.account("a", "") + &provider.account("b", "")));
    let start = now();
    let run = user.run(&["show", "--wait=1s", "a"]).expect(3);
    assert!(run.err.contains("authorised with URL http"), "{run:?}");
    let run = user.run(&["show", "-u", "--wait=1s", "a"]).expect(3);
    assert!(!run.err.contains("http"), "{run:?}");
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert!(start.elapsed() < Duration::from_secs(15));
    // Somebody else's login does not help.
    log_in(&provider, &user.url("b"));
    user.run(&["show", "--wait=1s", "a"]).expect(3);

    let user = expired(&provider, "");
    let start = now();
    let run = user.run(&["show", "--wait=1s", "a"]).expect(4);
    assert!(run.err.contains("is being refreshed"), "{run:?}");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn who_waits_is_told_at_once_that_it_is_in_vain() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    let start = now();
    let url = user.url("a");
    // Not a process, of which nobody knows when it has asked.
    let waiting = control(&user);
    send(&waiting, b"show\ta\twait=3600\n");
    user.url("a");
    provider.script(Answer::error(400, "invalid_grant", "too late"));
    log_in(&provider, &url);
    let reply = hear(&waiting);
    assert!(reply.starts_with("error "), "{reply}");
    assert!(reply.contains("too late"), "{reply}");
    user.run(&["show", "--wait=1h", "nobody"]).expect(1);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_token_that_is_too_short_lived_is_refreshed_once() {
    let provider = Provider::start();
    provider.rotate();
    let user = Pizauth::start(&provider.account("a", ""));
    provider.set_lifetime(Some(600));
    log_in(&provider, &user.url("a"));
    let old = user.token("a");
    let run = user.run(&["show", "--min-valid=601s", "a"]).expect(1);
    assert!(run.err.contains("last only 600 s"), "{run:?}");
    assert_eq!(provider.refreshes().len(), 0);
    provider.set_lifetime(Some(7200));
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    // Some of its life is over by now.
    wait_until("it lasts no ten minutes any more", || {
        user.run(&["show", "--min-valid=600s", "a"]).code == 4
    });
    thread::scope(|scope| {
        let wait = || user.run(&["show", "--wait", "--min-valid=600s", "a"]);
        let waiting: Vec<_> = (0..10)
            .map(|_| thread::Builder::new().spawn_scoped(scope, wait).unwrap())
            .collect();
        wait_for_clients(&user, 10);
        assert_eq!(user.token("a"), old, "good enough for others");
        gate.open();
        for client in waiting {
            let shown = client.join().unwrap().expect(0);
            assert_eq!(shown.out.trim_end(), provider.last_token());
        }
    });
    assert_eq!(provider.refreshes().len(), 1);
    user.run(&["show", "--min-valid=1h", "a"]).expect(0);
    assert_eq!(provider.refreshes().len(), 1);
}

#[test]
fn asking_for_more_cuts_no_pause_short() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", "refresh_retry = 1h;"));
    provider.set_lifetime(Some(600));
    log_in(&provider, &user.url("a"));
    provider.script(Answer::of(503, "text/html", "<html>"));
    wait_until("it is refreshed", || {
        user.run(&["show", "--min-valid=600s", "a"]).code == 4 && !provider.refreshes().is_empty()
    });
    wait_until("that has failed", || {
        user.status("a")["last_error"].is_string()
    });
    for _ in 0..10 {
        let run = user.run(&["show", "--min-valid=600s", "a"]).expect(4);
        assert!(run.err.contains("503"), "{run:?}");
    }
    user.run(&["show", "--wait=1s", "--min-valid=600s", "a"])
        .expect(4);
    user.token("a");
    assert_eq!(provider.refreshes().len(), 1);
}
