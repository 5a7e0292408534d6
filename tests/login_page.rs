//! The browser's return: what the page says, how it is sent, and where it is waited for.

mod support;

use std::net::{Ipv6Addr, TcpListener};

use support::browser::{back, field, request};
use support::*;

/// A provider, and a user with the account `a` there.
fn set_up(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    (provider, user)
}

#[test]
fn both_families_of_loopback_are_listened_at() {
    let (provider, user) = set_up("");
    let listeners = user.listeners();
    let port = listeners[0].rsplit_once(':').unwrap().1;
    assert_eq!(listeners[0], format!("127.0.0.1:{port}"));
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // There is no IPv6 here.
        return;
    }
    assert_eq!(listeners[1], format!("[::1]:{port}"));
    let location = provider.consent(&user.url("a"));
    let page = visit_at(Ipv6Addr::LOCALHOST.into(), &location);
    assert_eq!(page.status, 200, "{page:?}");
    user.token("a");
}

#[test]
fn the_page_keeps_to_itself() {
    let provider = Provider::start();
    let name = r#"<b onload="x">'&"#;
    let user = Pizauth::start(&provider.account(name, ""));
    let location = provider.consent(&user.url(name));
    let page = visit(&location);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(page.text.contains("You are logged in"));
    assert!(!page.text.contains("<b onload"), "{}", page.text);
    assert!(page.text.contains("&lt;b onload"), "{}", page.text);
    assert!(
        page.text.contains("replaceState"),
        "the code is in the address bar"
    );
    for secret in [
        field(&location, "code"),
        field(&location, "state"),
        Some(user.token(name)),
    ] {
        assert!(!page.text.contains(&secret.unwrap()));
    }
    assert!(!page.text.contains("http://") && !page.text.contains("https://"));
}

#[test]
fn the_page_waits_for_the_exchange_and_says_why_it_failed() {
    let (provider, user) = set_up("");
    for (answer, why) in [
        (
            Answer::error(400, "invalid_grant", "code <expired>"),
            "code &lt;expired&gt;",
        ),
        (
            Answer::error(200, "server_error", "come back later"),
            "come back later",
        ),
        (
            Answer::error(401, "invalid_client", "no such client"),
            "no such client",
        ),
        (Answer::of(503, "text/html", "<html>busy</html>"), "503"),
        (
            Answer::of(200, "text/html", "<!DOCTYPE html><p>log in</p>"),
            "captive portal",
        ),
        (Answer::json(200, "{}"), "without an access token"),
        (Answer::json(200, "{\"access_token\":"), "cut off"),
        (Answer::json(200, "{}").cut_after(10), "failed"),
        (
            Answer::of(302, "text/html", "").header("Location", "http://127.0.0.1:1/"),
            "redirect",
        ),
    ] {
        let url = user.url("a");
        provider.script(answer);
        let page = log_in(&provider, &url);
        assert_eq!(page.status, 400, "{page:?}");
        assert!(page.text.contains("The login failed"), "{}", page.text);
        assert!(page.text.contains(why), "no '{why}' in {}", page.text);
        assert_eq!(user.state("a"), "empty");
        assert!(user.status("a")["last_error"].is_string());
        assert_ne!(user.url("a"), url, "a spent URL is shown");
    }
    assert_eq!(log_in(&provider, &user.url("a")).status, 200);
    assert!(user.status("a").get("last_error").is_none());
}

#[test]
fn a_provider_that_is_not_there_is_told_by_the_page() {
    let (provider, user) = set_up("");
    let location = provider.consent(&user.url("a"));
    provider.go_down();
    let page = visit(&location);
    assert_eq!(page.status, 400);
    assert!(
        page.text.contains("127.0.0.1 refuses the connection"),
        "{}",
        page.text
    );
    provider.come_back();
    assert_eq!(log_in(&provider, &user.url("a")).status, 200);
}

#[test]
fn a_refusal_is_told_once_and_ends_the_request() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let errors = Record::new(&user, "errors");
    let command = errors.command("$PIZAUTH_ACCOUNT|$PIZAUTH_MSG");
    user.write_config(&format!(
        "error_notify_cmd = {command};\n{}",
        provider.account("a", "")
    ));
    user.start_foreground();
    let url = user.url("a");
    let state = field(&url, "state").unwrap();
    let refused = back(
        &url,
        &format!("error=access_denied&error_description=not+%3Cyou%3E%0a&state={state}&code=x"),
    );
    let page = visit(&refused);
    assert_eq!(page.status, 400);
    assert!(page.text.contains("access_denied"), "{}", page.text);
    assert!(page.text.contains("not &lt;you&gt;"), "{}", page.text);
    assert_eq!(visit(&refused).status, 400);
    let lines = errors.wait_for_lines(1);
    assert!(lines[0].starts_with("a|"), "{lines:?}");
    assert!(lines[0].contains("access_denied: not <you>"), "{lines:?}");
    assert_eq!(user.state("a"), "empty");
    assert_ne!(user.url("a"), url);
    log_in(&provider, &user.url("a"));
    // Whatever else was told would have been told by now.
    user.run(&["shutdown"]).expect(0);
    assert_eq!(errors.lines().len(), 1, "{:?}", errors.lines());
    assert!(
        provider
            .requests()
            .iter()
            .all(|it| it.field("code") != Some("x"))
    );
}

#[test]
fn what_is_no_answer_gets_a_page_of_its_own() {
    let (_provider, user) = set_up("");
    let listener = user.listeners()[0].clone();
    let address = listener.parse().unwrap();
    let get = |text: &str| request(address, text).status;
    assert_eq!(
        get(&format!("GET / HTTP/1.1\r\nHost: {listener}\r\n\r\n")),
        200
    );
    assert_eq!(
        get(&format!(
            "GET /favicon.ico HTTP/1.1\r\nHost: {listener}\r\n\r\n"
        )),
        404
    );
    assert_eq!(
        get(&format!("POST / HTTP/1.1\r\nHost: {listener}\r\n\r\n")),
        405
    );
    assert_eq!(get("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 400);
    assert_eq!(get("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(get("hello\r\n\r\n"), 400);
    user.url("a");
}
