//! Endpoints that the issuer is asked for (RFC 8414, OpenID Connect Discovery), and the issuer in
//! the browser's return (RFC 9207), through the real server.

mod support;

use serde_json::json;
use support::browser::back;
use support::browser::field;
use support::*;

fn issuer(provider: &Provider) -> String {
    provider.token_uri().replace("/token", "")
}

fn account(provider: &Provider, name: &str, more: &str) -> String {
    format!(
        "account \"{name}\" {{ issuer = \"{}\"; client_id = \"mail\"; {more} }}\n",
        issuer(provider)
    )
}

fn metadata(provider: &Provider) -> serde_json::Value {
    json!({
        "issuer": issuer(provider),
        "authorization_endpoint": provider.auth_uri(),
        "token_endpoint": provider.token_uri(),
        "device_authorization_endpoint": format!("{}/device", issuer(provider)),
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
    })
}

/// Serves the metadata at OpenID Connect's place.
fn publish(provider: &Provider, metadata: &serde_json::Value) {
    let text = metadata.to_string();
    provider.rule(move |request| {
        if request
            .line
            .starts_with("GET /.well-known/openid-configuration ")
        {
            return Some(Answer::json(200, &text));
        }
        let other = request.line.starts_with("GET ");
        other.then(|| Answer::of(404, "text/html", "<html>no such page</html>"))
    });
}

fn lookups(provider: &Provider) -> usize {
    let requests = provider.requests();
    let is_lookup = |request: &&Request| request.line.contains("/.well-known/openid-conf");
    requests.iter().filter(is_lookup).count()
}

/// Waits for a URL to log in at.
fn url(user: &Pizauth, name: &str) -> String {
    wait_until("there is a URL", || user.show(name).code == 3);
    user.url(name)
}

fn come_back(provider: &Provider, url: &str, iss: Option<&str>) -> Page {
    let mut location = provider.consent(url);
    if let Some(iss) = iss {
        let iss: String = url::form_urlencoded::byte_serialize(iss.as_bytes()).collect();
        location.push_str(&format!("&iss={iss}"));
    }
    visit(&location)
}

#[test]
fn an_account_of_two_lines() {
    let provider = Provider::start();
    publish(&provider, &metadata(&provider));
    let mut user = Pizauth::with_config(
        &(account(&provider, "a", "scopes = [\"x\"];") + &account(&provider, "b", "")),
    );
    user.start_foreground();
    assert_eq!(lookups(&provider), 0, "nobody has asked for anything");
    let first = user.show("a").expect(4);
    assert!(first.err.contains("asked how to log in"), "{first:?}");
    let login = url(&user, "a");
    assert!(login.starts_with(&provider.auth_uri()));
    let page = come_back(&provider, &login, Some(&issuer(&provider)));
    assert_eq!(page.status, 200, "{page:?}");
    user.token("a");
    user.run(&["refresh", "a"]).expect(0);
    user.url("b");
    assert_eq!(lookups(&provider), 1, "the answer is kept for all accounts");
    user.run(&["reload"]).expect(0);
    user.token("a");
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(
        lookups(&provider),
        2,
        "until the configuration is read again"
    );
}

#[test]
fn the_issuer_in_the_return_is_checked() {
    let provider = Provider::start();
    publish(&provider, &metadata(&provider));
    let mut user = Pizauth::with_config(&account(&provider, "a", ""));
    user.start_foreground();
    let wrong = [
        Some("https://evil.example"),
        Some(&*format!("{}/", issuer(&provider))),
        None,
    ]
    .map(|iss| iss.map(str::to_owned));
    for iss in wrong {
        let login = url(&user, "a");
        let page = come_back(&provider, &login, iss.as_deref());
        assert_eq!(page.status, 400, "{iss:?}: {page:?}");
        assert_eq!(user.state("a"), "empty", "{iss:?}");
        let token_requests = provider.requests();
        let posts = token_requests
            .iter()
            .filter(|it| it.line.starts_with("POST"));
        assert_eq!(posts.count(), 0, "the code went nowhere");
    }
    let login = url(&user, "a");
    let state = field(&login, "state").unwrap();
    let refusal = back(&login, &format!("error=access_denied&state={state}"));
    assert_eq!(visit(&refusal).status, 400);
    let status = user.status("a");
    let told = status["last_error"].as_str().unwrap();
    assert!(!told.contains("access_denied"), "a stranger's word: {told}");
}

#[test]
fn an_issuer_that_is_not_the_one_is_told_and_loses_nothing() {
    let provider = Provider::start();
    let mut wrong = metadata(&provider);
    wrong["issuer"] = json!(format!("{}/", issuer(&provider)));
    publish(&provider, &wrong);
    let mut user = Pizauth::new();
    let errors = Record::new(&user, "errors");
    user.write_config(&format!(
        "error_notify_cmd = {};\n{}",
        errors.command("$PIZAUTH_MSG"),
        account(&provider, "a", "")
    ));
    user.start_foreground();
    user.show("a").expect(4);
    let told = errors.wait_for_line("login of account 'a' failed");
    assert!(told.contains("issuer"), "{told}");
    publish(&provider, &metadata(&provider));
    let login = url(&user, "a");
    come_back(&provider, &login, Some(&issuer(&provider)));
    user.token("a");
    // A provider that goes astray costs nobody a login.
    publish(&provider, &wrong);
    user.run(&["reload"]).expect(0);
    user.run(&["refresh", "a"]).expect(4);
    user.token("a");
}

#[test]
fn a_provider_that_is_down_is_no_mistake_of_the_configurations() {
    let provider = Provider::start();
    publish(&provider, &metadata(&provider));
    let mut user = Pizauth::with_config(&account(&provider, "a", ""));
    user.start_foreground();
    provider.go_down();
    user.show("a").expect(4);
    wait_until("the reason is told", || {
        user.show("a")
            .expect(4)
            .err
            .contains("refuses the connection")
    });
    provider.come_back();
    url(&user, "a");
}

#[test]
fn what_the_account_writes_wins() {
    let provider = Provider::start();
    let mut other = metadata(&provider);
    other["token_endpoint"] = json!("http://127.0.0.1:9/nowhere");
    publish(&provider, &other);
    let written = format!("token_uri = \"{}\";", provider.token_uri());
    let mut user = Pizauth::with_config(&account(&provider, "a", &written));
    user.start_foreground();
    let login = url(&user, "a");
    come_back(&provider, &login, Some(&issuer(&provider)));
    user.token("a");
}
