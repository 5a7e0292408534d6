//! What is sent to a revocation endpoint, and what its answers are taken for.

use super::*;
use crate::config::ClientAuth;
use crate::oauth::testing::{Random, authentication, authority, secret};

const JSON: Option<&str> = Some("application/json");

fn answer(status: u16, body: &[u8]) -> Answer<'_> {
    Answer {
        status,
        content_type: JSON,
        retry_after: None,
        body,
    }
}

fn form(client_auth: ClientAuth, dialect: Dialect, token: Token<'_>) -> String {
    let mut authority = authority(client_auth);
    authority.resource = Some("https://api.example/".into());
    let request = request(&authority, &authentication(&authority), dialect, token);
    let header = request.authorization.map_or("", |_| " + header");
    format!("{}{header}", request.form.expose())
}

#[test]
fn the_token_is_named_with_its_kind() {
    let refresh = RefreshToken::new("1//r=".into());
    let access = AccessToken::new("a b".into());
    let rfc = Dialect::default();
    assert_eq!(
        form(ClientAuth::None, rfc, Token::Refresh(&refresh)),
        "token=1%2F%2Fr%3D&token_type_hint=refresh_token&client_id=id%3Awith%2Fodd%20chars"
    );
    assert_eq!(
        form(ClientAuth::Post(secret("s")), rfc, Token::Access(&access)),
        "token=a%20b&token_type_hint=access_token&client_id=id%3Awith%2Fodd%20chars&client_secret=s"
    );
    assert_eq!(
        form(ClientAuth::Basic(secret("s")), rfc, Token::Access(&access)),
        "token=a%20b&token_type_hint=access_token + header"
    );
}

#[test]
fn yandex_takes_access_tokens_only() {
    let yandex = Dialect {
        yandex: true,
        ..Dialect::default()
    };
    let refresh = RefreshToken::new("r".into());
    let access = AccessToken::new("y0_A".into());
    assert_eq!(
        form(
            ClientAuth::Post(secret("s")),
            yandex,
            Token::Access(&access)
        ),
        "access_token=y0_A&client_id=id%3Awith%2Fodd%20chars&client_secret=s"
    );
    assert!(Token::Access(&access).is_revocable(yandex));
    assert!(!Token::Refresh(&refresh).is_revocable(yandex));
    assert!(Token::Refresh(&refresh).is_revocable(Dialect::default()));
    assert!(!format!("{:?}", Token::Access(&access)).contains("y0_A"));
}

#[test]
fn what_confirms() {
    for (status, body) in [
        (200, ""),
        (200, "{}"),
        (200, "{\n}\n"),
        (200, r#"{"status": "ok"}"#), // Yandex
        (200, r#"{"error":null}"#),
        (200, "null"),
        (200, "OK"),
        (200, "{broken"),
        (204, ""),
        // Google, of a token that was dead already.
        (
            400,
            r#"{"error":"invalid_token","error_description":"Token expired or revoked"}"#,
        ),
    ] {
        assert_eq!(parse(answer(status, body.as_bytes())), Ok(()), "{body}");
    }
}

#[test]
fn what_does_not_confirm() {
    let cases = [
        (
            400,
            r#"{"error":"unsupported_token_type"}"#,
            "unsupported_token_type (the provider does not revoke tokens of this kind)",
        ),
        (
            200,
            r#"{"error":"unsupported_token_type","error_description":"no device_id"}"#,
            "unsupported_token_type: no device_id (the provider does not revoke tokens of this kind)",
        ),
        (
            401,
            r#"{"error":"invalid_client","error_description":"Client\u001b[2J unknown"}"#,
            "invalid_client: Client [2J unknown",
        ),
        (
            403, // GitLab
            r#"{"error":"unauthorized_client","error_description":"You are not authorized to revoke this token"}"#,
            "HTTP 403: unauthorized_client: You are not authorized to revoke this token",
        ),
        (
            403,
            r#"{"error":"invalid_token"}"#,
            "HTTP 403: invalid_token",
        ),
        (
            200,
            r#"{"error":{"code":1}}"#,
            "an error that is not named as OAuth2 wants it",
        ),
        (
            200,
            "<html>Accept our terms</html>",
            "HTTP 200 with a web page instead of a confirmation (a captive portal or proxy?)",
        ),
        (
            302,
            "",
            "HTTP 302 (a redirect, which is not followed: is revoke_uri right?)",
        ),
        (404, "<html></html>", "HTTP 404 (is revoke_uri right?)"),
        (
            404,
            r#"{"error":"Not Found"}"#,
            "HTTP 404: Not Found (is revoke_uri right?)",
        ),
        (500, "", "HTTP 500"),
    ];
    for (status, body, reason) in cases {
        assert_eq!(parse(answer(status, body.as_bytes())), Err(reason.into()));
    }
}

#[test]
fn a_wait_is_told_where_it_is_one() {
    let told = |retry_after, body: &'static str| {
        let answer = Answer {
            retry_after: Some(retry_after),
            ..answer(503, body.as_bytes())
        };
        parse(answer).unwrap_err()
    };
    assert_eq!(
        told("120", ""),
        "HTTP 503, to be tried again in 120 seconds"
    );
    assert_eq!(
        told(" 5 ", r#"{"error":"temporarily_unavailable"}"#),
        "HTTP 503: temporarily_unavailable, to be tried again in 5 seconds"
    );
    for none in [
        "",
        "0",
        "soon",
        "99999999999999999999999",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(told(none, ""), "HTTP 503");
    }
}

#[test]
fn damaged_answers_are_survived() {
    let seed = br#"{"error":"unsupported_token_type","error_description":"hush\n","x":[1,{}]}"#;
    let mut random = Random::new(11);
    for _ in 0..5_000 {
        let body = random.mutate(seed);
        let status = [200, 204, 302, 400, 401, 503][random.below(6)];
        if let Err(reason) = parse(answer(status, &body)) {
            assert!(!reason.is_empty() && !reason.contains(char::is_control));
            assert!(reason.chars().count() < 600, "{reason}");
        }
    }
}

#[test]
fn a_newer_secret_helps_where_the_client_was_refused() {
    for (status, body, expected) in [
        (401, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"unsupported_token_type"}"#, false),
        (401, "", false),
        (200, "", false),
    ] {
        let answer = answer(status, body.as_bytes());
        assert_eq!(refuses_client(answer), expected, "{status} {body}");
    }
}
