//! Where metadata are looked for, and what documents are taken for.

use super::*;

mod hostile;

const JSON: Option<&str> = Some("application/json");
const ISSUER: &str = "https://login.example/tenant";
const WHOLE: &str = r#"{
    "issuer": "https://login.example/tenant",
    "authorization_endpoint": "https://login.example/authorize?x=1",
    "token_endpoint": "https://token.example/token",
    "device_authorization_endpoint": "https://login.example/device",
    "revocation_endpoint": "https://login.example/revoke",
    "authorization_response_iss_parameter_supported": true,
    "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
    "code_challenge_methods_supported": ["plain", "S256"],
    "grant_types_supported": ["authorization_code"],
    "scopes_supported": ["openid", "https://mail.example/"],
    "jwks_uri": "https://login.example/keys", "claims_supported": ["sub"]
}"#;

fn issuer(identifier: &str) -> Issuer {
    Issuer {
        identifier: identifier.into(),
        uri: Url::parse(identifier).unwrap(),
        discovery: true,
    }
}

fn answer(status: u16, body: &[u8]) -> Answer<'_> {
    Answer {
        status,
        content_type: JSON,
        retry_after: None,
        body,
    }
}

fn read(body: &str) -> Result<Metadata, MetadataFault> {
    parse(
        &issuer(ISSUER),
        Dialect::default(),
        answer(200, body.as_bytes()),
    )
}

/// A document with these members beside the issuer.
fn with(members: &str) -> Result<Metadata, MetadataFault> {
    read(&format!(r#"{{"issuer":"{ISSUER}",{members}}}"#))
}

fn wrong(fault: Result<Metadata, MetadataFault>) -> String {
    match fault {
        Err(MetadataFault::Wrong(reason)) => reason,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn where_to_look() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "https://a.example",
            &[
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ],
        ),
        (
            "https://a.example/",
            &[
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ],
        ),
        // The RFC's own example.
        (
            "https://example.com/issuer1",
            &[
                "https://example.com/.well-known/oauth-authorization-server/issuer1",
                "https://example.com/issuer1/.well-known/openid-configuration",
                "https://example.com/.well-known/openid-configuration/issuer1",
            ],
        ),
        (
            "https://example.com/realms/a%20b/",
            &[
                "https://example.com/.well-known/oauth-authorization-server/realms/a%20b",
                "https://example.com/realms/a%20b/.well-known/openid-configuration",
                "https://example.com/.well-known/openid-configuration/realms/a%20b",
            ],
        ),
        (
            "https://login.microsoftonline.com/common/v2.0",
            &[
                "https://login.microsoftonline.com/.well-known/oauth-authorization-server/common/v2.0",
                "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
                "https://login.microsoftonline.com/.well-known/openid-configuration/common/v2.0",
            ],
        ),
        (
            "http://127.0.0.1:8080/?a#b",
            &[
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server",
                "http://127.0.0.1:8080/.well-known/openid-configuration",
            ],
        ),
    ];
    for (identifier, expected) in cases {
        let locations = locations(&issuer(identifier));
        let locations: Vec<&str> = locations.iter().map(Url::as_str).collect();
        assert_eq!(locations, expected);
    }
}

#[test]
fn a_whole_document() {
    let url = |text: &str| Url::parse(text).ok();
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    let expected = Metadata {
        authorization_endpoint: url("https://login.example/authorize?x=1"),
        token_endpoint: url("https://token.example/token"),
        device_authorization_endpoint: url("https://login.example/device"),
        revocation_endpoint: url("https://login.example/revoke"),
        iss_promised: true,
        token_endpoint_auth_methods: list(&["client_secret_post", "none"]),
        code_challenge_methods: list(&["plain", "S256"]),
        grant_types: list(&["authorization_code"]),
        scopes: list(&["openid", "https://mail.example/"]),
    };
    assert_eq!(read(WHOLE).unwrap(), expected);
    assert_eq!(read(&format!("\u{feff} {WHOLE}")).unwrap(), expected);
    assert_eq!(with(r#""x":1"#).unwrap(), Metadata::default());
}

#[test]
fn the_issuer_must_be_the_same_to_the_letter() {
    let cases = [
        (ISSUER, ISSUER, true),
        (
            "https://accounts.google.com",
            "https://accounts.google.com",
            true,
        ),
        ("https://login.example/tenant/", ISSUER, false),
        (ISSUER, "https://login.example/tenant/", false),
        (ISSUER, "https://login.example/Tenant", false),
        (ISSUER, "https://LOGIN.example/tenant", false),
        (ISSUER, "https://login.example:443/tenant", false),
        (ISSUER, "https://evil.example/tenant", false),
        (ISSUER, "https://login.example/{tenantid}", false),
        (ISSUER, "", false),
    ];
    for (written, came, same) in cases {
        let body = format!(r#"{{"issuer":"{came}"}}"#);
        let read = parse(
            &issuer(written),
            Dialect::default(),
            answer(200, body.as_bytes()),
        );
        assert_eq!(read.is_ok(), same, "{written} {came}");
    }
    assert_eq!(
        wrong(read(r#"{"issuer":"https://login.example/tenant/"}"#)),
        "the metadata are those of 'https://login.example/tenant/', and issuer is \
         'https://login.example/tenant': only the '/' at the end differs, so write it as the \
         provider does"
    );
    assert_eq!(
        wrong(read(r#"{"issuer":"https://e\u202evil\u001b[2J"}"#)),
        "the metadata are those of 'https://evil [2J', and issuer is \
         'https://login.example/tenant': they must be the same, character by character"
    );
    for none in ["{}", r#"{"issuer":null}"#, r#"{"issuer":["x"]}"#] {
        assert!(wrong(read(none)).contains("do not say whose they are"));
    }
}

#[test]
fn an_alias_of_microsofts_stands_for_a_tenant() {
    const HOST: &str = "https://login.microsoftonline.com";
    const GUID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let template = Dialect {
        issuer_template: true,
        ..Dialect::default()
    };
    let other = GUID.replace('9', "8");
    let cases = [
        ("common/v2.0", "{tenantid}/v2.0", true),
        ("organizations/v2.0", "{tenantid}/v2.0", true),
        ("consumers/v2.0", &format!("{GUID}/v2.0"), true),
        ("example.com/v2.0", &format!("{GUID}/v2.0"), true),
        ("common/v2.0", "common/v2.0", true),
        ("common/v2.0", "{tenantid}/v2.0/", false),
        ("common/v2.0", "{tenantid}", false),
        ("common/v2.0", "{tenantid}/v1.0", false),
        ("common/v2.0", "other/v2.0", false),
        ("/v2.0", "{tenantid}/v2.0", false),
        (&format!("{GUID}/v2.0"), &format!("{other}/v2.0"), false),
    ];
    for (written, came, same) in cases {
        let body = format!(r#"{{"issuer":"{HOST}/{came}"}}"#);
        let issuer = issuer(&format!("{HOST}/{written}"));
        let read = parse(&issuer, template, answer(200, body.as_bytes()));
        assert_eq!(read.is_ok(), same, "{written} {came}");
    }
    // A host does not stand for another, and none is left open.
    for came in [
        "https://evil.example/{tenantid}/v2.0",
        "https://{tenantid}/common/v2.0",
        "http://login.microsoftonline.com/{tenantid}/v2.0",
    ] {
        let body = format!(r#"{{"issuer":"{came}"}}"#);
        let issuer = issuer(&format!("{HOST}/common/v2.0"));
        assert!(parse(&issuer, template, answer(200, body.as_bytes())).is_err());
    }
}

#[test]
fn endpoints_are_held_to_the_rules() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
    ] {
        let cases = [
            (
                r#""http://a.example/""#,
                "'http://a.example/' would be asked without encryption",
            ),
            (
                r#""https://a.example/#x""#,
                "'https://a.example/#x' has a fragment",
            ),
            (
                r#""https://u@a.example/""#,
                "'https://u@a.example/' has a user's name or password in it",
            ),
            (
                r#""ftp://a.example/""#,
                "'ftp://a.example/' is not a URL with https",
            ),
            (r#""/token""#, "'/token' is not a URL"),
            (r#""https://""#, "'https://' is not a URL"),
            (r#""https:a.example""#, "'https:a.example' is not a URL"),
            (
                r#""https:///a.example""#,
                "'https:///a.example' is not a URL",
            ),
            (
                r#""https://a.example/ b""#,
                "'https://a.example/ b' is not a URL",
            ),
            (
                r#""https://a.example/\u001b[2J""#,
                "'https://a.example/ [2J' is not a URL",
            ),
            (
                r#""https:\\\\a.example/""#,
                r"'https:\\a.example/' is not a URL",
            ),
            ("1", "is not a text"),
            ("{}", "is not a text"),
        ];
        for (value, why) in cases {
            assert_eq!(
                wrong(with(&format!(r#""{name}":{value}"#))),
                format!("the provider's metadata are wrong: {name} {why}")
            );
        }
        for none in ["null", r#""""#] {
            assert_eq!(
                with(&format!(r#""{name}":{none}"#)),
                Ok(Metadata::default())
            );
        }
        for local in ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]/"] {
            assert!(with(&format!(r#""{name}":"{local}""#)).is_ok());
        }
    }
}

#[test]
fn lists_and_promises_are_read_leniently() {
    let read = |value: &str| {
        let metadata = with(&format!(
            r#""scopes_supported":{value},"authorization_response_iss_parameter_supported":{value}"#
        ));
        let metadata = metadata.unwrap();
        (metadata.scopes.join(","), metadata.iss_promised)
    };
    let cases = [
        ("null", "", false),
        ("true", "", true),
        ("false", "", false),
        ("\"true\"", "true", false),
        ("\"S256\"", "S256", false),
        ("1", "", false),
        ("{\"a\":1}", "", false),
        ("[\"a\",1,null,[\"x\"],\"b\"]", "a,b", false),
        ("[\"a\\n\",\"\\u202eb\",\" c\",\"d\"]", "d", false),
    ];
    for (value, scopes, promised) in cases {
        assert_eq!(read(value), (scopes.to_owned(), promised), "{value}");
    }
    let many = format!("[{}\"z\"]", "\"a\",".repeat(50_000));
    assert_eq!(read(&many).0.len(), 2 * MAX_ITEMS - 1);
    let long = format!("[\"{}\",\"b\"]", "a".repeat(100_000));
    assert_eq!(read(&long).0, "b");
}

#[test]
fn statuses_and_pages() {
    let html = Some("text/html");
    let there_are_none = [
        300, 301, 302, 307, 400, 401, 403, 404, 405, 406, 410, 418, 501,
    ];
    for status in there_are_none {
        let read = parse(
            &issuer(ISSUER),
            Dialect::default(),
            answer(status, WHOLE.as_bytes()),
        );
        assert_eq!(read, Err(MetadataFault::NotThere), "{status}");
    }
    let cases = [
        (500, JSON, WHOLE, "HTTP 500"),
        (503, html, "<html>", "HTTP 503"),
        (429, JSON, "", "HTTP 429 (too many requests)"),
        (407, html, "", "HTTP 407 (the proxy wants a login)"),
        (511, html, "", "HTTP 511 (a captive portal?)"),
        (
            200,
            html,
            "<!DOCTYPE html>",
            "HTTP 200 with a web page instead of the provider's metadata (a captive portal or proxy?)",
        ),
        (
            200,
            JSON,
            "",
            "HTTP 200 with an empty body instead of the provider's metadata",
        ),
        (
            200,
            JSON,
            "{\"issuer\"",
            "HTTP 200 with a JSON object that is broken or cut off",
        ),
        (
            200,
            JSON,
            "[]",
            "HTTP 200 with something other than the provider's metadata (is issuer right?)",
        ),
        (
            200,
            Some("text/plain"),
            "access_token=x",
            "HTTP 200 with something other than the provider's metadata (is issuer right?)",
        ),
        (200, JSON, r#"{"error":"not_found"}"#, "not_found"),
    ];
    for (status, content_type, body, reason) in cases {
        let answer = Answer {
            content_type,
            ..answer(status, body.as_bytes())
        };
        let read = parse(&issuer(ISSUER), Dialect::default(), answer);
        assert_eq!(read, Err(MetadataFault::Passing(reason.into())), "{body}");
    }
}

#[test]
fn the_most_telling_fault_is_told() {
    use MetadataFault::{NotThere, Passing, Wrong};
    let (passing, wrong) = (Passing("p".into()), Wrong("w".into()));
    let all = [NotThere, passing.clone(), wrong.clone()];
    for fault in &all {
        assert_eq!(NotThere.or(fault.clone()), *fault);
        assert_eq!(fault.clone().or(NotThere), *fault);
        assert_eq!(fault.clone().or(wrong.clone()), wrong);
        assert_eq!(wrong.clone().or(fault.clone()), wrong);
    }
    assert_eq!(passing.clone().or(Passing("q".into())), passing);
    assert_eq!(passing.to_string(), "p");
    assert!(NotThere.to_string().contains("is issuer right?"));
}
