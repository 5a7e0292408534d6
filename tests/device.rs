//! Logins with a code that is typed into a browser anywhere (RFC 8628), through the real server.

mod support;

use std::time::Duration;

use serde_json::json;
use support::*;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A user whose account `a` is logged in by a code, and `more` at the configuration's top.
fn set_up(provider: &Provider, more: impl FnOnce(&Pizauth) -> String) -> Pizauth {
    let mut user = Pizauth::new();
    let device = format!(
        "grant = \"device_code\"; device_uri = \"{}\";",
        device_uri(provider)
    );
    let more = more(&user);
    user.write_config(&format!("{more}\n{}", provider.account("a", &device)));
    user.start_foreground();
    user
}

fn device_uri(provider: &Provider) -> String {
    provider.token_uri().replace("/token", "/device")
}

fn authorization(interval: u32) -> Answer {
    let body = json!({
        "device_code": "SECRET-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://provider.example/device",
        "verification_uri_complete": "https://provider.example/device?user_code=WDJB-MJHT",
        "expires_in": 600,
        "interval": interval,
    });
    Answer::json(200, &body.to_string())
}

fn tokens() -> Answer {
    let body = json!({
        "access_token": "SECRET-at-device",
        "refresh_token": "SECRET-rt-device",
        "token_type": "bearer",
        "expires_in": 3600,
    });
    Answer::json(200, &body.to_string())
}

fn polls(provider: &Provider) -> Vec<Request> {
    let mut requests = provider.requests();
    requests.retain(|request| request.field("device_code").is_some());
    requests
}

/// Waits for `show` to say what to do.
fn prompt(user: &Pizauth) -> String {
    wait_for("a code", || {
        let run = user.show("a");
        assert!([3, 4].contains(&run.code), "{run:?}");
        (run.code == 3).then_some(run.err)
    })
}

#[test]
fn a_login_with_a_code() {
    let provider = Provider::start();
    let notified = std::cell::OnceCell::new();
    let user = set_up(&provider, |user| {
        let record = notified.get_or_init(|| Record::new(user, "notified"));
        let command = record.command("$PIZAUTH_ACCOUNT $PIZAUTH_URL $PIZAUTH_CODE");
        format!("auth_notify_cmd = {command};")
    });
    provider.script(authorization(1));
    provider.script(Answer::error(400, "authorization_pending", ""));
    provider.script(tokens());
    assert_eq!(
        prompt(&user),
        "ERROR - Token unavailable until authorised with URL https://provider.example/device and \
         code WDJB-MJHT\n"
    );
    let line = notified.get().unwrap().wait_for_line("a ");
    assert_eq!(line, "a https://provider.example/device WDJB-MJHT");
    let run = user.run(&["show", "--wait=20s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-at-device\n");
    let polls = polls(&provider);
    assert_eq!(polls.len(), 2);
    assert_eq!(polls[0].field("grant_type"), Some(DEVICE_GRANT));
    assert_eq!(polls[0].field("client_id"), Some("mail"));
    assert!(polls[1].at - polls[0].at >= Duration::from_millis(950));
    let asked = &provider.requests()[0];
    assert_eq!(asked.line, "POST /device HTTP/1.1");
    assert_eq!(asked.field("scope"), Some("mail.read mail.send"));
}

#[test]
fn the_refresh_token_of_a_code_is_used_like_any_other() {
    let provider = Provider::start();
    let user = set_up(&provider, |_| String::new());
    provider.script(authorization(3));
    provider.script(tokens());
    prompt(&user);
    user.run(&["show", "--wait=20s", "a"]).expect(0);
    let refreshed =
        json!({"access_token": "SECRET-at-2", "token_type": "Bearer", "expires_in": 60});
    provider.script(Answer::json(200, &refreshed.to_string()));
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), "SECRET-at-2");
    let last = provider.requests().pop().unwrap();
    assert_eq!(last.field("refresh_token"), Some("SECRET-rt-device"));
}

#[test]
fn slowing_down_is_for_good_and_failures_on_the_way_are_survived() {
    let provider = Provider::start();
    let user = set_up(&provider, |_| String::new());
    provider.script(authorization(1));
    provider.script(Answer::error(503, "unavailable", ""));
    provider.script(Answer::error(400, "slow_down", ""));
    provider.script(tokens());
    prompt(&user);
    let run = user.run(&["show", "--wait=40s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-at-device\n");
    let polls = polls(&provider);
    assert_eq!(polls.len(), 3);
    assert!(polls[1].at - polls[0].at >= Duration::from_millis(1_950));
    assert!(polls[2].at - polls[1].at >= Duration::from_millis(5_950));
}

#[test]
fn how_a_code_comes_to_nothing() {
    for (error, told) in [
        ("access_denied", "access_denied"),
        ("expired_token", "nobody typed the code in"),
        ("authorization_declined", "authorization_declined"),
        ("invalid_grant", "invalid_grant"),
    ] {
        let provider = Provider::start();
        let errors = std::cell::OnceCell::new();
        let user = set_up(&provider, |user| {
            let record = errors.get_or_init(|| Record::new(user, "errors"));
            format!("error_notify_cmd = {};", record.command("$PIZAUTH_MSG"))
        });
        provider.script(authorization(3));
        provider.script(Answer::error(400, error, ""));
        prompt(&user);
        let line = errors.get().unwrap().wait_for_line("login of account 'a'");
        assert!(line.contains(told), "{line}");
        assert_eq!(user.state("a"), "empty", "{error}");
    }
}

#[test]
fn a_provider_that_cannot_be_asked_is_told_and_asked_again() {
    let provider = Provider::start();
    let user = set_up(&provider, |_| String::new());
    provider.rule(|_| Some(Answer::error(503, "down", "")));
    user.show("a").expect(4);
    wait_until("the reason is told", || {
        user.show("a").expect(4).err.contains("HTTP 503")
    });
    provider.rule(|_| Some(authorization(60)));
    prompt(&user);
}

#[test]
fn a_refusal_of_the_client_is_told_once() {
    let provider = Provider::start();
    let errors = std::cell::OnceCell::new();
    let user = set_up(&provider, |user| {
        let record = errors.get_or_init(|| Record::new(user, "errors"));
        format!("error_notify_cmd = {};", record.command("$PIZAUTH_MSG"))
    });
    provider.rule(|_| Some(Answer::error(400, "unauthorized_client", "no device flow")));
    user.show("a").expect(4);
    let errors = errors.get().unwrap();
    errors.wait_for_line("unauthorized_client: no device flow");
    let before = provider.requests().len();
    wait_until("it is asked again", || {
        user.show("a");
        provider.requests().len() >= before + 2
    });
    user.run(&["reload"]).expect(0);
    assert_eq!(errors.lines().len(), 1, "{:?}", errors.lines());
}

#[test]
fn a_code_survives_the_servers_replacement() {
    let provider = Provider::start();
    let user = Pizauth::new();
    let device = format!(
        "grant = \"device_code\"; device_uri = \"{}\";",
        device_uri(&provider)
    );
    user.write_config(&provider.account("a", &device));
    user.start_background();
    let pending = || Answer::error(400, "authorization_pending", "");
    provider.rule(move |it| it.field("device_code").map(|_| pending()));
    provider.script(authorization(2));
    let before = prompt(&user);
    user.run(&["server", "--replace"]).expect(0);
    assert_eq!(prompt(&user), before);
    provider.script(tokens());
    let run = user.run(&["show", "--wait=20s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-at-device\n");
}
