//! How the client proves itself, where its secret comes from, and clients that need no user,
//! through the real server.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use support::provider::quoted;
use support::*;

fn client_credentials(provider: &Provider, name: &str, more: &str) -> String {
    format!(
        "account \"{name}\" {{ grant = \"client_credentials\"; token_uri = \"{}\"; \
         client_id = \"robot\"; scopes = [\"a\", \"b\"]; {more} }}\n",
        provider.token_uri()
    )
}

/// Grants whoever sends this secret a numbered token.
fn knows(provider: &Provider, secret: &str) {
    let secret = secret.to_owned();
    let count = std::sync::atomic::AtomicU32::new(0);
    provider.rule(move |request| {
        if request.field("client_secret") != Some(&secret) {
            return Some(Answer::error(401, "invalid_client", "wrong secret"));
        }
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let body = json!({
            "access_token": format!("SECRET-own-{number}"),
            "token_type": "Bearer",
            "expires_in": 3600,
            // Some send one all the same.
            "refresh_token": "SECRET-useless",
        });
        Some(Answer::json(200, &body.to_string()))
    });
}

#[test]
fn a_client_that_asks_for_itself_needs_nobody() {
    let provider = Provider::start();
    knows(&provider, "s&c");
    let mut user = Pizauth::new();
    let events = Record::new(&user, "events");
    user.write_config(&format!(
        "token_event_cmd = {};\n{}",
        events.command("$PIZAUTH_EVENT"),
        client_credentials(
            &provider,
            "a",
            "client_secret = \"s&c\"; resource = \"https://x.example\";"
        )
    ));
    user.start_foreground();
    // It is asked for before anybody wants it.
    wait_until("there is a token", || user.state("a") == "active");
    assert_eq!(user.token("a"), "SECRET-own-1");
    let request = provider.requests().remove(0);
    assert_eq!(request.field("grant_type"), Some("client_credentials"));
    assert_eq!(request.field("scope"), Some("a b"));
    assert_eq!(request.field("resource"), Some("https://x.example"));
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), "SECRET-own-2");
    assert!(
        provider.refreshes().is_empty(),
        "a refresh token is of no use to it"
    );
    let run = user.run(&["revoke", "a"]).expect(0);
    assert!(run.err.contains("forgotten"), "{run:?}");
    let run = user.run(&["show", "--wait=20s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-own-3\n");
    let lines = events.wait_for_lines(4);
    assert_eq!(
        lines,
        ["token_new", "token_refreshed", "token_revoked", "token_new"]
    );
    let run = user.run(&["login", "a"]).expect(1);
    assert!(run.err.contains("needs no login"), "{run:?}");
}

#[test]
fn a_client_that_is_refused_says_so_and_waits_for_the_configuration() {
    let provider = Provider::start();
    knows(&provider, "right");
    let wrong = client_credentials(&provider, "a", "client_secret = \"wrong\";");
    let mut user = Pizauth::with_config(&wrong);
    user.start_foreground();
    wait_until("it is refused", || user.show("a").code == 1);
    let run = user.show("a").expect(1);
    assert!(run.err.contains("invalid_client: wrong secret"), "{run:?}");
    let requests = provider.requests().len();
    user.write_config(&wrong.replace("wrong", "right"));
    user.run(&["reload"]).expect(0);
    let run = user.run(&["show", "--wait=20s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-own-1\n");
    assert_eq!(requests, 1, "no retries with a wrong secret");
}

#[test]
fn a_secret_that_a_command_prints() {
    let provider = Provider::start();
    knows(&provider, "s1");
    let mut user = Pizauth::new();
    let store = user.dir().join("store");
    std::fs::write(&store, "s1\nnotes that are no secret\n").unwrap();
    let runs = Record::new(&user, "runs");
    let script = format!(
        "{}; cat '{}'",
        runs.script("$PIZAUTH_ACCOUNT"),
        store.display()
    );
    let secret = format!("client_secret_cmd = {};", quoted(&script));
    user.write_config(&client_credentials(&provider, "a", &secret));
    user.start_foreground();
    let run = user.run(&["show", "--wait=20s", "a"]).expect(0);
    assert_eq!(run.out, "SECRET-own-1\n");
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(runs.lines(), ["a"], "what it printed is kept");
    // The provider has another one now, and so has the store.
    knows(&provider, "s2");
    std::fs::write(&store, "s2\n").unwrap();
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(runs.lines(), ["a", "a"]);
    // The store has not: the command is asked, and the provider is not asked twice for nothing.
    knows(&provider, "s3");
    let before = provider.requests().len();
    let run = user.run(&["refresh", "a"]).expect(1);
    assert!(run.err.contains("invalid_client"), "{run:?}");
    assert_eq!(provider.requests().len(), before + 1);
    assert_eq!(runs.lines(), ["a", "a", "a"]);
    std::fs::write(&store, "s3\n").unwrap();
    user.run(&["reload"]).expect(0);
    wait_until("the new secret is tried", || {
        user.run(&["refresh", "a"]).code == 0
    });
}

#[test]
fn a_command_that_prints_no_secret_is_told() {
    let provider = Provider::start();
    for (script, told) in [
        ("exit 3", "client_secret_cmd ended with exit status 3"),
        ("echo", "client_secret_cmd printed nothing"),
        ("printf '\\\\377'", "not UTF-8"),
        ("kill -9 $$", "signal 9"),
    ] {
        let secret = format!("client_secret_cmd = \"{script}\";");
        let mut user = Pizauth::with_config(&client_credentials(&provider, "a", &secret));
        user.start_foreground();
        wait_until(told, || user.show("a").expect(4).err.contains(told));
    }
    assert!(provider.requests().is_empty());
}

#[test]
fn basic_authentication_encodes_what_it_must() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(
        &provider.account("a", "client_auth = \"basic\"; client_secret = \"p:ä% +&\";"),
    );
    user.start_foreground();
    log_in(&provider, &user.url("a"));
    user.token("a");
    let request = provider.requests().remove(0);
    let header = request.header("authorization").unwrap();
    let credentials = STANDARD.decode(header.strip_prefix("Basic ").unwrap());
    assert_eq!(
        String::from_utf8(credentials.unwrap()).unwrap(),
        "mail:p%3A%C3%A4%25+%2B%26".replace("%25+", "%25%20")
    );
    assert_eq!(request.field("client_secret"), None);
    assert_eq!(request.field("client_id"), None);
}

#[test]
fn gitlab_gets_the_redirect_uri_again() {
    let provider = Provider::start();
    let account = format!(
        "account \"a\" {{ provider = \"gitlab\"; auth_uri = \"{}\"; token_uri = \"{}\"; \
         client_id = \"mail\"; }}",
        provider.auth_uri(),
        provider.token_uri()
    );
    let mut user = Pizauth::with_config(&account);
    user.start_foreground();
    log_in(&provider, &user.url("a"));
    user.token("a");
    let sent = provider.requests()[0]
        .field("redirect_uri")
        .unwrap()
        .to_owned();
    let dump = user.run(&["dump"]).expect(0).out;
    user.run(&["refresh", "a"]).expect(0);
    user.restart();
    user.run_with_input(&["restore"], &dump).expect(0);
    user.run(&["refresh", "a"]).expect(0);
    for request in provider.refreshes() {
        assert_eq!(request.field("redirect_uri"), Some(&*sent));
    }
    assert_eq!(provider.refreshes().len(), 2);
}
