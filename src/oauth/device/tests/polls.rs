//! Answers to polls.

use super::*;

/// A poll's end, for comparing.
fn outcome(status: u16, content_type: &str, body: &str) -> String {
    let answer = answer(status, content_type, body.as_bytes());
    match parse_poll(answer, Timestamp::UNIX_EPOCH) {
        Ok(grant) => format!("granted {}", grant.access_token.expose()),
        Err(PollFailure::Pending) => "pending".into(),
        Err(PollFailure::SlowDown) => "slow down".into(),
        Err(PollFailure::Expired) => "expired".into(),
        Err(PollFailure::Refused(reason)) => format!("refused {reason}"),
        Err(PollFailure::Failed(failure)) => match failure.kind {
            FailureKind::Passing { .. } => format!("passing {}", failure.reason),
            FailureKind::InvalidGrant => format!("dead {}", failure.reason),
            FailureKind::Misconfigured => format!("misconfigured {}", failure.reason),
        },
    }
}

/// Status, Content-Type, body; what it is taken for.
const ANSWERS: &[(u16, &str, &str, &str)] = &[
    (
        200,
        JSON,
        r#"{"access_token":"a","token_type":"Bearer","expires_in":3600}"#,
        "granted a",
    ),
    (400, JSON, r#"{"error":"authorization_pending"}"#, "pending"),
    (400, JSON, r#"{"error":"slow_down"}"#, "slow down"),
    (400, JSON, r#"{"error":"expired_token"}"#, "expired"),
    (
        400,
        JSON,
        r#"{"error":"access_denied"}"#,
        "refused access_denied",
    ),
    // Google.
    (
        428,
        JSON,
        r#"{"error":"authorization_pending","error_description":"Precondition Required"}"#,
        "pending",
    ),
    (
        403,
        JSON,
        r#"{"error":"slow_down","error_description":"Forbidden"}"#,
        "slow down",
    ),
    (
        403,
        JSON,
        r#"{"error":"access_denied","error_description":"Forbidden"}"#,
        "refused access_denied: Forbidden",
    ),
    // GitHub: everything with HTTP 200, and a form where it is not asked for JSON.
    (
        200,
        FORM,
        "error=authorization_pending&error_description=The+authorization+request+is+still+pending.&error_uri=x",
        "pending",
    ),
    (
        200,
        JSON,
        r#"{"error":"slow_down","error_description":"Too many requests","interval":10}"#,
        "slow down",
    ),
    (200, FORM, "error=expired_token", "expired"),
    (
        200,
        JSON,
        r#"{"error":"access_denied","error_description":"The\u202e authorization request was denied."}"#,
        "refused access_denied: The authorization request was denied.",
    ),
    (
        200,
        JSON,
        r#"{"error":"incorrect_device_code","error_description":"The device_code provided is not valid."}"#,
        "dead incorrect_device_code: The device_code provided is not valid.",
    ),
    (
        200,
        JSON,
        r#"{"error":"incorrect_client_credentials"}"#,
        "misconfigured incorrect_client_credentials",
    ),
    (
        200,
        FORM,
        "access_token=gho_16C7&token_type=bearer&scope=repo%2Cgist",
        "granted gho_16C7",
    ),
    // Microsoft.
    (
        400,
        JSON,
        r#"{"error":"authorization_pending","error_description":"AADSTS70016: Pending end-user authorization.","error_codes":[70016]}"#,
        "pending",
    ),
    (
        400,
        JSON,
        r#"{"error":"authorization_declined","error_description":"AADSTS70018"}"#,
        "refused authorization_declined: AADSTS70018",
    ),
    (
        400,
        JSON,
        r#"{"error":"bad_verification_code","error_description":"AADSTS70019"}"#,
        "dead bad_verification_code: AADSTS70019",
    ),
    (400, JSON, r#"{"error":"code_expired"}"#, "expired"),
    // Yandex.
    (
        400,
        JSON,
        r#"{"error_description": "User has not yet authorized your application", "error": "authorization_pending"}"#,
        "pending",
    ),
    (
        400,
        JSON,
        r#"{"error": "invalid_grant", "error_description": "Code has expired"}"#,
        "dead invalid_grant: Code has expired",
    ),
    // What else ends a login.
    (
        401,
        JSON,
        r#"{"error":"invalid_client"}"#,
        "misconfigured invalid_client",
    ),
    (
        400,
        JSON,
        r#"{"error":"unauthorized_client"}"#,
        "misconfigured unauthorized_client (is the device flow enabled for this client at the provider?)",
    ),
    (
        400,
        JSON,
        r#"{"error":"invalid_request"}"#,
        "dead invalid_request",
    ),
    // What does not.
    (
        400,
        JSON,
        r#"{"error":"server_error"}"#,
        "passing server_error",
    ),
    (
        400,
        JSON,
        r#"{"error":"Bad Request"}"#,
        "passing Bad Request",
    ),
    (
        400,
        JSON,
        r#"{"error":"Access_Denied"}"#,
        "passing Access_Denied",
    ),
    (
        400,
        JSON,
        r#"{"error":" access_denied"}"#,
        "passing access_denied",
    ),
    (
        503,
        JSON,
        r#"{"error":"expired_token"}"#,
        "passing HTTP 503: expired_token",
    ),
    (
        502,
        JSON,
        r#"{"error":"access_denied"}"#,
        "passing HTTP 502: access_denied",
    ),
    (
        403,
        JSON,
        r#"{"error":"invalid_grant"}"#,
        "passing HTTP 403: invalid_grant",
    ),
    (
        400,
        JSON,
        r#"{"error":"access_denied","refresh_token":"r"}"#,
        "passing access_denied",
    ),
    (
        200,
        JSON,
        r#"{"error":"authorization_pending""#,
        "passing HTTP 200 with a JSON object that is broken or cut off",
    ),
    (
        429,
        "text/html",
        "<html>",
        "passing HTTP 429 (too many requests)",
    ),
    (
        200,
        "text/html",
        "<html>Terms of this hotel</html>",
        "passing HTTP 200 with a web page instead of a token (a captive portal or proxy?)",
    ),
    (
        404,
        "text/html",
        "",
        "passing HTTP 404 (is token_uri right?)",
    ),
];

#[test]
fn what_a_poll_brings() {
    for (status, content_type, body, expected) in ANSWERS {
        assert_eq!(outcome(*status, content_type, body), *expected, "{body}");
    }
}

#[test]
fn a_new_refresh_token_outlives_a_contradiction() {
    let body = br#"{"error":"authorization_pending","refresh_token":"r"}"#;
    let failure = parse_poll(answer(400, JSON, body), Timestamp::UNIX_EPOCH).unwrap_err();
    let PollFailure::Failed(failure) = failure else {
        unreachable!("{failure:?}")
    };
    assert!(matches!(failure.kind, FailureKind::Passing { .. }));
    assert_eq!(failure.rotated.unwrap().expose(), "r");
}
