//! Tables of accounts -> text.

use jiff::tz::TimeZone;

use super::*;

fn clock() -> Clock {
    Clock {
        now: "2025-03-10T13:10:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
    }
}

fn shown(document: &str) -> String {
    table(document, &clock()).unwrap()
}

const EVERYTHING: &str = r#"{"accounts": [
    {"account": "work", "state": "active", "refreshable": true, "busy": false,
     "expires_at": "2025-03-10T14:02:00Z", "next_refresh_at": "2025-03-10T14:00:30Z",
     "granted_scope": "mail offline"},
    {"account": "home", "state": "pending", "refreshable": false, "busy": false,
     "url": "https://example.com/auth?state=x"},
    {"account": "日本", "state": "expired", "refreshable": true, "busy": true,
     "expires_at": "2025-03-10T13:05:00Z", "next_refresh_at": "2025-03-10T13:11:00Z",
     "last_error": "no answer", "last_error_at": "2025-03-10T13:08:00Z"},
    {"account": "club", "state": "empty", "refreshable": false, "busy": false},
    {"account": "shop", "state": "exchanging", "refreshable": false, "busy": true},
    {"account": "bank", "state": "active", "refreshable": false, "busy": false,
     "expires_at": "2025-03-11T01:00:00Z", "last_error": "odd"}
]}"#;

#[test]
fn accounts_are_aligned_with_what_a_person_should_know_below() {
    let expected = "\
work   active                expires 14:02 (in 52m)             next refresh 14:00 (in 50m)
    granted mail offline
home   login needed
    log in at https://example.com/auth?state=x
日本   expired, refreshing   expired 13:05 (5m ago)             next try 13:11 (in 1m)
    last error 13:08 (2m ago): no answer
club   no token
shop   logging in
bank   active                expires 2025-03-11 01:00 (in 11h 50m)   \
no refresh token: log in again when it expires
    last error odd
";
    assert_eq!(shown(EVERYTHING), expected);
}

#[test]
fn a_code_is_shown_with_the_place_to_type_it_in() {
    let document = r#"{"accounts": [
        {"account": "a", "state": "pending", "refreshable": false, "busy": false,
         "url": "https://example.com/device", "user_code": "WDJB-MJHT"}]}"#;
    assert_eq!(
        shown(document),
        "a   login needed\n    log in at https://example.com/device with the code WDJB-MJHT\n"
    );
}

#[test]
fn columns_that_nothing_is_in_take_no_room() {
    let document = r#"{"accounts": [
        {"account": "a", "state": "empty", "refreshable": true, "busy": false,
         "next_refresh_at": "2025-03-10T13:11:00Z"}]}"#;
    assert_eq!(
        shown(document),
        "a   no token   next refresh 13:11 (in 1m)\n"
    );
}

#[test]
fn no_accounts_are_no_lines() {
    assert_eq!(shown(r#"{"accounts": []}"#), "");
}

#[test]
fn a_long_name_leaves_the_others_readable() {
    let long = "n".repeat(500);
    let document = format!(
        r#"{{"accounts": [
        {{"account": "{long}", "state": "empty", "refreshable": false, "busy": false}},
        {{"account": "b", "state": "empty", "refreshable": false, "busy": false}}]}}"#
    );
    let text = shown(&document);
    assert!(text.contains(&format!("{long}   no token\n")), "{text}");
    let short = text.lines().nth(1).unwrap();
    assert_eq!(short.len(), WIDEST_COLUMN + GAP + "no token".len());
}

#[test]
fn thousands_of_accounts_are_shown() {
    let account = |number| {
        format!(
            r#"{{"account": "a{number}", "state": "active", "refreshable": true, "busy": false}}"#
        )
    };
    let accounts: Vec<String> = (0..5_000).map(account).collect();
    let text = shown(&format!(r#"{{"accounts": [{}]}}"#, accounts.join(",")));
    assert_eq!(text.lines().count(), 5_000);
}

#[test]
fn nothing_that_a_terminal_obeys_gets_through() {
    let document = r#"{"accounts": [{"account": "a\u001b[2J", "state": "pending",
        "refreshable": false, "busy": false, "expires_at": "\u001b]0;x\u0007",
        "url": "https://e.com/\u009b2J", "last_error": "one\ntwo\u202e",
        "last_error_at": "\u001b", "granted_scope": "\u007f"}]}"#;
    let obeyed = |c: char| c != '\n' && is_obeyed(c);
    let text = shown(document);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains(obeyed), "{text:?}");
    let text = json(document).unwrap();
    assert!(!text.contains(obeyed), "{text:?}");
    let before: Value = serde_json::from_str(document).unwrap();
    let after: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(before, after);
}

#[test]
fn json_keeps_fields_that_this_version_does_not_know() {
    let text = json(r#"{"accounts":[{"account":"a","mood":[1]}],"more":true}"#).unwrap();
    assert!(
        text.contains("\"mood\"") && text.contains("\"more\": true"),
        "{text}"
    );
    assert!(text.ends_with("}\n"), "{text}");
    assert!(text.lines().count() > 5, "{text}");
}

#[test]
fn another_server_s_document_is_an_error_and_no_panic() {
    for document in ["", "[]", "{", r#"{"accounts": [{"account": 1}]}"#] {
        assert!(table(document, &clock()).is_err(), "{document}");
    }
    assert!(json("{").is_err());
}
