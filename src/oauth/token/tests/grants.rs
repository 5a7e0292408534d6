//! What is read of an answer that brings tokens, however oddly it is written.

use super::*;

#[test]
fn bearer_tokens_are_accepted_in_any_case() {
    for token_type in [
        "null",
        "\"\"",
        "\"Bearer\"",
        "\"bearer\"",
        "\"BEARER\"",
        "\" bearer \"",
    ] {
        let body = format!(r#"{{"access_token":"a","token_type":{token_type},"error":null}}"#);
        assert_eq!(grant(&body).access_token.expose(), "a");
    }
    grant(r#"{"access_token":"a"}"#);
    grant(r#"{"access_token":"a","error":"","x":[]}"#);
}

#[test]
fn other_token_types_are_refused() {
    for (refused, named) in [
        (r#""mac""#, "the type 'mac',"),
        (r#""DPoP""#, "the type 'DPoP',"),
        (r#""N_A""#, "the type 'N_A',"),
        (r#""bearer\nmac""#, "the type 'bearer mac',"),
        ("1", "a type that cannot be read,"),
        (r#"["bearer"]"#, "a type that cannot be read,"),
    ] {
        let body =
            format!(r#"{{"access_token":"hush","token_type":{refused},"refresh_token":"new"}}"#);
        let failure = failure(200, &body);
        assert_eq!(failure.kind, MAY_PASS);
        assert!(failure.reason.contains(named), "{}", failure.reason);
        assert_eq!(rotated(&failure), Some("new"));
    }
}

#[test]
fn lifetimes() {
    const CAP: Option<u64> = Some(MAX_LIFETIME.as_secs());
    let cases = [
        ("3600", Some(3600)),
        ("3599.999", Some(3599)),
        ("3.6e3", Some(3600)),
        ("315360000", CAP),
        ("315360001", CAP),
        ("18446744073709551616", CAP),
        ("340282366920938463463374607431768211456", CAP),
        ("1e400", CAP),
        ("\"3600\"", Some(3600)),
        ("\" 3600 \"", Some(3600)),
        ("\"+3600\"", Some(3600)),
        ("\"3600.5\"", Some(3600)),
        ("\"1e400\"", CAP),
        ("\"99999999999999999999999\"", CAP),
        ("\"\"", None),
        ("\" \"", None),
        ("\"3600s\"", None),
        ("\"0x10\"", None),
        ("\"1,5\"", None),
        ("\"inf\"", None),
        ("\"NaN\"", None),
        ("\"e\"", None),
        ("\"-\"", None),
        ("\"never\"", None),
        ("\"٣\"", None),
        ("null", None),
        ("true", None),
        ("false", None),
        ("{}", None),
        ("[3600]", None),
    ];
    for (written, seconds) in cases {
        let grant = grant(&format!(r#"{{"expires_in":{written},"access_token":"a"}}"#));
        assert_eq!(grant.lifetime.map(|it| it.as_secs()), seconds, "{written}");
    }
    assert_eq!(grant(r#"{"access_token":"a"}"#).lifetime, None);
}

#[test]
fn a_token_that_had_expired_when_it_came_is_none() {
    for written in ["0.5", "0", "-0", "-1", "-1e400", "\"-5\""] {
        let body =
            format!(r#"{{"expires_in":{written},"access_token":"a","refresh_token":"new"}}"#);
        let failure = failure(200, &body);
        assert_eq!(failure.kind, MAY_PASS, "{written}");
        assert!(failure.reason.contains("expired when it came"), "{written}");
        assert_eq!(rotated(&failure), Some("new"), "{written}");
    }
}

#[test]
fn refresh_tokens_and_scopes() {
    let cases = [
        ("null", None, None),
        ("\"\"", None, None),
        ("false", None, None),
        ("\"x y\"", Some("x y"), Some("x y")),
        ("[\"x\",\"y\"]", None, Some("x y")),
        ("[]", None, None),
        ("7", None, None),
        ("{}", None, None),
        ("\"x\\n\\u001by\"", Some("x\n\u{1b}y"), Some("x y")),
        ("\" \"", Some(" "), None),
    ];
    for (value, refresh_token, scope) in cases {
        let body = format!(r#"{{"access_token":"a","refresh_token":{value},"scope":{value}}}"#);
        let grant = grant(&body);
        let found = grant.refresh_token.as_ref().map(RefreshToken::expose);
        assert_eq!(found, refresh_token, "{value}");
        assert_eq!(grant.scope.as_deref(), scope, "{value}");
    }
    let grant = grant(r#"{"access_token":"a"}"#);
    assert!(grant.refresh_token.is_none() && grant.scope.is_none());
}

#[test]
fn access_tokens_fit_on_a_line() {
    for usable in ["a", "ya29.a0A-_~+/==", "with space", "!\u{7e}"] {
        let grant = grant(&format!(r#"{{"access_token":"{usable}"}}"#));
        assert_eq!(grant.access_token.expose(), usable);
    }
    for unusable in [
        r#""a\nb""#,
        r#""a\r""#,
        r#""\u0000""#,
        r#""\t""#,
        r#""\u001b[2J""#,
        r#""\u007f""#,
        r#""ü""#,
        r#""a\u2028b""#,
        r#""  ""#,
        "7",
        "true",
        "{}",
        r#"["a"]"#,
        r#""a","access_token":"b""#,
    ] {
        let body = format!(r#"{{"access_token":{unusable},"refresh_token":"new"}}"#);
        let failure = failure(200, &body);
        assert_eq!(failure.kind, MAY_PASS, "{unusable}");
        assert_eq!(failure.reason, UNUSABLE_TOKEN, "{unusable}");
        assert_eq!(rotated(&failure), Some("new"), "{unusable}");
    }
}

#[test]
fn huge_tokens_work() {
    for length in [20 << 10, 100 << 10] {
        let huge = "x".repeat(length);
        let grant = grant(&format!(
            r#"{{"access_token":"{huge}","refresh_token":"{huge}"}}"#
        ));
        assert_eq!(grant.access_token.expose().len(), length);
        assert_eq!(grant.refresh_token.unwrap().expose().len(), length);
    }
}
