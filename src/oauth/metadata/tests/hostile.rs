//! Damaged documents: what must hold whatever comes.

use super::*;
use crate::oauth::testing::Random;

#[test]
fn damaged_documents_are_survived() {
    let mut random = Random::new(21);
    let mut good = 0_u32;
    for _ in 0..5_000 {
        let body = random.mutate(WHOLE.as_bytes());
        match parse(&issuer(ISSUER), Dialect::default(), answer(200, &body)) {
            Ok(metadata) => {
                good += 1;
                let scopes = metadata.scopes.concat();
                assert!(!scopes.contains(char::is_control), "{scopes}");
            }
            Err(MetadataFault::NotThere) => unreachable!(),
            Err(MetadataFault::Passing(reason) | MetadataFault::Wrong(reason)) => {
                assert!(!reason.is_empty() && !reason.contains(char::is_control));
                assert!(reason.chars().count() < 1_000, "{reason}");
            }
        }
    }
    assert!(good > 500, "{good}");
}

#[test]
fn depth_size_and_wrong_bytes_are_survived() {
    const SIZE: usize = 1 << 20;
    let deep = format!(
        r#"{{"issuer":"{ISSUER}","scopes_supported":{}{}}}"#,
        "[".repeat(SIZE / 2),
        "]".repeat(SIZE / 2)
    );
    let bodies: [Vec<u8>; 7] = [
        deep.into_bytes(),
        vec![0; SIZE],
        vec![0xff; SIZE],
        vec![b'{'; SIZE],
        vec![b'['; SIZE],
        b"{\"a\":".repeat(SIZE / 5),
        format!(r#"{{"issuer":"{}"}}"#, "x".repeat(SIZE)).into_bytes(),
    ];
    for body in &bodies {
        let read = parse(&issuer(ISSUER), Dialect::default(), answer(200, body));
        assert!(read.is_err());
    }
    // Spoils what it is in, and no more.
    let body = format!(
        "{{\"issuer\":\"{ISSUER}\",\"x\":\"?\",\"token_endpoint\":\"https://a.example/\"}}"
    );
    let body: Vec<u8> = body
        .into_bytes()
        .into_iter()
        .map(|byte| if byte == b'?' { 0xfc } else { byte })
        .collect();
    let read = parse(&issuer(ISSUER), Dialect::default(), answer(200, &body));
    assert!(read.unwrap().token_endpoint.is_some());
}
