//! Replies as people and programs see them, and every way in which a server can fail to answer.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::connection::{LIMITS, Limits};
use super::testing::{FakeServer, TempDir};
use super::*;
use crate::protocol::LoginPlace;
use crate::secret::AccessToken;

/// Short enough for a test that has to wait for it.
const IMPATIENT: Duration = Duration::from_millis(50);

fn show() -> Request {
    Request::Show(Wanted::now("work"))
}

fn ask(server: &FakeServer) -> Result<Reply, ClientError> {
    connection::exchange(&server.socket, &show(), &LIMITS)
}

fn ask_at(path: &Path) -> ClientError {
    connection::exchange(path, &show(), &LIMITS).unwrap_err()
}

fn performed(reply: &Reply, hide_url: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = perform(reply, hide_url, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit.code(), text(out), text(err))
}

fn at(url: &str) -> LoginPlace {
    LoginPlace {
        url: url.into(),
        user_code: None,
    }
}

#[test]
fn replies_become_output_messages_and_exit_codes() {
    let url = "https://example.com/?state=x";
    let cases = [
        (
            Reply::Token(AccessToken::new("ya29.x".into())),
            0,
            "ya29.x\n",
            "",
        ),
        (Reply::Document(SecretText::new("{}".into())), 0, "{}", ""),
        (Reply::Done(String::new()), 0, "", ""),
        (Reply::Done("revoked".into()), 0, "", "revoked\n"),
        (
            Reply::LoginNeeded(at(url)),
            3,
            "",
            "ERROR - Token unavailable until authorised with URL https://example.com/?state=x\n",
        ),
        (
            Reply::LoginNeeded(LoginPlace {
                url: "https://example.com/device".into(),
                user_code: Some("WDJB-\x1bMJHT".into()),
            }),
            3,
            "",
            "ERROR - Token unavailable until authorised with URL https://example.com/device \
             and code WDJB-\\u{1b}MJHT\n",
        ),
        (
            Reply::TryLater("being refreshed".into()),
            4,
            "",
            "ERROR - being refreshed\n",
        ),
        (
            Reply::Error("no account 'x'".into()),
            1,
            "",
            "ERROR - no account 'x'\n",
        ),
        (
            Reply::Error("error: bad\n  --> a.conf:1:1\n\nnot reloaded\n".into()),
            1,
            "",
            "error: bad\n  --> a.conf:1:1\n\nERROR - not reloaded\n",
        ),
        (
            Reply::Error("a\x1b[2J\rb".into()),
            1,
            "",
            "ERROR - a\\u{1b}[2J\\rb\n",
        ),
    ];
    for (reply, code, out, err) in cases {
        let expected = (code, out.to_owned(), err.to_owned());
        assert_eq!(performed(&reply, false), expected, "{reply:?}");
    }
}

#[test]
fn the_url_can_be_kept_off_stderr() {
    let (code, out, err) = performed(&Reply::LoginNeeded(at("https://example.com")), true);
    assert_eq!((code, &*out), (3, ""));
    assert_eq!(err, "ERROR - Token unavailable until authorised\n");
}

/// A file that counts what is written to it, or refuses it.
struct Output(Result<usize, i32>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writes = self
            .0
            .as_mut()
            .map_err(|number| io::Error::from_raw_os_error(*number))?;
        *writes += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_token_is_written_at_once_or_it_is_an_error() {
    let token = Reply::Token(AccessToken::new("ya29.secret".into()));
    let mut err = Vec::new();
    let mut out = Output(Ok(0));
    assert_eq!(perform(&token, false, &mut out, &mut err), Exit::Done);
    assert_eq!(out.0, Ok(1));
    let refused = |number| {
        let mut err = Vec::new();
        let exit = perform(&token, false, &mut Output(Err(number)), &mut err);
        (exit, String::from_utf8(err).unwrap())
    };
    let (exit, err) = refused(libc::ENOSPC);
    assert_eq!(exit, Exit::Error);
    let why = "ERROR - cannot write to standard output: no space left";
    assert!(err.starts_with(why), "{err}");
    assert!(!err.contains("secret"), "{err}");
    // Whoever reads may stop reading.
    assert_eq!(refused(libc::EPIPE), (Exit::Error, String::new()));
}

#[test]
fn a_request_is_answered() {
    let reply = Reply::Token(AccessToken::new("t".repeat(3 << 20)));
    let server = FakeServer::answering(reply.encode().to_vec());
    assert_eq!(ask(&server).unwrap(), reply);
    assert_eq!(server.received(), **show().encode());
}

#[test]
fn a_reply_is_read_however_it_arrives() {
    let server = FakeServer::start(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        for byte in *b"done 3\nyes" {
            stream.write_all(&[byte]).unwrap();
        }
        Vec::new()
    });
    assert_eq!(ask(&server).unwrap(), Reply::Done("yes".into()));
}

#[test]
fn without_a_server_it_is_said_how_to_start_it() {
    let dir = TempDir::new();
    let stale = dir.path().join("s");
    drop(UnixListener::bind(&stale).unwrap());
    for path in [stale, dir.path().join("none"), dir.path().join("no/dir")] {
        let error = ask_at(&path);
        assert!(matches!(error, ClientError::NotRunning), "{error:?}");
        assert!(error.to_string().contains("'pizauth server'"), "{error}");
    }
}

#[test]
fn a_socket_that_cannot_be_used_is_named() {
    let dir = TempDir::new();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let beneath = file.join("s");
    let error = ask_at(&beneath).to_string();
    assert!(error.contains(beneath.to_str().unwrap()), "{error}");
    let error = ask_at(&dir.path().join("d".repeat(200))).to_string();
    assert!(error.contains(&MAX_SOCKET_PATH.to_string()), "{error}");
}

#[test]
fn a_reply_that_was_cut_off_is_not_shown() {
    for reply in ["tok", "token 6\n", "token 6\nya29."] {
        let server = FakeServer::answering(reply);
        let error = ask(&server).unwrap_err();
        assert!(
            matches!(error, ClientError::BadReply(BadReply::CutOff)),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("before it had answered"),
            "{error}"
        );
    }
}

#[test]
fn what_is_not_a_reply_is_told_apart() {
    for reply in ["token 1\nab", "news 1\na", "SSH-2.0-x\r\n"] {
        let server = FakeServer::answering(reply);
        let error = ask(&server).unwrap_err().to_string();
        assert!(error.contains("not understood"), "{error}");
    }
}

#[test]
fn an_endless_reply_is_not_read_to_its_end() {
    let server = FakeServer::start(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        let piece = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while stream.write_all(&piece).is_ok() {
            sent += piece.len();
            assert!(sent < 1 << 30, "the client reads on");
        }
        Vec::new()
    });
    let limits = Limits {
        reply: 1 << 20,
        ..LIMITS
    };
    let error = connection::exchange(&server.socket, &show(), &limits).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    server.received();
}

#[test]
fn a_silent_server_is_given_up_on() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let server = FakeServer::start(move |listener| {
        let connection = listener.accept().unwrap();
        // Ends when the client has given up.
        let _ = wait.recv();
        drop(connection);
        Vec::new()
    });
    let limits = Limits {
        silence: IMPATIENT,
        ..LIMITS
    };
    let error = connection::exchange(&server.socket, &show(), &limits).unwrap_err();
    assert!(matches!(error, ClientError::NoAnswer), "{error:?}");
    drop(done);
    server.received();
}

/// Only Linux makes a client wait when the queue of connections is full; elsewhere it is refused.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_takes_no_connections_is_given_up_on() {
    let dir = TempDir::new();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
    let mut queued = Vec::new();
    let error = loop {
        match connection::connected(&path, IMPATIENT) {
            Ok(stream) => queued.push(stream),
            Err(error) => break error,
        }
        assert!(queued.len() < 100, "the queue has no end");
    };
    assert!(matches!(error, ClientError::NoAnswer), "{error:?}");
}

#[test]
fn a_server_that_refuses_halfway_is_heard() {
    let server = FakeServer::start(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"error 4\nbusy").unwrap();
        Vec::new()
    });
    let dump = SecretText::new("x".repeat(8 << 20));
    let reply = connection::exchange(&server.socket, &Request::Restore(dump), &LIMITS);
    assert_eq!(reply.unwrap(), Reply::Error("busy".into()));
}

#[test]
fn every_failure_to_get_an_answer_ends_with_the_same_code() {
    let mut err = Vec::new();
    assert_eq!(fail(&ClientError::NotRunning, &mut err), Exit::NoServer);
    assert!(err.starts_with(b"ERROR - the pizauth server is not running"));
}

#[test]
fn a_dump_is_read_to_its_end() {
    let dump = format!("{{\"a\": \"{}\"}}\n", "x".repeat(100_000));
    assert_eq!(dump_from(dump.as_bytes()).unwrap().expose(), dump);
}

#[test]
fn what_cannot_be_a_dump_is_refused_before_the_server_is_asked() {
    let cases: [(Box<dyn Read>, &str); 4] = [
        (Box::new(io::empty()), "there is no dump"),
        (Box::new(&b" \n\n"[..]), "there is no dump"),
        (Box::new(&b"\x85\x01\xff"[..]), "decrypt"),
        (Box::new(io::repeat(b'x')), "longer than"),
    ];
    for (source, expected) in cases {
        let why = dump_from(source).unwrap_err();
        assert!(why.contains(expected), "{why:?} lacks {expected:?}");
    }
}
