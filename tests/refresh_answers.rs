//! What real providers answer to a refresh, and that pizauth survives it: the rows of the list of
//! what providers do, one after another, through the real program.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::*;

/// A provider, and a user who is logged in to the account `a` there.
fn set_up() -> (Provider, Pizauth) {
    set_up_with("")
}

fn set_up_with(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    log_in(&provider, &user.url("a"));
    (provider, user)
}

/// A good answer, with this in the place of what is there, or beside it.
fn good(more: &Value) -> Answer {
    let mut body =
        json!({"access_token": "SECRET-good", "token_type": "Bearer", "expires_in": 600});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Answer::json(200, &body.to_string())
}

/// Lets the provider answer a refresh with this.
#[track_caller]
fn refresh(provider: &Provider, user: &Pizauth, answer: Answer) -> Run {
    provider.script(answer);
    user.run(&["refresh", "a"])
}

/// In how many seconds the token expires, as `status --json` has it.
fn expires_in(user: &Pizauth) -> i64 {
    let at = |name: &str| -> jiff::Timestamp {
        user.status("a")[name].as_str().unwrap().parse().unwrap()
    };
    at("expires_at").as_second() - at("obtained_at").as_second()
}

#[test]
fn answers_that_bring_a_token() {
    let (provider, user) = set_up_with("refresh_at_least = 77m;");
    let unsaid = 77 * 60;
    for (more, lifetime) in [
        (json!({}), 600),
        (json!({"token_type": "bEARER"}), 600),
        (json!({"expires_in": "1200"}), 1200),
        (json!({"expires_in": 1200.7}), 1200),
        (json!({"expires_in": null}), unsaid),
        (json!({"expires_in": "soon"}), unsaid),
        (
            json!({"scope": null, "unknown": {"a": [1, 2, {"b": null}]}}),
            600,
        ),
        (json!({"refresh_token": null}), 600),
        (json!({"refresh_token": ""}), 600),
        (json!({"error": null}), 600),
    ] {
        let token = format!("SECRET-{more}").replace(['"', '\\'], "");
        let mut all = more.clone();
        all["access_token"] = token.as_str().into();
        refresh(&provider, &user, good(&all)).expect(0);
        assert_eq!(user.token("a"), token);
        let found = expires_in(&user);
        assert!(
            (lifetime - 1..=lifetime + 1).contains(&found),
            "{more}: {found}"
        );
        assert_eq!(user.status("a")["refreshable"], true, "{more}");
    }
    // Whatever came meanwhile, the one refresh token is at hand still.
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn an_absurd_lifetime_is_survived() {
    let (provider, user) = set_up();
    for absurd in [
        "1e300",
        "99999999999999999999999999",
        "9223372036854775807",
        "\"1e400\"",
    ] {
        let body = format!("{{\"access_token\":\"SECRET-{absurd}\",\"expires_in\":{absurd}}}");
        let body = body.replace("-\"1e400\"", "-1e400");
        refresh(&provider, &user, Answer::json(200, &body)).expect(0);
        assert!(user.token("a").starts_with("SECRET-"));
        assert!(user.run(&["status"]).expect(0).out.contains("active"));
        user.run(&["dump"]).expect(0);
    }
}

#[test]
fn a_token_that_had_expired_when_it_came_is_not_shown() {
    let (provider, user) = set_up();
    let before = user.token("a");
    for lifetime in [json!(0), json!(-5), json!("-1"), json!("0"), json!(-1e300)] {
        let run = refresh(&provider, &user, good(&json!({"expires_in": lifetime}))).expect(4);
        assert!(run.err.contains("expired when it came"), "{run:?}");
        assert_eq!(user.token("a"), before);
    }
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn forms_are_read_as_well() {
    let (provider, user) = set_up();
    let body = "access_token=SECRET%2Bform&expires_in=600&scope=repo%2Cgist&token_type=bearer";
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    refresh(&provider, &user, Answer::of(200, kind, body)).expect(0);
    assert_eq!(user.token("a"), "SECRET+form");
    assert_eq!(user.status("a")["granted_scope"], "repo,gist");
    assert!((599..=601).contains(&expires_in(&user)));
    let body = "error=bad_verification_code&error_description=The+code+is+wrong.";
    let run = refresh(&provider, &user, Answer::of(200, kind, body)).expect(4);
    assert!(run.err.contains("The code is wrong."), "{run:?}");
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn what_may_pass_costs_nothing() {
    let (provider, user) = set_up();
    let before = user.token("a");
    let html = "<!DOCTYPE html><html><body>Log in to the hotel's network</body></html>";
    let dead = |status| Answer::error(status, "invalid_grant", "not from a token endpoint");
    let both = json!({"error": "invalid_grant"});
    for (answer, said) in [
        (Answer::of(408, "text/plain", ""), "408"),
        (Answer::of(425, "text/plain", ""), "425"),
        (Answer::json(429, "{}"), "429"),
        (dead(429), "429"),
        (dead(500), "500"),
        (dead(503), "503"),
        (dead(403), "403"),
        (dead(407), "407"),
        (dead(404), "404"),
        (Answer::of(599, "text/plain", "odd"), "599"),
        (Answer::of(200, "text/html", html), "captive portal"),
        (Answer::of(400, "text/html", html), "400"),
        (Answer::of(401, "text/html", html), "401"),
        (Answer::of(511, "text/html", html), "511"),
        (
            Answer::of(302, "text/html", html).header("Location", "/portal"),
            "302",
        ),
        (
            Answer::of(307, "text/html", "").header("Location", "/token"),
            "307",
        ),
        (Answer::of(204, "text/plain", ""), "204"),
        (Answer::of(200, "application/json", ""), "empty"),
        (
            Answer::json(200, "{\"error\": \"invalid_grant\""),
            "cut off",
        ),
        (Answer::json(200, "[]"), "token_uri"),
        (Answer::json(200, "null"), "token_uri"),
        (Answer::json(400, "\"invalid_grant\""), "400"),
        (
            Answer::of(200, "application/json", b"\xff\xfe\x00{\x80".as_slice()),
            "200",
        ),
        (
            Answer::error(400, "invalid_request", "try POST"),
            "try POST",
        ),
        (
            Answer::error(400, "temporarily_unavailable", ""),
            "temporarily_unavailable",
        ),
        (Answer::error(400, "interaction_required", "MFA"), "MFA"),
        (Answer::error(400, "INVALID_GRANT", ""), "INVALID_GRANT"),
        (
            Answer::error(400, "invalid_grant\u{0}", ""),
            "invalid_grant",
        ),
        (
            Answer::json(400, "{\"error\": {\"code\": \"invalid_grant\"}}"),
            "",
        ),
        (good(&both), "invalid_grant"),
        (
            good(&json!({"access_token": ""})),
            "without an access token",
        ),
        (
            good(&json!({"access_token": null})),
            "without an access token",
        ),
        (good(&json!({"access_token": 7})), ""),
        (good(&json!({"access_token": "a\nb"})), "cannot be used"),
        (good(&json!({"token_type": "mac"})), "'mac'"),
        (Answer::own().cut_after(0), ""),
        (
            Answer::json(200, "{\"access_token\":\"SECRET\"}").cut_after(30),
            "",
        ),
        (
            Answer::json(200, "{\"access_token\":\"SECRET\"}").cut_after(105),
            "",
        ),
    ] {
        let run = refresh(&provider, &user, answer).expect(4);
        assert!(run.err.contains(said), "no '{said}' in {run:?}");
        assert!(
            run.err.starts_with("ERROR - ") && run.err.lines().count() == 1,
            "{run:?}"
        );
        assert_eq!(user.token("a"), before);
        assert!(user.status("a")["last_error"].is_string());
    }
    user.run(&["refresh", "a"]).expect(0);
    assert_ne!(user.token("a"), before);
    // No redirect was followed.
    assert!(
        provider
            .requests()
            .iter()
            .all(|it| it.line == "POST /token HTTP/1.1")
    );
}

#[test]
fn huge_and_deep_answers_are_survived() {
    let (provider, user) = set_up();
    let before = user.token("a");
    let deep = "[".repeat(500_000);
    for body in [
        deep.clone(),
        format!("{{\"a\":{deep}"),
        format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)),
        "x".repeat(3 * 1024 * 1024),
        format!("{{\"error\":\"{}\"}}", "e".repeat(500_000)),
        format!(
            "{{\"error\":\"x\",\"error_description\":\"{}\"}}",
            "\\u001b[31m\\n".repeat(50_000)
        ),
    ] {
        let run = refresh(&provider, &user, Answer::json(400, &body)).expect(4);
        assert!(run.err.len() < 4096, "{}", run.err.len());
        assert!(!run.err.contains('\u{1b}'), "{run:?}");
        assert_eq!(user.token("a"), before);
    }
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn an_answer_in_drops_delays_nobody_and_arrives() {
    let (provider, user) = set_up();
    let body = "{\"access_token\":\"SECRET-drops\"}";
    let drips = Answer::json(200, body).drip(Duration::from_millis(20));
    provider.script(drips);
    let mut child = user.spawn(&["refresh", "a"]);
    provider.wait_for_refreshes(1);
    user.token("a");
    assert!(child.wait().unwrap().success());
    assert_eq!(user.token("a"), "SECRET-drops");
}

#[test]
fn a_new_refresh_token_is_kept_whatever_else_is_wrong() {
    let (provider, user) = set_up();
    let odd = json!({"access_token": "SECRET-x", "expires_in": 0, "refresh_token": "SECRET-next"});
    refresh(&provider, &user, Answer::json(200, &odd.to_string())).expect(4);
    provider.script(good(&json!({"refresh_token": "SECRET-last"})));
    user.run(&["refresh", "a"]).expect(0);
    let sent = provider.refreshes();
    assert_eq!(sent[1].field("refresh_token"), Some("SECRET-next"));
    provider.script(good(&json!({})));
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(
        provider.refreshes()[2].field("refresh_token"),
        Some("SECRET-last")
    );
}

#[test]
fn what_was_granted_is_told() {
    let (provider, user) = set_up();
    let scope = json!({"scope": "mail.read  \u{1b}]0;evil\u{7}"});
    refresh(&provider, &user, good(&scope)).expect(0);
    let text = user.run(&["status"]).expect(0).out;
    assert!(text.contains("granted mail.read"), "{text}");
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text}"
    );
}
