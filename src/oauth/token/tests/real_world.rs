//! Answers in the shape in which well-known providers send them. The values are made up.

use super::super::*;

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const MAY_PASS: FailureKind = FailureKind::Passing { retry_after: None };

fn parse(status: u16, content_type: &str, body: &str) -> Result<Grant, Failure> {
    let answer = Answer {
        status,
        content_type: Some(content_type),
        retry_after: None,
        body: body.as_bytes(),
    };
    super::super::parse(answer, Timestamp::UNIX_EPOCH)
}

/// What comes, and the access token, lifetime, refresh token and scope in it.
struct Granted {
    content_type: &'static str,
    body: &'static str,
    access_token: &'static str,
    lifetime: Option<u64>,
    refresh_token: Option<&'static str>,
    scope: Option<&'static str>,
}

const GRANTS: &[Granted] = &[
    // Google, for a code.
    Granted {
        content_type: JSON,
        body: "{\n  \"access_token\": \"ya29.a0AfB_by\",\n  \"expires_in\": 3599,\n  \
               \"refresh_token\": \"1//03Zx-L9\",\n  \"scope\": \"https://mail.google.com/\",\n  \
               \"token_type\": \"Bearer\",\n  \"refresh_token_expires_in\": 604799\n}",
        access_token: "ya29.a0AfB_by",
        lifetime: Some(3599),
        refresh_token: Some("1//03Zx-L9"),
        scope: Some("https://mail.google.com/"),
    },
    // Google, for a refresh token.
    Granted {
        content_type: JSON,
        body: "{\n  \"access_token\": \"ya29.a0AfB_bz\",\n  \"expires_in\": 3599,\n  \
               \"scope\": \"https://mail.google.com/\",\n  \"token_type\": \"Bearer\"\n}",
        access_token: "ya29.a0AfB_bz",
        lifetime: Some(3599),
        refresh_token: None,
        scope: Some("https://mail.google.com/"),
    },
    // Microsoft.
    Granted {
        content_type: JSON,
        body: r#"{"token_type":"Bearer","scope":"https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send","expires_in":4759,"ext_expires_in":4759,"access_token":"eyJ0eXAi.eyJhdWQi.c2ln","refresh_token":"1.AXEA","id_token":"eyJ0.eyJh."}"#,
        access_token: "eyJ0eXAi.eyJhdWQi.c2ln",
        lifetime: Some(4759),
        refresh_token: Some("1.AXEA"),
        scope: Some(
            "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send",
        ),
    },
    // Microsoft's older endpoint: numbers as strings.
    Granted {
        content_type: JSON,
        body: r#"{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1388444763","not_before":"1388440863","resource":"https://outlook.office365.com","access_token":"eyJ0"}"#,
        access_token: "eyJ0",
        lifetime: Some(3599),
        refresh_token: None,
        scope: None,
    },
    // GitHub, an OAuth app, where it is not asked for JSON.
    Granted {
        content_type: FORM,
        body: "access_token=gho_16C7e42F&scope=repo%2Cgist&token_type=bearer",
        access_token: "gho_16C7e42F",
        lifetime: None,
        refresh_token: None,
        scope: Some("repo,gist"),
    },
    // GitHub, a GitHub App.
    Granted {
        content_type: FORM,
        body: "access_token=ghu_16C7&expires_in=28800&refresh_token=ghr_1B4a&refresh_token_expires_in=15897600&scope=&token_type=bearer",
        access_token: "ghu_16C7",
        lifetime: Some(28_800),
        refresh_token: Some("ghr_1B4a"),
        scope: None,
    },
    // GitLab.
    Granted {
        content_type: JSON,
        body: r#"{"access_token":"de6780bc","token_type":"Bearer","expires_in":7200,"refresh_token":"8257e65c","scope":"read_repository write_repository","created_at":1607635748}"#,
        access_token: "de6780bc",
        lifetime: Some(7200),
        refresh_token: Some("8257e65c"),
        scope: Some("read_repository write_repository"),
    },
    // Yandex: a lifetime of a year.
    Granted {
        content_type: JSON,
        body: r#"{"access_token": "y0_AgAA", "expires_in": 31534792, "refresh_token": "1:AAA:wx-Y:zz", "token_type": "bearer"}"#,
        access_token: "y0_AgAA",
        lifetime: Some(31_534_792),
        refresh_token: Some("1:AAA:wx-Y:zz"),
        scope: None,
    },
    // Fastmail.
    Granted {
        content_type: JSON,
        body: r#"{"scope":"https://www.fastmail.com/dev/protocol-imap","refresh_token":"fmo1-a","access_token":"fma1-b","token_type":"bearer","expires_in":3600}"#,
        access_token: "fma1-b",
        lifetime: Some(3600),
        refresh_token: Some("fmo1-a"),
        scope: Some("https://www.fastmail.com/dev/protocol-imap"),
    },
    // Yahoo.
    Granted {
        content_type: JSON,
        body: r#"{"access_token":"Jzxbkqqc","refresh_token":"AOiRUlJn","expires_in":3600,"token_type":"bearer","xoauth_yahoo_guid":"JCHY"}"#,
        access_token: "Jzxbkqqc",
        lifetime: Some(3600),
        refresh_token: Some("AOiRUlJn"),
        scope: None,
    },
    // django-oauth-toolkit.
    Granted {
        content_type: JSON,
        body: r#"{"access_token": "jooqrnOrNa0B", "expires_in": 36000, "token_type": "Bearer", "scope": "read write", "refresh_token": "HNvDQjjsnvDy"}"#,
        access_token: "jooqrnOrNa0B",
        lifetime: Some(36_000),
        refresh_token: Some("HNvDQjjsnvDy"),
        scope: Some("read write"),
    },
    // glewlwyd.
    Granted {
        content_type: JSON,
        body: r#"{"token_type":"bearer","access_token":"eyJ0.g","iat":1600000000,"expires_in":3600,"refresh_token":"eyJ0.r","scope":"g_mail"}"#,
        access_token: "eyJ0.g",
        lifetime: Some(3600),
        refresh_token: Some("eyJ0.r"),
        scope: Some("g_mail"),
    },
    // Home-made servers in PHP escape slashes and mislabel what they send.
    Granted {
        content_type: "text/html; charset=UTF-8",
        body: r#"{"access_token":"ab\/cd+ef==","expires_in":"3600","token_type":"Bearer","scope":null,"refresh_token":"gh\/ij"}"#,
        access_token: "ab/cd+ef==",
        lifetime: Some(3600),
        refresh_token: Some("gh/ij"),
        scope: None,
    },
];

#[test]
fn grants() {
    for expected in GRANTS {
        let grant = parse(200, expected.content_type, expected.body).unwrap();
        assert_eq!(grant.access_token.expose(), expected.access_token);
        assert_eq!(grant.lifetime, expected.lifetime.map(Duration::from_secs));
        let refresh_token = grant.refresh_token.as_ref().map(RefreshToken::expose);
        assert_eq!(refresh_token, expected.refresh_token);
        assert_eq!(grant.scope.as_deref(), expected.scope);
    }
}

/// Status, Content-Type, body; what follows from it, and what is said of it.
type Failed = (u16, &'static str, &'static str, FailureKind, &'static str);

const FAILURES: &[Failed] = &[
    // Google.
    (
        400,
        JSON,
        "{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"Token has been expired or revoked.\"\n}",
        FailureKind::InvalidGrant,
        "invalid_grant: Token has been expired or revoked.",
    ),
    (
        401,
        JSON,
        "{\n  \"error\": \"invalid_client\",\n  \"error_description\": \"The OAuth client was not found.\"\n}",
        FailureKind::Misconfigured,
        "invalid_client: The OAuth client was not found.",
    ),
    (
        500,
        JSON,
        "{\n  \"error\": \"internal_failure\",\n  \"error_description\": \"Backend Error\"\n}",
        MAY_PASS,
        "HTTP 500: internal_failure: Backend Error",
    ),
    // Google's other interfaces.
    (
        403,
        JSON,
        r#"{"error":{"code":403,"message":"Quota exceeded","status":"PERMISSION_DENIED"}}"#,
        MAY_PASS,
        "HTTP 403: an error that is not named as OAuth2 wants it",
    ),
    // Microsoft.
    (
        400,
        JSON,
        r#"{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired due to inactivity. The token was issued on 2026-01-02T03:04:05.6789Z and was inactive for 90.00:00:00. Trace ID: 0a1b Correlation ID: 2c3d Timestamp: 2026-06-01 10:00:00Z","error_codes":[700082],"trace_id":"0a1b","error_uri":"https://login.microsoftonline.com/error?code=700082"}"#,
        FailureKind::InvalidGrant,
        "invalid_grant: AADSTS700082: The refresh token has expired due to inactivity. The token was issued on 2026-01-02T03:04:05.6789Z and was inactive for 90.00:00:00. Trace ID: 0a1b Correlation ID: 2c3d Timestamp: 2026-06-01 10:00:00Z",
    ),
    (
        401,
        JSON,
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 0a1b","error_codes":[7000215]}"#,
        FailureKind::Misconfigured,
        "invalid_client: AADSTS7000215: Invalid client secret provided. Trace ID: 0a1b",
    ),
    (
        400,
        JSON,
        r#"{"error":"interaction_required","error_description":"AADSTS50076: You must use multi-factor authentication.","suberror":"basic_action"}"#,
        MAY_PASS,
        "interaction_required: AADSTS50076: You must use multi-factor authentication.",
    ),
    // GitHub: errors with HTTP 200, and with names of its own.
    (
        200,
        JSON,
        r#"{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired.","error_uri":"https://docs.github.com"}"#,
        MAY_PASS,
        "bad_refresh_token: The refresh token passed is incorrect or expired.",
    ),
    (
        200,
        FORM,
        "error=incorrect_client_credentials&error_description=The+client_id+and%2For+client_secret+passed+are+incorrect.&error_uri=%2Fapps",
        MAY_PASS,
        "incorrect_client_credentials: The client_id and/or client_secret passed are incorrect.",
    ),
    // GitLab.
    (
        400,
        JSON,
        r#"{"error":"invalid_grant","error_description":"The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client."}"#,
        FailureKind::InvalidGrant,
        "invalid_grant: The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
    ),
    // Yandex.
    (
        400,
        JSON,
        r#"{"error_description": "expired_token", "error": "invalid_grant"}"#,
        FailureKind::InvalidGrant,
        "invalid_grant: expired_token",
    ),
    // Fastmail, django-oauth-toolkit.
    (
        400,
        JSON,
        r#"{"error":"invalid_grant"}"#,
        FailureKind::InvalidGrant,
        "invalid_grant",
    ),
    (
        401,
        JSON,
        r#"{"error": "invalid_client"}"#,
        FailureKind::Misconfigured,
        "invalid_client",
    ),
    // A load balancer.
    (
        503,
        "text/html",
        "<html><head><title>503 Service Temporarily Unavailable</title></head></html>",
        MAY_PASS,
        "HTTP 503",
    ),
    // A captive portal.
    (
        200,
        "text/html",
        "<!DOCTYPE html><html><body>Accept our terms to go on</body></html>",
        MAY_PASS,
        "HTTP 200 with a web page instead of a token (a captive portal or proxy?)",
    ),
];

#[test]
fn failures() {
    for (status, content_type, body, kind, reason) in FAILURES {
        let failure = parse(*status, content_type, body).unwrap_err();
        assert_eq!(failure.kind, *kind, "{body}");
        assert_eq!(failure.reason, *reason, "{body}");
        assert!(failure.rotated.is_none());
    }
}
