//! Logging in: from `show`'s URL over the provider and the browser's return to a token.
//!
//! That the verifier, the redirect URI and the client are the right ones is for the scripted
//! provider to check.

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use support::browser::{back, field};
use support::pizauth::url_in;
use support::*;

/// A provider, and a user with the account `a` there.
fn set_up(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    (provider, user)
}

fn exchanges(provider: &Provider) -> usize {
    let requests = provider.requests();
    let exchanges = requests.iter();
    exchanges
        .filter(|it| it.field("grant_type") == Some("authorization_code"))
        .count()
}

#[test]
fn a_login_brings_a_token() {
    let (provider, user) = set_up("");
    assert_eq!(user.state("a"), "empty");
    let page = log_in(&provider, &user.url("a"));
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(user.token("a"), provider.last_token());
    assert_eq!(user.state("a"), "active");
    let exchange = &provider.requests()[0];
    assert_eq!(exchange.line, "POST /token HTTP/1.1");
    assert_eq!(exchange.header("accept"), Some("application/json"));
    assert_eq!(
        exchange.field_names(),
        [
            "grant_type",
            "code",
            "redirect_uri",
            "code_verifier",
            "client_id"
        ]
    );
    let verifier = exchange.field("code_verifier").unwrap();
    assert!((43..=128).contains(&verifier.len()), "{verifier}");
}

#[test]
fn the_url_has_what_the_account_says_and_nothing_secret() {
    let (_provider, user) = set_up(
        r#"client_secret = "SECRET&="; resource = "https://mail.example/?a=b&c";
           login_hint = "me+you@example.com";
           auth_uri_fields = {"prompt": "a b", "access_type": "offline", "prompt": "c"};
           redirect_uri = "http://127.0.0.1/back/here";"#,
    );
    let url = user.url("a");
    assert!(!url.contains("SECRET"), "{url}");
    let port = user.listeners()[0].rsplit_once(':').unwrap().1.to_owned();
    let get = |name: &str| field(&url, name).unwrap();
    assert_eq!(get("response_type"), "code");
    assert_eq!(get("client_id"), "mail");
    assert_eq!(
        get("redirect_uri"),
        format!("http://127.0.0.1:{port}/back/here")
    );
    assert_eq!(get("scope"), "mail.read mail.send");
    assert_eq!(get("code_challenge_method"), "S256");
    assert_eq!(get("resource"), "https://mail.example/?a=b&c");
    assert_eq!(get("login_hint"), "me+you@example.com");
    assert_eq!(
        URL_SAFE_NO_PAD.decode(get("code_challenge")).unwrap().len(),
        32
    );
    assert!(URL_SAFE_NO_PAD.decode(get("state")).unwrap().len() >= 32);
    let all = fields(&url);
    let added: Vec<&str> = all
        .iter()
        .filter(|(name, _)| name == "prompt" || name == "access_type")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(added, ["a b", "offline", "c"]);
    // Only what may be there more than once is.
    for name in [
        "state",
        "client_id",
        "redirect_uri",
        "code_challenge",
        "scope",
    ] {
        assert_eq!(all.iter().filter(|(found, _)| found == name).count(), 1);
    }
}

#[test]
fn a_secret_is_sent_in_one_way_only() {
    let provider = Provider::start();
    let post = provider.account("post", "client_secret = \"SECRET:%\";");
    let basic = "client_secret = \"SECRET:%\"; client_auth = \"basic\";";
    let user = Pizauth::start(&(post + &provider.account("basic", basic)));
    for name in ["post", "basic"] {
        assert_eq!(log_in(&provider, &user.url(name)).status, 200);
        user.run(&["refresh", name]).expect(0);
    }
    for request in &provider.requests()[..2] {
        assert_eq!(request.field("client_secret"), Some("SECRET:%"));
        assert_eq!(request.header("authorization"), None);
    }
    for request in &provider.requests()[2..] {
        assert_eq!(request.field("client_secret"), None);
        assert_eq!(request.field("client_id"), None);
        let expected = base64::engine::general_purpose::STANDARD.encode("mail:SECRET%3A%25");
        assert_eq!(
            request.header("authorization"),
            Some(&*format!("Basic {expected}"))
        );
    }
}

#[test]
fn until_somebody_logs_in_the_url_stays() {
    let (provider, user) = set_up("");
    let url = user.url("a");
    assert_eq!(user.url("a"), url);
    assert_eq!(url_in(&user.run(&["refresh", "a"])), url);
    assert_eq!(user.status("a")["url"], url.as_str());
    let run = user.run(&["show", "-u", "a"]).expect(3);
    assert_eq!(run.err, "ERROR - Token unavailable until authorised\n");
    assert_eq!(run.out, "");
    let run = user.run(&["refresh", "-u", "a"]).expect(3);
    assert_eq!(run.err, "ERROR - Token unavailable until authorised\n");
    log_in(&provider, &url);
    assert!(user.status("a").get("url").is_none());
}

#[test]
fn each_request_is_fresh() {
    let (provider, user) = set_up("");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let url = user.url("a");
        for name in ["state", "code_challenge"] {
            let value = field(&url, name).unwrap();
            assert!(!seen.contains(&value), "'{name}' was used twice");
            seen.push(value);
        }
        log_in(&provider, &url);
        user.run(&["revoke", "a"]).expect(0);
    }
}

#[test]
fn a_state_is_good_once() {
    let (provider, user) = set_up("");
    let location = provider.consent(&user.url("a"));
    assert_eq!(visit(&location).status, 200);
    let token = user.token("a");
    let again = visit(&location);
    assert_eq!(again.status, 400);
    assert!(again.text.contains("not expected"), "{}", again.text);
    assert_eq!(exchanges(&provider), 1);
    assert_eq!(user.token("a"), token);
}

#[test]
fn two_browsers_with_the_same_answer_make_one_exchange() {
    let (provider, user) = set_up("");
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let location = provider.consent(&user.url("a"));
    let first = {
        let location = location.clone();
        std::thread::Builder::new().spawn(move || visit(&location))
    };
    wait_until("the code is being exchanged", || exchanges(&provider) == 1);
    assert_eq!(user.state("a"), "exchanging");
    let run = user.show("a").expect(4);
    assert!(run.err.contains("just being logged in"), "{run:?}");
    user.run(&["refresh", "a"]).expect(4);
    assert_eq!(visit(&location).status, 400);
    gate.open();
    assert_eq!(first.unwrap().join().unwrap().status, 200);
    assert_eq!(exchanges(&provider), 1);
}

#[test]
fn an_answer_to_something_else_changes_nothing() {
    let (provider, user) = set_up("redirect_uri = \"http://localhost/back\";");
    let url = user.url("a");
    let state = field(&url, "state").unwrap();
    let wrong_path = back(&url, &format!("code=x&state={state}")).replace("/back", "/elsewhere");
    for (location, status) in [
        (back(&url, "code=x&state=wrong"), 400),
        (back(&url, &format!("code=x&state={}", &state[1..])), 400),
        (back(&url, &format!("code=x&state={state}x")), 400),
        (back(&url, "code=x"), 400),
        (back(&url, &format!("state={state}")), 400),
        (back(&url, &format!("code=&state={state}")), 400),
        (
            back(&url, &format!("code=x&state={state}&state={state}")),
            400,
        ),
        (back(&url, &format!("code=x&code=y&state={state}")), 400),
        (back(&url, "error=access_denied&state=wrong"), 400),
        (wrong_path, 400),
        (back(&url, ""), 404),
    ] {
        assert_eq!(visit(&location).status, status, "{location}");
    }
    assert_eq!(user.url("a"), url);
    assert_eq!(provider.requests().len(), 0);
    assert_eq!(log_in(&provider, &url).status, 200);
}

#[test]
fn long_tokens_and_codes_work() {
    let (provider, user) = set_up("");
    for length in [8 * 1024, 20 * 1024, 100 * 1024, 900 * 1024] {
        let token = "x".repeat(length);
        let body = format!("{{\"access_token\": \"{token}\", \"token_type\": \"bearer\"}}");
        provider.script(Answer::json(200, &body));
        assert_eq!(log_in(&provider, &user.url("a")).status, 200, "{length}");
        assert!(user.token("a") == token, "{length}");
        user.run(&["revoke", "a"]).expect(0);
    }
    // Longer than a request to the redirect listener may be as a whole: an answer, not a hang.
    for length in [1024, 4096, 12 * 1024] {
        let url = user.url("a");
        let code = format!("SECRET%2F{}", "c".repeat(length));
        let state = field(&url, "state").unwrap();
        provider.script(Answer::json(200, "{\"access_token\": \"SECRET\"}"));
        let page = visit(&back(&url, &format!("state={state}&code={code}")));
        assert_eq!(page.status, 200, "{length}");
        let sent = provider.requests().pop().unwrap();
        assert_eq!(sent.field("code"), Some(&*code.replace("%2F", "/")));
        user.run(&["revoke", "a"]).expect(0);
    }
    let url = user.url("a");
    let page = visit(&back(&url, &format!("code={}", "c".repeat(16 * 1024))));
    assert_eq!(page.status, 431);
    assert_eq!(user.url("a"), url);
}

#[test]
fn an_answer_that_is_too_long_is_a_failure() {
    let (provider, user) = set_up("");
    let body = format!("{{\"access_token\": \"{}\"}}", "x".repeat(1024 * 1024));
    provider.script(Answer::json(200, &body));
    let page = log_in(&provider, &user.url("a"));
    assert_eq!(page.status, 400);
    assert!(page.text.contains("longer than"), "{}", page.text);
}

#[test]
fn accounts_log_in_side_by_side() {
    let provider = Provider::start();
    let config: String = (0..20)
        .map(|number| provider.account(&format!("account {number}"), ""))
        .collect();
    let user = Pizauth::start(&config);
    let urls: Vec<String> = (0..20).map(|n| user.url(&format!("account {n}"))).collect();
    // Backwards, so that no order is taken for granted.
    let mut tokens = Vec::new();
    for url in urls.iter().rev() {
        assert_eq!(log_in(&provider, url).status, 200);
        tokens.push(provider.last_token());
    }
    for (number, token) in tokens.iter().rev().enumerate() {
        assert_eq!(user.token(&format!("account {number}")), *token);
    }
}

#[test]
fn a_token_without_a_refresh_token_is_good_until_it_expires() {
    let (provider, user) = set_up("");
    provider.script(Answer::json(
        200,
        "{\"access_token\":\"SECRET-1\",\"expires_in\":5}",
    ));
    log_in(&provider, &user.url("a"));
    assert_eq!(user.token("a"), "SECRET-1");
    assert_eq!(user.status("a")["refreshable"], false);
    // Asking for a new login does not take away what is still good.
    let url = url_in(&user.run(&["refresh", "a"]));
    let shown = wait_for("the token's end", || {
        let run = user.show("a");
        (run.code != 0).then_some(run)
    });
    assert_eq!(url_in(&shown), url);
    assert_eq!(log_in(&provider, &url).status, 200);
    assert_eq!(user.token("a"), provider.last_token());
}
