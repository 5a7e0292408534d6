//! `show --wait` while a login is under way, and what ends the wait.

mod support;

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::*;

/// A provider, and a user with the account `a` there.
fn set_up(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    (provider, user)
}

/// Starts a command whose output is read when it has ended.
#[expect(clippy::unwrap_used, reason = "a helper of tests reports by panicking")]
fn start(user: &Pizauth, arguments: &[&str]) -> Child {
    let mut command = user.command(arguments);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[expect(clippy::unwrap_used, reason = "a helper of tests reports by panicking")]
fn end(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_login_ends_the_wait() {
    let (provider, user) = set_up("");
    let waiting: Vec<Child> = (0..5)
        .map(|_| start(&user, &["show", "--wait=60s", "a"]))
        .collect();
    wait_until("a login is asked for", || user.state("a") == "pending");
    log_in(&provider, &user.url("a"));
    for child in waiting {
        let (code, out, _) = end(child);
        assert_eq!((code, out), (0, format!("{}\n", provider.last_token())));
    }
}

#[test]
fn a_refresh_ends_the_wait() {
    let (provider, user) = set_up("refresh_retry = 1s;");
    provider.set_lifetime(Some(1));
    let url = user.url("a");
    let gate = provider.gate();
    let held = gate.clone();
    provider.rule(move |it| {
        it.field("refresh_token")
            .map(|_| Answer::own().after(&held))
    });
    log_in(&provider, &url);
    wait_until("its end", || user.show("a").code == 4);
    let waiting = start(&user, &["show", "--wait", "a"]);
    provider.set_lifetime(Some(3600));
    gate.open();
    assert_eq!(end(waiting).0, 0);
    user.token("a");
}

#[test]
fn who_has_waited_long_enough_is_told_what_is_missing() {
    let (provider, user) = set_up("");
    let start_of_it = now();
    let run = user.run(&["show", "--wait=1s", "a"]);
    let url = support::pizauth::url_in(&run);
    assert!(start_of_it.elapsed() >= Duration::from_secs(1));
    assert_eq!(user.url("a"), url);
    let run = user.run(&["show", "-u", "--wait=1s", "a"]).expect(3);
    assert!(!run.err.contains("http"), "{run:?}");
    log_in(&provider, &url);
    // Nobody waits for what is there, or for what will never be.
    user.run(&["show", "--wait=1d", "a"]).expect(0);
    user.run(&["show", "--wait=1d", "nobody"]).expect(1);
}

#[test]
fn a_login_that_fails_ends_the_wait() {
    let (provider, user) = set_up("");
    let waiting = start(&user, &["show", "--wait=1d", "a"]);
    wait_until("a login is asked for", || user.state("a") == "pending");
    provider.script(Answer::error(400, "invalid_grant", "too late"));
    log_in(&provider, &user.url("a"));
    let (code, out, err) = end(waiting);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("too late"), "{err}");
    // The next one starts over.
    user.url("a");
}

#[test]
fn a_reload_or_a_revocation_ends_the_wait() {
    let (provider, user) = set_up("");
    let first = start(&user, &["show", "--wait=1d", "a"]);
    wait_until("a login is asked for", || user.state("a") == "pending");
    user.run(&["revoke", "a"]).expect(0);
    assert_eq!(end(first).0, 1);
    let second = start(&user, &["show", "--wait=1d", "a"]);
    wait_until("a login is asked for", || user.state("a") == "pending");
    user.write_config(&provider.account("b", ""));
    user.run(&["reload"]).expect(0);
    let (code, _, err) = end(second);
    assert_eq!(code, 1);
    assert!(err.contains("'a'"), "{err}");
    let third = start(&user, &["show", "--wait=1d", "b"]);
    wait_until("a login is asked for", || user.state("b") == "pending");
    user.run(&["shutdown"]).expect(0);
    assert_eq!(end(third).0, 5);
}

#[test]
fn a_token_that_is_too_short_is_refreshed_first() {
    let (provider, user) = set_up("refresh_before_expiry = 1s;");
    log_in(&provider, &user.url("a"));
    let short = user.token("a");
    // Made older than it is: an hour long, it ends in a few minutes.
    let mut dump: Value = serde_json::from_str(&user.run(&["dump"]).expect(0).out).unwrap();
    for time in ["obtained_at", "expires_at"] {
        let then: jiff::Timestamp = dump["accounts"][0][time].as_str().unwrap().parse().unwrap();
        let earlier = then - jiff::SignedDuration::from_mins(55);
        dump["accounts"][0][time] = earlier.to_string().into();
    }
    user.run(&["revoke", "a"]).expect(0);
    user.run_with_input(&["restore"], &dump.to_string())
        .expect(0);
    let run = user.run(&["show", "--min-valid=1m", "a"]).expect(0);
    assert_eq!(run.out, format!("{short}\n"));
    assert_eq!(provider.refreshes().len(), 0);

    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let run = user.run(&["show", "--min-valid=10m", "a"]).expect(4);
    assert_eq!(run.out, "");
    assert_eq!(user.token("a"), short, "it is good for others");
    gate.open();
    let run = user
        .run(&["show", "--min-valid=10m", "--wait", "a"])
        .expect(0);
    assert_eq!(run.out, format!("{}\n", provider.last_token()));
    assert_ne!(run.out, format!("{short}\n"));
    // No refresh would ever bring one that lasts for so long.
    let run = user
        .run(&["show", "--min-valid=1d", "--wait=1d", "a"])
        .expect(1);
    assert_eq!(run.out, "");
    assert_eq!(provider.refreshes().len(), 1);
}

#[test]
fn a_provider_on_the_other_family_is_found() {
    let provider = Provider::start();
    let port = provider.address().port();
    let account = provider.account("a", "");
    // What `localhost` is first, the provider does not listen at.
    let user = Pizauth::start(&account.replace("//127.0.0.1:", "//localhost:"));
    assert_eq!(log_in(&provider, &user.url("a")).status, 200);
    let sent = provider.requests()[0].header("host").map(str::to_owned);
    assert_eq!(sent, Some(format!("localhost:{port}")));
    provider.script(Answer::json(
        200,
        &json!({"access_token": "SECRET", "expires_in": 60}).to_string(),
    ));
    user.run(&["refresh", "a"]).expect(0);
}
