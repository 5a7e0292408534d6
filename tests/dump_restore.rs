//! Dumps: what is in them, and what restoring them does and does not do.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use serde_json::Value;
use support::*;

/// A provider that rotates refresh tokens, and a user who is logged in to the accounts `a` and
/// `b` there.
fn set_up() -> (Provider, Pizauth) {
    let provider = Provider::start();
    provider.rotate();
    let user = Pizauth::start(&config(&provider));
    for name in ["a", "b"] {
        log_in(&provider, &user.url(name));
    }
    (provider, user)
}

fn config(provider: &Provider) -> String {
    provider.account("a", "") + &provider.account("b", "")
}

fn dump(user: &Pizauth) -> String {
    let run = user.run(&["dump"]).expect(0);
    assert_eq!(run.err, "");
    run.out
}

#[track_caller]
fn restore(user: &Pizauth, dump: &str) -> Run {
    let run = user.run_with_input(&["restore"], dump);
    assert_eq!(run.out, "");
    run
}

/// The dump with something changed in it.
fn edited(dump: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(dump).unwrap();
    edit(&mut value);
    value.to_string()
}

#[test]
fn a_dump_outlives_the_server() {
    let (provider, mut user) = set_up();
    let tokens = [user.token("a"), user.token("b")];
    let expiry = user.status("a")["expires_at"].clone();
    let kept = dump(&user);
    user.restart();
    assert_eq!(user.state("a"), "empty");
    let pending = user.url("a");
    let run = restore(&user, &kept).expect(0);
    assert!(run.err.contains("2 accounts were restored"), "{run:?}");
    assert_eq!([user.token("a"), user.token("b")], tokens);
    let restored = user.status("a");
    let second = |value: &Value| -> i64 {
        let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
        time.as_second()
    };
    assert!((second(&restored["expires_at"]) - second(&expiry)).abs() <= 1);
    assert_eq!(restored["granted_scope"], "mail.read mail.send");
    // The login that was asked for meanwhile is not wanted any more.
    assert_eq!(visit(&provider.consent(&pending)).status, 400);
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn a_dump_is_versioned_json() {
    let (provider, user) = set_up();
    let value: Value = serde_json::from_str(&dump(&user)).unwrap();
    assert_eq!(value["pizauth_dump"], 1);
    let accounts = value["accounts"].as_array().unwrap();
    let names: Vec<_> = accounts.iter().map(|it| it["account"].as_str()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
    assert_eq!(accounts[1]["access_token"], provider.last_token().as_str());
    assert_eq!(
        accounts[1]["refresh_token"],
        provider.refresh_token().as_str()
    );
    for time in ["obtained_at", "expires_at"] {
        let text = accounts[0][time].as_str().unwrap();
        text.parse::<jiff::Timestamp>().unwrap();
    }
    assert_eq!(accounts[0]["authority"].as_str().unwrap().len(), 64);
}

#[test]
fn an_empty_dump_is_one() {
    let provider = Provider::start();
    let user = Pizauth::start(&config(&provider));
    let empty = dump(&user);
    let pending = user.url("a");
    assert_eq!(dump(&user), empty, "a login that waits is not dumped");
    restore(&user, &empty).expect(0);
    assert_eq!(user.url("a"), pending);
    log_in(&provider, &pending);
    let token = user.token("a");
    restore(&user, &empty).expect(0);
    assert_eq!(user.token("a"), token);
}

#[test]
fn a_bad_dump_is_an_error_that_changes_nothing() {
    let (_provider, mut user) = set_up();
    let kept = dump(&user);
    user.restart();
    let pending = user.url("a");
    let cut = &kept[..kept.len() / 2];
    let long = " ".repeat(17 * 1024 * 1024);
    for (bad, why) in [
        ("", "nothing was restored"),
        ("\n", "nothing was restored"),
        ("hello", "nothing was restored"),
        ("{}", "nothing was restored"),
        ("[]", "nothing was restored"),
        (cut, "nothing was restored"),
        (&long, "longer than"),
        (
            &edited(&kept, |it| it["pizauth_dump"] = 2.into()),
            "version 2",
        ),
        (
            &edited(&kept, |it| it["accounts"] = 7.into()),
            "not as expected",
        ),
        (
            &edited(&kept, |it| it["accounts"][1]["account"] = "a".into()),
            "twice",
        ),
        (
            &edited(&kept, |it| it["accounts"][1]["expires_at"] = "soon".into()),
            "not as expected",
        ),
        (
            &edited(&kept, |it| it["accounts"][1]["expires_at"] = Value::Null),
            "no complete token for account 'b'",
        ),
        (&kept.replace("\"b\"", "\"b\u{1b}[31m\\u001b\""), ""),
    ] {
        let run = restore(&user, bad).expect(1);
        assert!(run.err.starts_with("ERROR - "), "{run:?}");
        assert!(run.err.contains(why), "no '{why}' in {run:?}");
        assert!(
            !run.err.contains("SECRET") && !run.err.contains('\u{1b}'),
            "{run:?}"
        );
        assert_eq!(user.url("a"), pending, "{why}");
    }
    restore(&user, &kept).expect(0);
    user.token("a");
    user.token("b");
}

#[test]
fn an_old_dump_takes_nothing_back() {
    let (provider, user) = set_up();
    let old = dump(&user);
    user.run(&["refresh", "a"]).expect(0);
    let token = user.token("a");
    let run = restore(&user, &old).expect(0);
    assert!(run.err.contains("'a' was left alone"), "{run:?}");
    assert_eq!(user.token("a"), token);
    // With the spent token, this would be a fault that the provider reports.
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn a_token_goes_to_its_own_authority_only() {
    let (provider, mut user) = set_up();
    let kept = dump(&user);
    let b = provider.account("b", "");
    user.write_config(&format!(
        "{}{b}",
        provider.account("a", "login_hint = \"me\";")
    ));
    user.restart();
    let run = restore(&user, &kept).expect(0);
    assert!(run.err.contains("'a' was left alone"), "{run:?}");
    assert!(run.err.contains("1 account was restored"), "{run:?}");
    assert_eq!(user.state("a"), "empty");
    user.token("b");

    user.write_config(&b.replace("\"b\"", "\"c\""));
    user.restart();
    let run = restore(&user, &kept).expect(0);
    assert!(run.err.contains("'b' was left alone"), "{run:?}");
    user.url("c");
}

#[test]
fn an_expired_token_is_refreshed_or_left() {
    let (provider, mut user) = set_up();
    let kept = edited(&dump(&user), |it| {
        for account in it["accounts"].as_array_mut().unwrap() {
            account["obtained_at"] = "2020-01-01T00:00:00Z".into();
            account["expires_at"] = "2020-01-01T01:00:00Z".into();
        }
        let b = it["accounts"][1].as_object_mut().unwrap();
        b.remove("refresh_token");
    });
    user.restart();
    let run = restore(&user, &kept).expect(0);
    assert!(
        run.err
            .contains("'b' was left alone: its token has expired"),
        "{run:?}"
    );
    wait_until("a token", || user.show("a").code == 0);
    assert_eq!(user.token("a"), provider.last_token());
    assert_eq!(provider.refreshes().len(), 1);
    user.url("b");
}

#[test]
fn a_dump_during_a_refresh_has_what_is_good() {
    let (provider, mut user) = set_up();
    let gate = provider.gate();
    provider.script(Answer::of(500, "text/plain", "").after(&gate));
    let mut refresh = user.spawn(&["refresh", "a"]);
    provider.wait_for_refreshes(1);
    let kept = dump(&user);
    gate.open();
    refresh.wait().unwrap();
    user.restart();
    restore(&user, &kept).expect(0);
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn a_dump_goes_through_pipes() {
    let (_provider, user) = set_up();
    let mut shell = std::process::Command::new("/bin/sh");
    user.set_environment(&mut shell);
    shell.args([
        "-c",
        "\"$0\" dump | tr a-z A-Z | tr A-Z a-z >/dev/null; \"$0\" dump | \"$0\" restore",
    ]);
    let run = support::pizauth::run(shell.arg(env!("CARGO_BIN_EXE_pizauth"))).expect(0);
    assert!(run.err.contains("0 accounts were restored"), "{run:?}");
    user.token("a");
    let full = user
        .command(&["dump"])
        .stdout(
            std::fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .output()
        .unwrap();
    assert_eq!(
        full.status.code(),
        Some(1),
        "a dump that is lost is no success"
    );
}
