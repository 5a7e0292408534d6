//! Damaged answers: what must hold whatever comes.

use super::*;
use crate::oauth::testing::Random;

const ROUNDS: u32 = 4_000;
const STATUSES: [u16; 7] = [200, 200, 200, 400, 401, 403, 503];
const TYPES: [&str; 3] = [JSON, FORM, "text/html"];
const SEEDS: [&str; 5] = [
    r#"{"device_code":"hush-hush","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?c=W","expires_in":1800,"interval":5}"#,
    "device_code=hush-hush&expires_in=899&interval=5&user_code=WDJB-MJHT&verification_url=https%3A%2F%2Fgithub.com%2Flogin%2Fdevice",
    r#"{"error":"authorization_pending","error_description":"still\npending","interval":10}"#,
    r#"{"error":"access_denied","error_description":"a\u202eb"}"#,
    "error=expired_token&error_description=%1b%5b2J%e4",
];

fn is_safe(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(char::is_control)
        && !text.contains('\u{202e}')
        && text.chars().count() < 1100
}

/// Whether it is a good one.
fn check_authorization(answer: Answer<'_>) -> bool {
    match parse_authorization(answer, Timestamp::UNIX_EPOCH) {
        Ok(came) => {
            assert!(!came.device_code.expose().is_empty());
            assert!(is_safe(&came.user_code), "{came:?}");
            for uri in [Some(came.verification_uri), came.verification_uri_complete] {
                let is_web = |uri: &str| uri.starts_with("http") && uri.is_ascii() && is_safe(uri);
                assert!(uri.is_none_or(|uri| is_web(&uri)));
            }
            assert!(!came.lifetime.is_zero() && came.lifetime <= MAX_LIFETIME);
            assert!(!came.interval.is_zero() && came.interval <= MAX_INTERVAL);
            true
        }
        Err(failure) => {
            assert!(is_safe(&failure.reason), "{}", failure.reason);
            assert!(failure.kind != FailureKind::InvalidGrant);
            false
        }
    }
}

/// Whether it ends the login.
fn check_poll(answer: Answer<'_>) -> bool {
    match parse_poll(answer, Timestamp::UNIX_EPOCH) {
        Ok(grant) => assert!(!grant.access_token.expose().is_empty()),
        Err(PollFailure::Pending | PollFailure::SlowDown) => return false,
        Err(PollFailure::Expired) => {}
        Err(PollFailure::Refused(reason)) => assert!(is_safe(&reason), "{reason}"),
        Err(PollFailure::Failed(failure)) => {
            assert!(is_safe(&failure.reason), "{}", failure.reason);
            if matches!(failure.kind, FailureKind::Passing { .. }) {
                return false;
            }
        }
    }
    assert!([200, 400, 401, 403].contains(&answer.status));
    true
}

#[test]
fn damaged_answers_keep_their_promises() {
    let (mut good, mut ended) = (0_u32, 0_u32);
    for (number, seed) in (1..).zip(SEEDS) {
        let mut random = Random::new(number);
        for _ in 0..ROUNDS {
            let body = random.mutate(seed.as_bytes());
            let status = STATUSES[random.below(STATUSES.len())];
            let answer = answer(status, TYPES[random.below(TYPES.len())], &body);
            good += u32::from(check_authorization(answer));
            ended += u32::from(check_poll(answer));
        }
    }
    // Otherwise the damage is so great that the test says little.
    assert!(good > ROUNDS / 20 && ended > ROUNDS / 20, "{good} {ended}");
}

#[test]
fn an_answer_cut_off_is_never_final() {
    for seed in SEEDS.into_iter().filter(|seed| seed.starts_with('{')) {
        for length in 0..seed.len() {
            let answer = answer(400, JSON, &seed.as_bytes()[..length]);
            assert!(!check_poll(answer), "{}", &seed[..length]);
        }
    }
}

#[test]
fn nothing_shows_the_device_code() {
    let shown = parse_authorization(
        answer(200, JSON, SEEDS[0].as_bytes()),
        Timestamp::UNIX_EPOCH,
    );
    assert!(!format!("{shown:?}").contains("hush"));
}

#[test]
fn the_worst_bodies_are_survived() {
    const SIZE: usize = 1 << 20;
    let huge = format!(
        r#"{{"device_code":"{}","user_code":"u","verification_uri":"https://a.example/{}"}}"#,
        "d".repeat(SIZE),
        "x".repeat(SIZE)
    );
    for body in [
        vec![0; SIZE],
        vec![0xff; SIZE],
        b"{\"a\":".repeat(SIZE / 5),
        vec![b'['; SIZE],
        vec![b'&'; SIZE],
        huge.into_bytes(),
    ] {
        for content_type in TYPES {
            assert!(!check_authorization(answer(200, content_type, &body)));
            assert!(!check_poll(answer(200, content_type, &body)));
        }
    }
}
