//! What bodies are taken for, and which members are found in them.

use super::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");
const JSON: Option<&str> = Some("application/json");

fn shape(content_type: Option<&str>, body: &[u8]) -> Shape {
    read(content_type, body).0
}

fn show(member: &Member) -> String {
    match member {
        Member::Absent => "-".into(),
        Member::Text(text) => text.to_string(),
        Member::Unusable => "?".into(),
    }
}

#[test]
fn bodies_are_told_apart() {
    use Shape as S;
    let cases: [(Option<&str>, &[u8], Shape); 27] = [
        (JSON, b"{}", S::Whole),
        (None, b" \r\n{}\n", S::Whole),
        (None, b"\xef\xbb\xbf{\"error\":\"x\"}", S::Whole),
        (Some("text/html"), b"{\"error\":\"x\"}", S::Whole),
        (FORM, b"{}", S::Whole),
        (FORM, b"access_token=x", S::Whole),
        (FORM, b"error=x\n", S::Whole),
        (FORM, b"a=b&refresh_token=x", S::Whole),
        (Some("Text/Plain"), b"error=x", S::Whole),
        (FORM, b"access_token=&error=", S::Other),
        (FORM, b"hello", S::Other),
        (Some("text/plain"), b"upstream error: x=y", S::Other),
        (None, b"access_token=x", S::Other),
        (JSON, b"access_token=x", S::Other),
        (JSON, b"[]", S::Other),
        (JSON, b"\"access_token\"", S::Other),
        (JSON, b"null", S::Other),
        (JSON, b"\xff\xfe{\0}\0", S::Other),
        (JSON, b"", S::Empty),
        (None, b" \n\t", S::Empty),
        (None, b"\xef\xbb\xbf", S::Empty),
        (
            Some("text/html; charset=utf-8"),
            b"Log in to HotelNet",
            S::WebPage,
        ),
        (JSON, b"\n<!DOCTYPE html><html>", S::WebPage),
        (JSON, b"{", S::Broken),
        (JSON, b"{\"error\":\"x\"", S::Broken),
        (JSON, b"{\"error\":\"x\"} {}", S::Broken),
        (JSON, b"{error:\"x\"}", S::Broken),
    ];
    for (content_type, body, expected) in cases {
        let text = String::from_utf8_lossy(body);
        assert_eq!(
            shape(content_type, body),
            expected,
            "{content_type:?} {text}"
        );
    }
}

#[test]
fn values_of_a_wrong_type_spoil_only_themselves() {
    let cases = [
        ("null", "-", "-", "-"),
        ("false", "-", "-", "-"),
        ("\"\"", "-", "-", "-"),
        ("true", "?", "?", "?"),
        ("{}", "?", "?", "?"),
        ("{\"a\":[1,{}]}", "?", "?", "?"),
        ("[]", "?", "?", "-"),
        ("[\"a\", \"b\"]", "?", "?", "a b"),
        ("[\"a\", 1, [\"x\"], null, \"b\\/c\"]", "?", "?", "a b/c"),
        ("1", "?", "1", "?"),
        ("-0.5e-3", "?", "-0.5e-3", "?"),
        ("1e400", "?", "1e400", "?"),
        ("\"x\"", "x", "x", "x"),
        ("\" x \"", " x ", " x ", " x "),
        ("\"a\\/b\\u002b\"", "a/b+", "a/b+", "a/b+"),
        ("\"\\ud800\"", "\u{fffd}", "\u{fffd}", "\u{fffd}"),
    ];
    for (value, access_token, expires_in, scope) in cases {
        let body = format!(
            r#"{{"access_token":{value},"expires_in":{value},"scope":{value},"error":"e"}}"#
        );
        let (shape, members) = read(JSON, body.as_bytes());
        assert_eq!(shape, Shape::Whole, "{value}");
        assert_eq!(show(&members.access_token), access_token, "{value}");
        assert_eq!(show(&members.expires_in), expires_in, "{value}");
        assert_eq!(show(&members.scope), scope, "{value}");
        assert_eq!(show(&members.error), "e", "{value}");
    }
}

#[test]
fn what_comes_twice_counts_only_where_it_agrees() {
    let cases = [
        ("\"a\"", "\"a\"", "a"),
        ("\"a\"", "\"\\u0061\"", "a"),
        ("\"a\"", "null", "a"),
        ("\"\"", "\"a\"", "a"),
        ("\"a\"", "\"b\"", "?"),
        ("\"a\"", "1", "?"),
    ];
    for (first, second, expected) in cases {
        let body = format!(r#"{{"error":{first},"x":1,"error":{second}}}"#);
        assert_eq!(
            show(&read(JSON, body.as_bytes()).1.error),
            expected,
            "{body}"
        );
    }
    let (_, members) = read(FORM, b"error=a&error=b&refresh_token=r&refresh_token=r");
    assert_eq!(show(&members.error), "?");
    assert_eq!(show(&members.refresh_token), "r");
}

#[test]
fn what_came_before_a_break_is_kept() {
    let whole = r#"{"refresh_token":"r\/1","access_token":"a"}"#;
    for length in 1..whole.len() {
        let (shape, members) = read(JSON, &whole.as_bytes()[..length]);
        assert_eq!(shape, Shape::Broken);
        let complete = length >= r#"{"refresh_token":"r\/1""#.len();
        assert_eq!(
            show(&members.refresh_token),
            if complete { "r/1" } else { "-" }
        );
    }
}

#[test]
fn depth_and_size_are_survived() {
    let deep = "[".repeat(500_000);
    let closed = format!("{deep}{}", "]".repeat(500_000));
    for value in [deep, closed.clone()] {
        for name in ["x", "access_token", "scope", "expires_in", "error"] {
            let body = format!(r#"{{"refresh_token":"r","{name}":{value}}}"#);
            let (_, members) = read(JSON, body.as_bytes());
            assert_eq!(show(&members.refresh_token), "r", "{name}");
        }
    }
    let body = format!(r#"{{"{}":1,"error":"e"}}"#, "k".repeat(1 << 20));
    assert_eq!(show(&read(JSON, body.as_bytes()).1.error), "e");
    assert_eq!(shape(JSON, closed.as_bytes()), Shape::Other);
    assert_eq!(shape(FORM, "&=".repeat(500_000).as_bytes()), Shape::Other);
}

#[test]
fn what_is_no_utf_8_spoils_only_itself() {
    let latin_1 =
        b"{\"error\":\"invalid_grant\",\"error_description\":\"ung\xfcltig\",\"x\":\"\xff\"}";
    let (shape, members) = read(JSON, latin_1);
    assert_eq!(shape, Shape::Whole);
    assert_eq!(show(&members.error), "invalid_grant");
    assert_eq!(show(&members.error_description), "ung\u{fffd}ltig");
}
