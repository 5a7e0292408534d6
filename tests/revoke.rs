//! Revoking: what an account has is forgotten, whatever state it is in.

mod support;

use support::browser::field;
use support::*;

/// A provider, and a user with the account `a` there whose events are on record.
fn set_up() -> (Provider, Pizauth, Record) {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let events = Record::new(&user, "events");
    let command = events.command("$PIZAUTH_ACCOUNT $PIZAUTH_EVENT");
    user.write_config(&format!(
        "token_event_cmd = {command};\n{}",
        provider.account("a", "") + &provider.account("b", "")
    ));
    user.start_foreground();
    (provider, user, events)
}

#[test]
fn a_token_is_forgotten() {
    let (provider, user, events) = set_up();
    for name in ["a", "b"] {
        log_in(&provider, &user.url(name));
    }
    let other = user.token("b");
    let run = user.run(&["revoke", "a"]).expect(0);
    assert_eq!(run.out, "");
    assert!(
        run.err.contains("'a'") && run.err.contains("the provider was not told"),
        "{run:?}"
    );
    assert_eq!(user.state("a"), "empty");
    user.url("a");
    assert_eq!(user.token("b"), other);
    let lines = events.wait_for_lines(3);
    assert_eq!(lines, ["a token_new", "b token_new", "a token_revoked"]);
    let run = user.run(&["dump"]).expect(0);
    let dump: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(dump["accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_login_that_waits_is_given_up() {
    let (provider, user, events) = set_up();
    let url = user.url("a");
    user.run(&["revoke", "a"]).expect(0);
    let location = provider.consent(&url);
    assert_eq!(visit(&location).status, 400);
    assert_eq!(provider.requests().len(), 0);
    assert_ne!(user.url("a"), url);
    assert_eq!(log_in(&provider, &user.url("a")).status, 200);
    // Where there was no token, none was revoked.
    assert_eq!(events.wait_for_lines(1), ["a token_new"]);
}

#[test]
fn nothing_is_nothing_to_forget() {
    let (_provider, user, _events) = set_up();
    let run = user.run(&["revoke", "a"]).expect(0);
    assert!(run.err.contains("had no token"), "{run:?}");
    let run = user.run(&["revoke", "nobody"]).expect(1);
    assert!(run.err.contains("'nobody'"), "{run:?}");
    user.run(&["revoke"]).expect(2);
}

#[test]
fn an_exchange_that_is_under_way_is_dropped() {
    let (provider, user, events) = set_up();
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let location = provider.consent(&user.url("a"));
    let browser = std::thread::Builder::new().spawn(move || visit(&location));
    wait_until("the code is exchanged", || provider.requests().len() == 1);
    user.run(&["revoke", "a"]).expect(0);
    let page = browser.unwrap().join().unwrap();
    assert_eq!(page.status, 400, "whoever waits is told: {page:?}");
    gate.open();
    wait_until("it is answered", || !provider.last_token().is_empty());
    let url = user.url("a");
    assert!(field(&url, "state").is_some());
    log_in(&provider, &url);
    let token = user.token("a");
    assert_eq!(token, provider.last_token());
    assert_eq!(events.wait_for_lines(1), ["a token_new"]);
}

#[test]
fn a_refresh_that_is_under_way_is_dropped() {
    let (provider, user, events) = set_up();
    log_in(&provider, &user.url("a"));
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let mut refresh = user.spawn(&["refresh", "a"]);
    provider.wait_for_refreshes(1);
    user.run(&["revoke", "a"]).expect(0);
    assert_eq!(
        refresh.wait().unwrap().code(),
        Some(3),
        "whoever waits is told"
    );
    gate.open();
    let url = user.url("a");
    // Wait until the answer to the refresh has been turned down: b's comes after it.
    log_in(&provider, &user.url("b"));
    user.run(&["refresh", "b"]).expect(0);
    assert_eq!(user.url("a"), url);
    assert!(!events.lines().contains(&"a token_refreshed".to_owned()));
}

#[test]
fn a_token_that_has_expired_is_forgotten_too() {
    let (provider, user, events) = set_up();
    provider.set_lifetime(Some(1));
    let url = user.url("a");
    provider.rule(|it| {
        it.field("refresh_token")
            .map(|_| Answer::of(500, "text/plain", ""))
    });
    log_in(&provider, &url);
    wait_until("its end", || user.show("a").code == 4);
    user.run(&["revoke", "a"]).expect(0);
    assert_eq!(user.state("a"), "empty");
    assert!(user.status("a").get("last_error").is_none());
    assert_eq!(events.wait_for_lines(2), ["a token_new", "a token_revoked"]);
}

fn with_endpoint(provider: &Provider) -> Pizauth {
    let uri = provider.token_uri().replace("/token", "/revoke");
    let account = provider.account("a", &format!("revoke_uri = \"{uri}\";"));
    let mut user = Pizauth::with_config(&account);
    user.start_foreground();
    log_in(provider, &user.url("a"));
    user.token("a");
    user
}

#[test]
fn the_provider_revokes_the_refresh_token_first() {
    let provider = Provider::start();
    let user = with_endpoint(&provider);
    let (refresh, access) = (provider.refresh_token(), provider.last_token());
    provider.rule(|_| Some(Answer::of(200, "text/plain", "")));
    let run = user.run(&["revoke", "a"]).expect(0);
    assert!(run.err.contains("the provider has revoked"), "{run:?}");
    let requests = provider.requests();
    let told: Vec<_> = requests[1..]
        .iter()
        .map(|it| {
            (
                it.line.as_str(),
                it.field("token"),
                it.field("token_type_hint"),
            )
        })
        .collect();
    let line = "POST /revoke HTTP/1.1";
    assert_eq!(
        told,
        [
            (line, Some(&*refresh), Some("refresh_token")),
            (line, Some(&*access), Some("access_token")),
        ]
    );
}

#[test]
fn what_the_provider_does_not_confirm_is_forgotten_all_the_same() {
    let provider = Provider::start();
    let user = with_endpoint(&provider);
    let gate = provider.gate();
    let answer = Answer::error(503, "server_error", "later").after(&gate);
    provider.rule(move |_| Some(answer.clone()));
    std::thread::scope(|scope| {
        let revoking = scope.spawn(|| user.run(&["revoke", "a"]));
        wait_until("the token is gone", || user.state("a") == "empty");
        gate.open();
        let run = revoking.join().unwrap().expect(1);
        assert!(run.err.contains("has not confirmed"), "{run:?}");
        assert!(run.err.contains("HTTP 503"), "{run:?}");
    });
    let user = {
        provider.behave();
        with_endpoint(&provider)
    };
    provider.go_down();
    let run = user.run(&["revoke", "a"]).expect(1);
    assert!(run.err.contains("refuses the connection"), "{run:?}");
    assert_eq!(user.state("a"), "empty");
}

#[test]
fn a_provider_that_revokes_tokens_of_one_kind_only_is_asked_for_both() {
    let provider = Provider::start();
    let user = with_endpoint(&provider);
    provider.rule(|it| {
        let is_refresh = it.field("token_type_hint") == Some("refresh_token");
        Some(match is_refresh {
            true => Answer::error(400, "unsupported_token_type", "access tokens only"),
            false => Answer::of(200, "text/plain", ""),
        })
    });
    let run = user.run(&["revoke", "a"]).expect(1);
    assert!(run.err.contains("access tokens only"), "{run:?}");
    assert_eq!(provider.requests().len(), 3, "login, and two to revoke");
}
