//! What is sent to the token endpoint; and what the tests of its answers have in common.

use super::*;
use crate::config::ClientAuth;
use crate::oauth::testing::{authentication, authority, secret};

mod answers;
mod grants;
mod hostile;
mod real_world;

fn exchange(authority: &Authority) -> TokenRequest {
    let code = Code::new("4/0A+b".into());
    let verifier = Verifier::new("v-_~".into());
    let authentication = authentication(authority);
    exchange_request(
        authority,
        &authentication,
        "http://localhost:7/",
        &code,
        &verifier,
    )
}

fn refresh(authority: &Authority) -> TokenRequest {
    let token = RefreshToken::new("1//r=".into());
    refresh_request(authority, &authentication(authority), &token, None)
}

fn post() -> Authority {
    authority(ClientAuth::Post(secret("s&c")))
}

fn basic_auth() -> Authority {
    authority(ClientAuth::Basic(secret("p:ä~ %")))
}

#[test]
fn a_public_client_sends_its_identifier() {
    let authority = authority(ClientAuth::None);
    let request = exchange(&authority);
    assert_eq!(
        request.form.expose(),
        "grant_type=authorization_code&code=4%2F0A%2Bb&redirect_uri=http%3A%2F%2Flocalhost%3A7%2F\
         &code_verifier=v-_~&client_id=id%3Awith%2Fodd%20chars"
    );
    assert!(request.authorization.is_none());
    let request = refresh(&authority);
    assert_eq!(
        request.form.expose(),
        "grant_type=refresh_token&refresh_token=1%2F%2Fr%3D&client_id=id%3Awith%2Fodd%20chars"
    );
    assert!(request.authorization.is_none());
}

#[test]
fn post_puts_both_parts_in_the_body() {
    for request in [exchange(&post()), refresh(&post())] {
        let form = request.form.expose();
        assert!(
            form.ends_with("&client_id=id%3Awith%2Fodd%20chars&client_secret=s%26c"),
            "{form}"
        );
        assert!(request.authorization.is_none());
    }
}

#[test]
fn basic_puts_both_parts_in_the_header_only() {
    for request in [exchange(&basic_auth()), refresh(&basic_auth())] {
        assert!(!request.form.expose().contains("client_"));
        let header = request.authorization.unwrap();
        let encoded = header.expose().strip_prefix("Basic ").unwrap();
        assert_eq!(
            STANDARD.decode(encoded).unwrap(),
            b"id%3Awith%2Fodd%20chars:p%3A%C3%A4~%20%25"
        );
    }
}

#[test]
fn the_resource_is_repeated_and_the_scope_is_not() {
    let mut authority = post();
    authority.resource = Some("https://api.example/?a&b".into());
    for request in [exchange(&authority), refresh(&authority)] {
        let form = request.form.expose();
        assert!(
            form.contains("&resource=https%3A%2F%2Fapi.example%2F%3Fa%26b&"),
            "{form}"
        );
        assert!(!form.contains("scope"), "{form}");
    }
    assert!(!exchange(&post()).form.expose().contains("resource"));
}

#[test]
fn huge_codes_and_tokens_are_sent_whole() {
    let huge = "0123456789abcdef".repeat(6_400);
    let code = Code::new(huge.clone());
    let verifier = Verifier::new("v".into());
    let auth = authentication(&post());
    let request = exchange_request(&post(), &auth, "http://localhost/", &code, &verifier);
    assert!(request.form.expose().contains(&format!("&code={huge}&")));
    let request = refresh_request(&post(), &auth, &RefreshToken::new(huge.clone()), None);
    assert!(
        request
            .form
            .expose()
            .contains(&format!("&refresh_token={huge}&"))
    );
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let shown = format!("{:?} {:?}", exchange(&post()), refresh(&basic_auth()));
    for secret in ["4%2F0A", "s%26c", "v-_~", "1%2F", "Basic"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

const JSON: Option<&str> = Some("application/json;charset=UTF-8");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const MAY_PASS: FailureKind = FailureKind::Passing { retry_after: None };
/// Sunday, 6 November 1994, 08:49:37 UTC.
const NOW: i64 = 784_111_777;
/// Statuses with which proxies, portals and overloaded front ends answer.
const NOT_BELIEVED: [u16; 23] = [
    0, 100, 199, 300, 301, 302, 307, 399, 402, 403, 404, 405, 407, 408, 413, 421, 425, 429, 499,
    500, 502, 503, 999,
];

fn answer(status: u16, body: &str) -> Answer<'_> {
    Answer {
        status,
        content_type: JSON,
        retry_after: None,
        body: body.as_bytes(),
    }
}

fn parse(answer: Answer<'_>) -> Result<Grant, Failure> {
    super::parse(answer, Timestamp::from_second(NOW).unwrap())
}

fn grant(body: &str) -> Grant {
    parse(answer(200, body)).unwrap_or_else(|failure| panic!("{body}: {failure:?}"))
}

fn failure(status: u16, body: &str) -> Failure {
    match parse(answer(status, body)) {
        Ok(grant) => panic!("HTTP {status}, {body}: {grant:?}"),
        Err(failure) => failure,
    }
}

fn rotated(failure: &Failure) -> Option<&str> {
    failure.rotated.as_ref().map(RefreshToken::expose)
}
