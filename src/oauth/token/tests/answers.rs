//! Every row of the table of what answers mean that bring no token.

use super::*;

#[test]
fn only_success_and_400_and_401_are_believed() {
    use FailureKind::{InvalidGrant, Misconfigured};
    let cases = [
        ("invalid_grant", InvalidGrant),
        ("invalid_client", Misconfigured),
        ("unauthorized_client", Misconfigured),
        ("invalid_scope", Misconfigured),
        ("invalid_request", MAY_PASS),
        ("unsupported_grant_type", MAY_PASS),
        ("server_error", MAY_PASS),
        ("temporarily_unavailable", MAY_PASS),
        ("slow_down", MAY_PASS),
        ("bad_refresh_token", MAY_PASS),
        ("interaction_required", MAY_PASS),
        ("Invalid_Grant", MAY_PASS),
        ("invalid_grant ", MAY_PASS),
        ("invalid_grant\u{200b}", MAY_PASS),
        ("invalid_grants", MAY_PASS),
    ];
    for (error, kind) in cases {
        let body = format!(r#"{{"error":"{error}"}}"#);
        let form = form::encode(&[("error", error)]);
        for status in [200, 201, 299, 400, 401] {
            let failure = failure(status, &body);
            assert_eq!(failure.kind, kind, "{status} {error}");
            assert_eq!(failure.reason, printable::code(error));
            let mut answer = answer(status, &form);
            answer.content_type = FORM;
            assert_eq!(parse(answer).unwrap_err().kind, kind, "{status} {form}");
        }
        for status in NOT_BELIEVED {
            let failure = failure(status, &body);
            assert_eq!(failure.kind, MAY_PASS, "{status} {error}");
            // What the status hints at may follow.
            let said = format!("HTTP {status}: {}", printable::code(error));
            assert!(failure.reason.starts_with(&said), "{said}");
        }
    }
}

#[test]
fn a_token_with_a_bad_status_is_no_grant() {
    let body = r#"{"access_token":"a","refresh_token":"new"}"#;
    for status in NOT_BELIEVED.into_iter().chain([400, 401]) {
        let failure = failure(status, body);
        assert_eq!(failure.kind, MAY_PASS, "{status}");
        assert_eq!(rotated(&failure), Some("new"));
    }
}

#[test]
fn reasons_say_what_came_instead() {
    let html = "<html><body>Welcome to HotelNet</body></html>";
    let page = "a web page instead of a token (a captive portal or proxy?)";
    let other = "something other than a token (is token_uri right?)";
    let cases = [
        (502, "", "HTTP 502".to_owned()),
        (502, html, "HTTP 502".into()),
        (503, "upstream connect error", "HTTP 503".into()),
        (400, "", "HTTP 400".into()),
        (401, html, "HTTP 401".into()),
        (400, "{}", "HTTP 400".into()),
        (400, r#"{"error":"invalid_grant""#, "HTTP 400".into()),
        (
            302,
            "",
            "HTTP 302 (a redirect, which is not followed: is token_uri right?)".into(),
        ),
        (404, html, "HTTP 404 (is token_uri right?)".into()),
        (407, html, "HTTP 407 (the proxy wants a login)".into()),
        (429, "", "HTTP 429 (too many requests)".into()),
        (200, html, format!("HTTP 200 with {page}")),
        (
            200,
            "",
            "HTTP 200 with an empty body instead of a token".into(),
        ),
        (
            204,
            "",
            "HTTP 204 with an empty body instead of a token".into(),
        ),
        (
            200,
            r#"{"access_token":"a"#,
            "HTTP 200 with a JSON object that is broken or cut off".into(),
        ),
        (200, "[]", format!("HTTP 200 with {other}")),
        (200, "\"a\"", format!("HTTP 200 with {other}")),
        (200, "{}", "HTTP 200 without an access token".into()),
        (
            200,
            r#"{"access_token":null}"#,
            "HTTP 200 without an access token".into(),
        ),
        (
            200,
            r#"{"access_token":""}"#,
            "HTTP 200 without an access token".into(),
        ),
    ];
    for (status, body, reason) in cases {
        let failure = failure(status, body);
        assert_eq!(failure.reason, reason, "{body}");
        assert_eq!(failure.kind, MAY_PASS, "{body}");
    }
}

#[test]
fn reasons_are_the_providers_words() {
    let nameless = "an error that is not named as OAuth2 wants it";
    let cases = [
        (
            503,
            r#"{"error":"temporarily_unavailable","error_description":"Try later."}"#,
            "HTTP 503: temporarily_unavailable: Try later.".to_owned(),
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Bad\u001b[31m\r\n  token","error_uri":"https://x"}"#,
            "invalid_grant: Bad [31m token".into(),
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":7}"#,
            "invalid_grant".into(),
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":" "}"#,
            "invalid_grant".into(),
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"x"},"error_description":"y"}"#,
            format!("{nameless}: y"),
        ),
        (400, r#"{"error":"\n"}"#, nameless.into()),
        (200, r#"{"error":true,"access_token":"a"}"#, nameless.into()),
    ];
    for (status, body, reason) in cases {
        assert_eq!(failure(status, body).reason, reason, "{body}");
    }
}

#[test]
fn an_answer_that_contradicts_itself_is_not_final() {
    for error in ["invalid_grant", "invalid_client"] {
        for (more, new) in [
            (r#""access_token":"a""#, None),
            (r#""access_token":"a","refresh_token":"new""#, Some("new")),
            (r#""refresh_token":"new""#, Some("new")),
            (r#""refresh_token":["new"]"#, None),
            (r#""error":"invalid_request""#, None),
            (r#""error":{}"#, None),
        ] {
            let failure = failure(400, &format!(r#"{{"error":"{error}",{more}}}"#));
            assert_eq!(failure.kind, MAY_PASS, "{error} {more}");
            assert_eq!(rotated(&failure), new, "{error} {more}");
        }
        let body = format!(
            r#"{{"error":"{error}","access_token":null,"refresh_token":"","error":"{error}"}}"#
        );
        assert_ne!(failure(400, &body).kind, MAY_PASS);
    }
}

#[test]
fn a_new_refresh_token_survives_a_broken_answer() {
    let failure = failure(
        200,
        r#"{"refresh_token":"new","access_token":"a","expires_in":36"#,
    );
    assert_eq!(failure.kind, MAY_PASS);
    assert_eq!(rotated(&failure), Some("new"));
}

#[test]
fn retry_after_is_for_what_may_pass() {
    let kind = |status, header, body: &str| {
        let mut answer = answer(status, body);
        answer.retry_after = Some(header);
        parse(answer).unwrap_err().kind
    };
    let passing = |seconds| FailureKind::Passing {
        retry_after: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(kind(429, "120", ""), passing(120));
    assert_eq!(
        kind(503, "Sun, 06 Nov 1994 08:50:37 GMT", "<html>"),
        passing(60)
    );
    assert_eq!(kind(503, "Sun Nov  6 08:00:00 1994", ""), passing(0));
    assert_eq!(kind(503, "86400", ""), passing(3600));
    assert_eq!(kind(503, "soon", ""), MAY_PASS);
    assert_eq!(kind(400, "5", r#"{"error":"slow_down"}"#), passing(5));
    assert_eq!(kind(200, "5", "{}"), passing(5));
    let dead = r#"{"error":"invalid_grant"}"#;
    assert_eq!(kind(400, "5", dead), FailureKind::InvalidGrant);
    assert_eq!(kind(503, "5", dead), passing(5));
}
