//! Answers that were damaged, by accident or on purpose: what must hold whatever comes.

use super::super::*;
use crate::oauth::testing::Random;

/// Damaged answers made from each good one.
const ROUNDS: u32 = 10_000;
const SECRET: &str = "hush-hush-hush";
const STATUSES: [u16; 9] = [200, 200, 200, 201, 400, 400, 401, 403, 503];
const TYPES: [Option<&str>; 4] = [
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("text/html"),
    None,
];
const SEEDS: [&str; 5] = [
    r#"{"access_token":"hush-hush-hush","token_type":"Bearer","expires_in":3600,"refresh_token":"hush-hush-hush","scope":"a b"}"#,
    r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked.","error_codes":[1,2]}"#,
    r#"{"error":"server_error","scope":["a","b"],"expires_in":"12","x":{"y":[{"z":null}]}}"#,
    "access_token=hush-hush-hush&token_type=bearer&expires_in=3600&refresh_token=hush-hush-hush",
    "error=invalid_grant&error_description=a%20b+c%e4",
];

fn answer<'a>(status: u16, content_type: Option<&'static str>, body: &'a [u8]) -> Answer<'a> {
    Answer {
        status,
        content_type,
        retry_after: None,
        body,
    }
}

fn check(answer: Answer<'_>) -> bool {
    let body = String::from_utf8_lossy(answer.body);
    match parse(answer, Timestamp::UNIX_EPOCH) {
        Ok(grant) => {
            let token = grant.access_token.expose();
            assert!(!token.is_empty() && token.is_ascii(), "{body}");
            assert!(!token.contains(char::is_control), "{body}");
            assert!(grant.lifetime <= Some(MAX_LIFETIME), "{body}");
            let refresh_token = grant.refresh_token;
            assert!(
                refresh_token.is_none_or(|it| !it.expose().is_empty()),
                "{body}"
            );
            let scope = grant.scope.unwrap_or_default();
            assert!(!scope.contains(char::is_control), "{body}");
            true
        }
        Err(failure) => {
            assert!(!failure.reason.is_empty(), "{body}");
            assert!(!failure.reason.contains(char::is_control), "{body}");
            assert!(failure.reason.chars().count() < 500, "{body}");
            if failure.kind == FailureKind::InvalidGrant {
                assert!(body.contains("invalid_grant"), "{body}");
                assert!([200, 201, 400, 401].contains(&answer.status), "{body}");
            }
            false
        }
    }
}

#[test]
fn damaged_answers_keep_their_promises() {
    let mut granted = 0_u32;
    for (number, seed) in (1..).zip(SEEDS) {
        let mut random = Random::new(number);
        for _ in 0..ROUNDS {
            let body = random.mutate(seed.as_bytes());
            let status = STATUSES[random.below(STATUSES.len())];
            let content_type = TYPES[random.below(TYPES.len())];
            granted += u32::from(check(answer(status, content_type, &body)));
        }
    }
    // Otherwise the damage is so great that the test says little.
    assert!(granted > ROUNDS / 20, "{granted}");
}

#[test]
fn an_answer_cut_off_is_never_final() {
    for seed in SEEDS.into_iter().filter(|seed| seed.starts_with('{')) {
        for (length, status) in (0..seed.len()).flat_map(|length| STATUSES.map(|it| (length, it))) {
            let answer = answer(status, TYPES[0], &seed.as_bytes()[..length]);
            let failure = parse(answer, Timestamp::UNIX_EPOCH).unwrap_err();
            let kind = FailureKind::Passing { retry_after: None };
            assert_eq!(failure.kind, kind, "{}", &seed[..length]);
            assert!(!failure.reason.contains("hush"), "{}", failure.reason);
        }
    }
}

#[test]
fn no_message_holds_a_token() {
    let bodies = [
        format!(r#"{{"access_token":"{SECRET}","token_type":"mac"}}"#),
        format!(r#"{{"access_token":"{SECRET}\n","refresh_token":"{SECRET}"}}"#),
        format!(r#"{{"access_token":["{SECRET}"]}}"#),
        format!(r#"{{"id_token":"{SECRET}"}}"#),
        format!(r#"{{"error":{{"token":"{SECRET}"}}}}"#),
        format!(r#"{{"refresh_token":"{SECRET}","x"#),
        format!(r#""{SECRET}""#),
        SECRET.to_owned(),
        format!("<p>{SECRET}</p>"),
    ];
    for (status, body) in STATUSES
        .into_iter()
        .flat_map(|it| bodies.iter().map(move |b| (it, b)))
    {
        let answer = answer(status, TYPES[0], body.as_bytes());
        let shown = format!("{answer:?} {:?}", parse(answer, Timestamp::UNIX_EPOCH));
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn the_worst_bodies_are_survived() {
    const SIZE: usize = 1 << 20;
    let open_escape = [b"{\"error\":\"".as_slice(), &[b'\\'; SIZE]].concat();
    let digits = format!(
        r#"{{"access_token":"a","expires_in":{}}}"#,
        "9".repeat(SIZE)
    );
    let bodies: [Vec<u8>; 9] = [
        vec![0; SIZE],
        vec![0xff; SIZE],
        vec![b'{'; SIZE],
        b"{\"a\":".repeat(SIZE / 5),
        vec![b'['; SIZE],
        vec![b'&'; SIZE],
        vec![b'%'; SIZE],
        open_escape,
        digits.into(),
    ];
    for (body, content_type) in bodies.iter().flat_map(|body| TYPES.map(|it| (body, it))) {
        check(answer(200, content_type, body));
    }
}
