//! What is read from a pipe while the login is waited for. Terminals are tested with the program.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::net::UnixListener;

use super::super::super::testing::FakeServer;
use super::*;
use crate::secret::SecretText;

const URL: &str = "http://localhost:1420/?state=s&code=c";

fn offer() -> LoginOffer {
    serde_json::from_str(
        r#"{"account": "work", "login": 7, "url": "https://e.com/", "device_is_possible": false}"#,
    )
    .unwrap()
}

fn logged_in() -> Reply {
    let text = r#"{"account": "work", "expires_at": "2125-03-10T12:25:00Z", "refreshable": true}"#;
    Reply::Document(SecretText::new(text.to_owned()))
}

/// Takes the next request, and says what it is.
fn next(listener: &UnixListener) -> (UnixStream, Vec<u8>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    stream.read_to_end(&mut request).unwrap();
    (stream, request)
}

fn piped(text: &str) -> io::PipeReader {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader
}

/// The exit code, what is said, and what the server got.
fn login(server: FakeServer, input: &impl AsFd) -> (u8, String, String) {
    let mut err = Vec::new();
    let exit = run(&server.socket, &offer(), input.as_fd(), &mut err);
    let received = String::from_utf8(server.received()).unwrap();
    (exit.code(), String::from_utf8(err).unwrap(), received)
}

#[test]
fn a_line_from_a_pipe_finishes_the_login() {
    let server = FakeServer::start(|listener| {
        let (_waiting, mut all) = next(&listener);
        let (mut stream, request) = next(&listener);
        stream.write_all(&logged_in().encode()).unwrap();
        all.extend(request);
        all
    });
    let (code, err, received) = login(server, &piped(&format!("\n <{URL}>\r\nmore\n")));
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("'work' is logged in"), "{err}");
    assert!(!err.contains("code=c"), "{err}");
    let complete = format!("complete\t{}\twork\n{URL}", URL.len());
    assert_eq!(received, format!("await\twork\t7\t600\n{complete}"));
}

#[test]
fn the_browser_may_be_first() {
    let server = FakeServer::start(|listener| {
        let (mut stream, request) = next(&listener);
        stream.write_all(&logged_in().encode()).unwrap();
        request
    });
    // A pipe that stays open, and nothing in it.
    let (reader, writer) = io::pipe().unwrap();
    let (code, err, _) = login(server, &reader);
    drop(writer);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn without_input_the_browser_is_waited_for() {
    let server = FakeServer::start(|listener| {
        // Closed without an answer, as by a server that is being replaced.
        drop(next(&listener));
        let (mut stream, request) = next(&listener);
        stream.write_all(&logged_in().encode()).unwrap();
        request
    });
    let (code, err, _) = login(server, &File::open("/dev/null").unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("input has ended"), "{err}");
}

#[test]
fn a_wrong_line_gets_a_reason_and_the_next_is_read() {
    let server = FakeServer::start(|listener| {
        let (_waiting, _) = next(&listener);
        let refused = Reply::Error("the state is not that of a login".into());
        let (mut stream, _) = next(&listener);
        stream.write_all(&refused.encode()).unwrap();
        drop(stream);
        let (mut stream, request) = next(&listener);
        stream.write_all(&logged_in().encode()).unwrap();
        request
    });
    let wrong = "http://localhost:1420/?state=x&code=c";
    let input = piped(&format!("nonsense\n{wrong}\n{URL}\n"));
    let (code, err, received) = login(server, &input);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("ERROR - that is no URL"), "{err}");
    assert!(err.contains("ERROR - the state is not"), "{err}");
    assert!(received.ends_with(URL), "{received}");
}

#[test]
fn a_pipe_with_nothing_right_in_it_is_an_error() {
    let server = FakeServer::start(|listener| {
        let (waiting, request) = next(&listener);
        // Open for as long as the client looks: a server that goes is another story.
        std::mem::forget((waiting, listener));
        request
    });
    let (code, err, _) = login(server, &piped("nonsense"));
    assert_eq!(code, 1, "{err}");
}

#[test]
fn a_failure_is_told_once() {
    let server = FakeServer::start(|listener| {
        let (mut waiting, _) = next(&listener);
        let (mut stream, _) = next(&listener);
        let failed = Reply::Error("invalid_grant: the code is spent".into()).encode();
        stream.write_all(&failed).unwrap();
        drop(stream);
        waiting.write_all(&failed).unwrap();
        Vec::new()
    });
    let (reader, mut writer) = io::pipe().unwrap();
    writeln!(writer, "{URL}").unwrap();
    let (code, err, _) = login(server, &reader);
    assert_eq!(code, 1, "{err}");
    assert_eq!(err.matches("invalid_grant").count(), 1, "{err}");
}
