//! Every message survives the way there and back; nothing else is taken for a message.

use rand::TryRng;
use rand::rngs::SysRng;

use std::time::Duration;

use super::*;
use crate::protocol::{
    LoginMethod, LoginPlace, MAX_DUMP, MAX_REQUEST, MAX_TIME, Reply, Request, Wanted,
};
use crate::secret::{AccessToken, SecretText};

fn requests() -> Vec<Request> {
    vec![
        Request::Show(Wanted::now("work")),
        Request::Show(Wanted::now("-дом ☃")),
        Request::Show(Wanted {
            account: "wait=5".into(),
            wait: Some(Duration::ZERO),
            min_valid: MAX_TIME,
        }),
        Request::Refresh("work".into()),
        Request::Login("work".into(), LoginMethod::Configured),
        Request::Login("configured".into(), LoginMethod::Device),
        Request::AwaitLogin("work".into(), 0, Duration::ZERO),
        Request::AwaitLogin("a b".into(), u64::MAX, MAX_TIME),
        Request::Complete(None, SecretText::new("http://localhost/?code=c".into())),
        Request::Complete(
            Some("work".into()),
            SecretText::new("x".repeat(super::super::MAX_URL)),
        ),
        Request::Complete(Some("7".into()), SecretText::new("a\n\tb".into())),
        Request::Revoke("a b".into()),
        Request::Reload,
        Request::Status,
        Request::Info,
        Request::Dump,
        Request::Restore(SecretText::new(String::new())),
        Request::Restore(SecretText::new("{\n\t\"a\": 1\n}\n".into())),
        Request::Shutdown,
    ]
}

fn replies() -> Vec<Reply> {
    let text = |text: &str| text.to_owned();
    vec![
        Reply::Done(text("")),
        Reply::Done(text("2 tokens\nrestored")),
        Reply::Token(AccessToken::new(text("ya29.x"))),
        Reply::Token(AccessToken::new("x".repeat(1 << 20))),
        Reply::Document(SecretText::new(text("{}\n"))),
        Reply::LoginNeeded(LoginPlace {
            url: text("https://example.com/?a=b"),
            user_code: None,
        }),
        Reply::LoginNeeded(LoginPlace {
            url: text("https://example.com/device"),
            user_code: Some(text("ABCD-EFGH")),
        }),
        Reply::TryLater(text("is being refreshed")),
        Reply::Error(text("a\nb ☃")),
    ]
}

#[test]
fn requests_survive_the_wire() {
    for request in requests() {
        let bytes = request.encode();
        assert_eq!(framing(&bytes), Framing::Whole, "{request:?}");
        assert_eq!(Request::decode(&bytes), Ok(request));
    }
}

#[test]
fn replies_survive_the_wire() {
    for reply in replies() {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
}

#[test]
fn the_wire_is_what_it_was() {
    let show = Request::Show(Wanted::now("work"));
    assert_eq!(&**show.encode(), b"show\twork\n");
    let restore = Request::Restore(SecretText::new("{}".into()));
    assert_eq!(&**restore.encode(), b"restore\t2\n{}");
    let login = Request::Login("work".into(), LoginMethod::Device);
    assert_eq!(&**login.encode(), b"login\twork\tdevice\n");
    let wait = Request::AwaitLogin("work".into(), 3, Duration::from_secs(600));
    assert_eq!(&**wait.encode(), b"await\twork\t3\t600\n");
    let url = SecretText::new("http://localhost/?code=c".into());
    let complete = Request::Complete(Some("work".into()), url);
    assert_eq!(
        &**complete.encode(),
        b"complete\t24\twork\nhttp://localhost/?code=c"
    );
    let token = Reply::Token(AccessToken::new("t".into()));
    assert_eq!(&**token.encode(), b"token 1\nt");
}

#[test]
fn messages_are_encoded_without_growing() {
    for request in requests() {
        let bytes = request.encode();
        assert_eq!(bytes.len(), bytes.capacity());
    }
}

#[test]
fn a_part_of_a_request_needs_more_and_is_none() {
    for request in requests() {
        let bytes = request.encode();
        for end in 0..bytes.len() {
            assert_eq!(framing(&bytes[..end]), Framing::NeedMore, "{request:?}");
            assert!(Request::decode(&bytes[..end]).is_err(), "{request:?}");
        }
    }
}

#[test]
fn a_reply_that_was_cut_off_is_none() {
    for reply in replies() {
        let bytes = reply.encode();
        let step = 1 + bytes.len() / 2_000;
        for end in (0..bytes.len()).step_by(step) {
            assert_eq!(Reply::decode(&bytes[..end]), Err(BadReply::CutOff));
        }
    }
}

#[test]
fn nothing_may_follow_a_message() {
    for request in requests() {
        let mut bytes = request.encode();
        bytes.push(b'x');
        assert!(matches!(framing(&bytes), Framing::Bad(_)), "{request:?}");
        assert!(Request::decode(&bytes).is_err(), "{request:?}");
    }
    for reply in replies() {
        let mut bytes = reply.encode();
        bytes.push(b'\n');
        assert!(matches!(
            Reply::decode(&bytes),
            Err(BadReply::NotUnderstood(_))
        ));
    }
}

#[test]
fn what_is_not_a_request_gets_a_reason() {
    let cases: &[(&[u8], &str)] = &[
        (b"\n", "does not know the request ''"),
        (b"fetch\twork\n", "does not know the request 'fetch'"),
        (b"Show\twork\n", "does not know"),
        (b"\x1b[2J\n", "'\\x1b[2J'"),
        (b"\xff\n", "UTF-8"),
        (b"show\t\xff\n", "UTF-8"),
        (b"show\n", "'show' needs the name"),
        (b"show\t\n", "'show' needs the name"),
        (b"refresh\ta\tb\n", "one account"),
        (b"show\ta\tb\n", "no value"),
        (b"show\ta\twait=\n", "no time"),
        (b"show\ta\twait=86401\n", "no time"),
        (b"show\ta\twait=-1\n", "no time"),
        (b"show\ta\thurry=1\n", "the option 'hurry'"),
        (b"show\twork\r\n", "control characters"),
        (b"show\ta\0b\n", "control characters"),
        ("show\ta\u{9b}b\n".as_bytes(), "control characters"),
        (b"login\n", "needs the name"),
        (b"login\ta\n", "a method"),
        (b"login\ta\tfast\n", "the method 'fast'"),
        (b"login\t\tdevice\n", "needs the name"),
        (b"await\n", "needs an account"),
        (b"await\t\t1\t1\n", "needs the name"),
        (b"await\ta\t1\t1\t1\n", "needs an account"),
        (b"await\ta\t+1\t1\n", "no number"),
        (b"await\ta\t1\t01\n", "no number"),
        (b"complete\n", "needs the length"),
        (b"complete\t1\na", "needs the length"),
        (b"await\ta\t1\n", "a time"),
        (b"await\ta\tone\t1\n", "number"),
        (b"complete\tx\t\na", "not a number"),
        (b"complete\t16385\t\na", "16384"),
        (b"complete\t2\t\na", "not as long"),
        (b"complete\t1\ta\tb\na", "one account"),
        (b"complete\t1\t\n\xff", "UTF-8"),
        (b"reload\t\n", "'reload' takes nothing"),
        (b"restore\n", "length"),
        (b"restore\t\n", "not a number"),
        (b"restore\t+1\na", "not a number"),
        (b"restore\t01\na", "not a number"),
        (b"restore\t-1\na", "not a number"),
        (b"restore\t1\t1\na", "not a number"),
        (b"restore\t99999999999999999999999999\na", "not a number"),
        (b"restore\t16777217\na", "16777216"),
        (b"restore\t2\na", "not as long"),
        (b"restore\t1\n\xff", "UTF-8"),
    ];
    for (bytes, expected) in cases {
        let reason = Request::decode(bytes).unwrap_err();
        assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
        assert!(!reason.chars().any(char::is_control), "{reason:?}");
    }
}

#[test]
fn the_server_says_which_version_does_not_know_a_verb() {
    let Framing::Bad(reason) = framing(b"restore2\t5\nabcde") else {
        panic!("taken for a request");
    };
    assert!(reason.contains(env!("CARGO_PKG_VERSION")), "{reason}");
    assert!(reason.contains("'restore2'"), "{reason}");
    let long = [&[b'a'; 10_000][..], b"\n"].concat();
    assert!(Request::decode(&long).unwrap_err().len() < 200);
}

#[test]
fn hopeless_requests_are_told_early() {
    let line = vec![b'a'; MAX_REQUEST - 1];
    assert_eq!(framing(&line), Framing::NeedMore);
    let line = vec![b'a'; MAX_REQUEST];
    assert!(matches!(framing(&line), Framing::Bad(_)));
    let announced = format!("restore\t{}\n", MAX_DUMP + 1);
    assert!(matches!(framing(announced.as_bytes()), Framing::Bad(_)));
    let announced = b"complete\t16385\twork\n";
    assert!(matches!(framing(announced), Framing::Bad(_)));
    let announced = format!("restore\t{MAX_DUMP}\n");
    assert_eq!(framing(announced.as_bytes()), Framing::NeedMore);
}

#[test]
fn what_is_not_a_reply_gets_a_reason() {
    let cases: &[(&[u8], &str)] = &[
        (&[b'a'; reply::MAX_REPLY_HEAD], "begin"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "unknown kind 'HTTP/1.1'"),
        (b"token\n", "begin"),
        (b"token \n", "length"),
        (b"token x\n", "length"),
        (b"token 1 \nx", "length"),
        (b"token 99999999999\nx", "too long"),
        (b"token 1\n\xff", "UTF-8"),
    ];
    for (bytes, expected) in cases {
        let reason = Reply::decode(bytes).unwrap_err().to_string();
        assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
    }
}

/// Bytes of which many are ones that a message is made of.
fn random_message() -> Vec<u8> {
    const PIECES: [&[u8]; 12] = [
        b"show", b"restore", b"token", b"done", b"\t", b"\n", b" ", b"1", b"3", b"0", b"a", b"\xff",
    ];
    let mut seed = [0; 16];
    SysRng.try_fill_bytes(&mut seed).unwrap();
    let length = usize::from(seed[0]) % seed.len();
    let piece = |byte: &u8| match *byte {
        byte if byte < 16 => vec![byte],
        byte => PIECES[usize::from(byte) % PIECES.len()].to_vec(),
    };
    seed[1..].iter().take(length).flat_map(piece).collect()
}

#[test]
fn whatever_arrives_nothing_panics_and_what_is_taken_is_what_was_written() {
    for _ in 0..20_000 {
        let bytes = random_message();
        let whole = framing(&bytes) == Framing::Whole;
        match Request::decode(&bytes) {
            Ok(request) => {
                assert!(whole, "{bytes:?}");
                assert_eq!(**request.encode(), *bytes);
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
        if let Ok(reply) = Reply::decode(&bytes) {
            assert_eq!(**reply.encode(), *bytes);
        }
    }
}
