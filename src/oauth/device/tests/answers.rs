//! Answers of device authorisation endpoints. The values are made up; the shapes are those of the
//! providers named.

use super::*;

const MAY_PASS: FailureKind = FailureKind::Passing { retry_after: None };

fn parse(status: u16, content_type: &str, body: &str) -> Result<DeviceAuthorization, Failure> {
    let answer = answer(status, content_type, body.as_bytes());
    parse_authorization(answer, Timestamp::UNIX_EPOCH)
}

fn with(members: &str) -> Result<DeviceAuthorization, Failure> {
    let body = format!(
        r#"{{"device_code":"d","user_code":"AB-CD","verification_uri":"https://a.example/d",{members}}}"#
    );
    parse(200, JSON, &body)
}

/// Content-Type, body; device code, user code, where, the same with the code, lifetime, interval.
type Good = (
    &'static str,
    &'static str,
    [&'static str; 3],
    Option<&'static str>,
    [u64; 2],
);

const GOOD: &[Good] = &[
    // The RFC's own example.
    (
        JSON,
        r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":5}"#,
        [
            "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
            "WDJB-MJHT",
            "https://example.com/device",
        ],
        Some("https://example.com/device?user_code=WDJB-MJHT"),
        [1800, 5],
    ),
    // GitHub, where it is not asked for JSON.
    (
        FORM,
        "device_code=3584d83530557fdd&expires_in=899&interval=5&user_code=WDJB-MJHT&verification_uri=https%3A%2F%2Fgithub.com%2Flogin%2Fdevice",
        [
            "3584d83530557fdd",
            "WDJB-MJHT",
            "https://github.com/login/device",
        ],
        None,
        [899, 5],
    ),
    // Microsoft: a message for people, no complete URI.
    (
        JSON,
        r#"{"user_code":"FJC3QZJ5T","device_code":"FAQABAAEA","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5,"message":"To sign in, use a web browser"}"#,
        [
            "FAQABAAEA",
            "FJC3QZJ5T",
            "https://microsoft.com/devicelogin",
        ],
        None,
        [900, 5],
    ),
    // Microsoft's older endpoint: numbers as strings, and the older name.
    (
        JSON,
        r#"{"user_code":"FJC3","device_code":"FAQ","verification_url":"https://microsoft.com/devicelogin","expires_in":"900","interval":"5"}"#,
        ["FAQ", "FJC3", "https://microsoft.com/devicelogin"],
        None,
        [900, 5],
    ),
    // Google.
    (
        JSON,
        "{\n  \"device_code\": \"AH-1Ng2\",\n  \"user_code\": \"GQVQ-JKEC\",\n  \"expires_in\": 1800,\n  \"interval\": 5,\n  \"verification_url\": \"https://www.google.com/device\"\n}",
        ["AH-1Ng2", "GQVQ-JKEC", "https://www.google.com/device"],
        None,
        [1800, 5],
    ),
    // GitLab.
    (
        JSON,
        r#"{"device_code":"GmRh","user_code":"0A44L90H","verification_uri":"https://gitlab.com/oauth/device","verification_uri_complete":"https://gitlab.com/oauth/device?user_code=0A44L90H","expires_in":300,"interval":5}"#,
        ["GmRh", "0A44L90H", "https://gitlab.com/oauth/device"],
        Some("https://gitlab.com/oauth/device?user_code=0A44L90H"),
        [300, 5],
    ),
    // Yandex.
    (
        JSON,
        r#"{"device_code": "15b9", "user_code": "gjkf3jd8", "verification_url": "https://ya.ru/device", "interval": 5, "expires_in": 300}"#,
        ["15b9", "gjkf3jd8", "https://ya.ru/device"],
        None,
        [300, 5],
    ),
    // Home-made: slashes escaped, mislabelled, a code of digits.
    (
        "text/html",
        r#"{"device_code":"a\/b","user_code":123456,"verification_uri":"http:\/\/localhost:8080\/d"}"#,
        ["a/b", "123456", "http://localhost:8080/d"],
        None,
        [900, 5],
    ),
];

#[test]
fn what_providers_send() {
    for (content_type, body, [device_code, user_code, uri], complete, seconds) in GOOD {
        let came = parse(200, content_type, body).unwrap();
        assert_eq!(came.device_code.expose(), *device_code);
        assert_eq!(came.user_code, *user_code);
        assert_eq!(came.verification_uri, *uri);
        assert_eq!(came.verification_uri_complete.as_deref(), *complete);
        let [lifetime, interval] = seconds.map(Duration::from_secs);
        assert_eq!((came.lifetime, came.interval), (lifetime, interval));
    }
}

#[test]
fn intervals_and_lifetimes_stay_within_reason() {
    let cases = [
        (r#""expires_in":300"#, 300, 5),
        (r#""expires_in":300,"interval":null"#, 300, 5),
        (r#""expires_in":300,"interval":"""#, 300, 5),
        (r#""expires_in":300,"interval":0"#, 300, 5),
        (r#""expires_in":300,"interval":-3"#, 300, 5),
        (r#""expires_in":300,"interval":"abc""#, 300, 5),
        (r#""expires_in":300,"interval":{}"#, 300, 5),
        (r#""expires_in":300,"interval":5000"#, 300, 5),
        (r#""expires_in":300,"interval":1e400"#, 300, 5),
        (r#""expires_in":300,"interval":1"#, 300, 1),
        (r#""expires_in":300,"interval":1.2"#, 300, 2),
        (r#""expires_in":300,"interval":"10""#, 300, 10),
        (r#""expires_in":300,"interval":60"#, 300, 60),
        (r#""expires_in":300,"interval":61"#, 300, 5),
        (r#""expires_in":30,"interval":30"#, 30, 5),
        (r#""expires_in":null"#, 900, 5),
        (r#""expires_in":"600""#, 600, 5),
        (r#""expires_in":0"#, 900, 5),
        (r#""expires_in":-1"#, 900, 5),
        (r#""expires_in":"soon""#, 900, 5),
        (r#""expires_in":[]"#, 900, 5),
        (r#""expires_in":300000"#, 3600, 5),
        (r#""expires_in":1e999"#, 3600, 5),
        (
            r#""expires_in":99999999999999999999999999999999999"#,
            3600,
            5,
        ),
    ];
    for (members, lifetime, interval) in cases {
        let came = with(members).unwrap();
        let expected = [lifetime, interval].map(Duration::from_secs);
        assert_eq!([came.lifetime, came.interval], expected, "{members}");
    }
}

#[test]
fn what_is_shown_is_safe_to_show() {
    let read = |user_code: &str, uri: &str| {
        let body = format!(
            r#"{{"device_code":"d","user_code":"{user_code}","verification_uri":"{uri}","verification_uri_complete":"{uri}"}}"#
        );
        parse(200, JSON, &body)
    };
    let uri = "https://a.example/";
    let came = read(" A\\u001b[2J\\u202eB\\n", uri).unwrap();
    assert_eq!(came.user_code, "A [2JB");
    let came = read(
        "A",
        "https://a.example/\\u202e\\u001b[2J d?x=\\u00e9#\\u200b",
    )
    .unwrap();
    assert_eq!(
        came.verification_uri,
        "https://a.example/%E2%80%AE%1B[2J%20d?x=%C3%A9#%E2%80%8B"
    );
    for bad in [
        // Letters of another script.
        "https://g\u{43e}\u{43e}gle.com/device",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "www.example.com/device",
        "/device",
        "https://",
        "https://google.com@evil.example/",
        "https://:x@evil.example/",
    ] {
        let failure = read("A", bad).unwrap_err();
        assert_eq!(failure.kind, MAY_PASS, "{bad}");
        assert!(failure.reason.contains(bad), "{}", failure.reason);
        // One that is only for convenience spoils nothing.
        let came = with(&format!(r#""verification_uri_complete":"{bad}""#)).unwrap();
        assert_eq!(came.verification_uri_complete, None, "{bad}");
    }
    assert!(read("\\u200b", uri).is_err());
    assert!(read(&"A".repeat(65), uri).is_err());
    assert!(read(&"A".repeat(64), uri).is_ok());
    assert!(read("A", &format!("{uri}{}", "x".repeat(2000))).is_err());
}

/// Status, Content-Type, body; what follows, and what is said.
const FAILURES: &[(u16, &str, &str, FailureKind, &str)] = &[
    (
        400,
        JSON,
        r#"{"error":"unauthorized_client"}"#,
        FailureKind::Misconfigured,
        "unauthorized_client (is the device flow enabled for this client at the provider?)",
    ),
    // GitHub.
    (
        200,
        FORM,
        "error=device_flow_disabled&error_description=Device+Flow+must+be+explicitly+enabled+for+this+App",
        FailureKind::Misconfigured,
        "device_flow_disabled: Device Flow must be explicitly enabled for this App (is the device flow enabled for this client at the provider?)",
    ),
    (
        404,
        JSON,
        r#"{"error":"Not Found"}"#,
        MAY_PASS,
        "HTTP 404: Not Found (is device_uri right?)",
    ),
    // Google, for mail.
    (
        400,
        JSON,
        r#"{"error":"invalid_scope","error_description":"Invalid device flow scope: https://mail.google.com/"}"#,
        FailureKind::Misconfigured,
        "invalid_scope: Invalid device flow scope: https://mail.google.com/ (does the provider grant these scopes by device code?)",
    ),
    // Microsoft, for a client that must have a secret.
    (
        401,
        JSON,
        r#"{"error":"invalid_client","error_description":"AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}"#,
        FailureKind::Misconfigured,
        "invalid_client: AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    (
        400,
        JSON,
        r#"{"error":"invalid_request"}"#,
        FailureKind::Misconfigured,
        "invalid_request",
    ),
    (
        400,
        JSON,
        r#"{"error":"temporarily_unavailable"}"#,
        MAY_PASS,
        "temporarily_unavailable",
    ),
    (
        400,
        JSON,
        r#"{"error":"Bad Request"}"#,
        MAY_PASS,
        "Bad Request",
    ),
    (
        403,
        JSON,
        r#"{"error_code":"rate_limit_exceeded"}"#,
        MAY_PASS,
        "HTTP 403",
    ),
    (503, "text/html", "<html>", MAY_PASS, "HTTP 503"),
    (
        404,
        "text/html",
        "<html>",
        MAY_PASS,
        "HTTP 404 (is device_uri right?)",
    ),
    (
        200,
        "text/html",
        "<html>",
        MAY_PASS,
        "HTTP 200 with a web page instead of a device code (a captive portal or proxy?)",
    ),
    (
        200,
        JSON,
        "[]",
        MAY_PASS,
        "HTTP 200 with something other than a device code (is device_uri right?)",
    ),
    (200, JSON, "{}", MAY_PASS, "HTTP 200 without a device_code"),
    (
        200,
        JSON,
        r#"{"device_code":["d"]}"#,
        MAY_PASS,
        "HTTP 200 without a device_code",
    ),
    (
        200,
        JSON,
        r#"{"device_code":"d"}"#,
        MAY_PASS,
        "HTTP 200 without a user_code",
    ),
    (
        200,
        FORM,
        "device_code=d&user_code=u",
        MAY_PASS,
        "HTTP 200 without a verification_uri",
    ),
    (
        200,
        JSON,
        r#"{"device_code":"d","user_code":"u","verification_uri":"w\u001bw"}"#,
        MAY_PASS,
        "the provider sent the verification_uri 'w w', which no browser should be sent to",
    ),
];

#[test]
fn failures() {
    for (status, content_type, body, kind, reason) in FAILURES {
        let failure = parse(*status, content_type, body).unwrap_err();
        assert_eq!(failure.reason, *reason, "{body}");
        assert_eq!(failure.kind, *kind, "{body}");
    }
}

#[test]
fn a_wait_that_is_asked_for_is_handed_on() {
    let answer = Answer {
        retry_after: Some("30"),
        ..answer(429, JSON, b"")
    };
    let failure = parse_authorization(answer, Timestamp::UNIX_EPOCH).unwrap_err();
    let retry_after = Some(Duration::from_secs(30));
    assert_eq!(failure.kind, FailureKind::Passing { retry_after });
}
