//! The facts, with and without a server.

use jiff::tz::TimeZone;

use super::*;
use crate::protocol::BadReply;

fn facts(server: Result<Value, ClientError>) -> Facts {
    Facts {
        config: Ok("/home/me/.config/pizauth.conf".into()),
        paths: RuntimePaths::within("/run/me/pizauth".into()),
        socket: "/run/me/pizauth/pizauth.sock".into(),
        server,
    }
}

fn server(version: &str) -> Value {
    json!({
        "version": version,
        "pid": 42,
        "config": "/home/me/other.conf",
        "http_listen": ["127.0.0.1:1234", "[::1]:1234"],
        "accounts": 3,
        "started_at": "2025-03-10T12:00:00Z",
        "news": true,
    })
}

fn text(facts: &Facts) -> String {
    facts.text(&Clock {
        now: "2025-03-10T13:10:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
    })
}

#[test]
fn without_a_server_there_are_still_facts() {
    let expected = format!(
        "version:           {VERSION}
configuration:     /home/me/.config/pizauth.conf
runtime directory: /run/me/pizauth
socket:            /run/me/pizauth/pizauth.sock
server:            not running
"
    );
    assert_eq!(text(&facts(Err(ClientError::NotRunning))), expected);
}

#[test]
fn a_running_server_s_facts_are_added() {
    let text = text(&facts(Ok(server(VERSION))));
    let expected = format!(
        "server:            running, pid 42
  version:         {VERSION}
  started:         12:00 (1h 10m ago)
  configuration:   /home/me/other.conf
  listens at:      127.0.0.1:1234, [::1]:1234
  accounts:        3
"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn the_certificate_can_be_compared_with_what_the_browser_shows() {
    let mut server = server(VERSION);
    server["https_listen"] = json!(["127.0.0.1:443", "[::1]:443"]);
    server["https_fingerprint"] = json!("AB:CD");
    let both = text(&facts(Ok(server.clone())));
    let expected = "  listens at:      127.0.0.1:1234, [::1]:1234
  https at:        127.0.0.1:443, [::1]:443
  certificate:     SHA-256 AB:CD
";
    assert!(both.contains(expected), "{both}");
    server["http_listen"] = json!([]);
    let text = text(&facts(Ok(server)));
    assert!(
        !text.contains("listens at") && text.contains("https at"),
        "{text}"
    );
}

#[test]
fn a_server_of_another_version_is_pointed_out() {
    let text = text(&facts(Ok(server("99.0.0"))));
    assert!(
        text.contains("note:              the server is version 99.0.0"),
        "{text}"
    );
}

#[test]
fn a_server_that_does_not_answer_is_a_fact() {
    let text = text(&facts(Err(ClientError::NoAnswer)));
    assert!(text.contains("does not answer"), "{text}");
    let text = self::text(&facts(Ok(json!({"version": 1}))));
    assert!(text.contains("not understood"), "{text}");
}

fn as_json(facts: &Facts) -> Value {
    serde_json::from_str(&facts.json().unwrap()).unwrap()
}

#[test]
fn json_has_the_same_facts() {
    let value = as_json(&facts(Ok(server("99.0.0"))));
    assert_eq!(value["version"], VERSION);
    assert_eq!(value["config"], "/home/me/.config/pizauth.conf");
    assert_eq!(value["runtime_dir"], "/run/me/pizauth");
    assert_eq!(value["socket"], "/run/me/pizauth/pizauth.sock");
    assert_eq!(value["server"], server("99.0.0"));
    assert_eq!(value.get("server_error"), None);
}

#[test]
fn json_says_why_there_is_no_server() {
    let value = as_json(&facts(Err(ClientError::NotRunning)));
    assert_eq!(value["server"], Value::Null);
    assert_eq!(value.get("server_error"), None);
    let mut facts = facts(Err(BadReply::CutOff.into()));
    facts.config = Err(PathError::NoHome);
    let value = as_json(&facts);
    assert_eq!(value["config"], Value::Null);
    assert!(value["server_error"].as_str().unwrap().contains("closed"));
    assert!(text(&facts).contains("name it with '-c'"));
}
