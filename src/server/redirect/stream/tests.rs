//! Browsers that speak TLS well, slowly, in another way, and not at all.

use std::net::TcpListener;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::clock;
use crate::server::redirect::certificate::Certificate;
use crate::server::redirect::self_signed;

/// Both ends of a connection, and what the browser needs to trust the other one.
fn connection() -> (TcpStream, Stream, RootCertStore) {
    let own = self_signed::make(clock::now().wall).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.certificate.clone().into()).unwrap();
    let certificate = Certificate::of(own).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let browser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    browser.set_nonblocking(true).unwrap();
    browser.set_nodelay(true).unwrap();
    let stream = Stream::new(socket, Some(certificate.tls()));
    (browser, stream, roots)
}

type Version = &'static rustls::SupportedProtocolVersion;

const VERSIONS: [Version; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

fn session(
    roots: RootCertStore,
    version: Version,
    protocols: &[&str],
    name: &'static str,
) -> ClientConnection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap()
}

/// Reads as the intake does: until there is nothing to be had.
fn read_all(stream: &mut Stream, heard: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn await_readable(stream: &impl AsFd) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut ready = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(Duration::from_secs(20)).unwrap();
    assert_eq!(poll(&mut ready, limit), Ok(1));
}

/// Sends all that the browser has to say, `step` bytes at a time, and lets the server hear it.
fn speak(
    browser: &mut TcpStream,
    session: &mut ClientConnection,
    step: usize,
    stream: &mut Stream,
    heard: &mut Vec<u8>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    for piece in bytes.chunks(step) {
        browser.write_all(piece)?;
        await_readable(stream);
        read_all(stream, heard)?;
    }
    Ok(())
}

/// Lets the browser hear what there is.
fn hear(browser: &mut TcpStream, session: &mut ClientConnection) -> Result<(), rustls::Error> {
    loop {
        match session.read_tls(browser) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                session.process_new_packets()?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Both sides' part of the handshake.
fn shake_hands(
    browser: &mut TcpStream,
    session: &mut ClientConnection,
    step: usize,
    stream: &mut Stream,
) {
    let mut heard = Vec::new();
    while session.is_handshaking() || session.wants_write() {
        speak(browser, session, step, stream, &mut heard).unwrap();
        if session.is_handshaking() {
            await_readable(browser);
            hear(browser, session).unwrap();
        }
    }
    assert_eq!(heard, b"");
}

#[test]
fn a_request_and_a_page_go_through_at_any_pace_and_for_any_loopback_name() {
    for (step, name) in [(usize::MAX, "localhost"), (1, "127.0.0.1"), (7, "::1")] {
        for version in VERSIONS {
            let (mut browser, mut stream, roots) = connection();
            let mut session = session(roots, version, &["h2", "http/1.1"], name);
            shake_hands(&mut browser, &mut session, step, &mut stream);
            assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
            let mut heard = Vec::new();
            let request = b"GET / HTTP/1.1\r\n\r\n";
            session.writer().write_all(request).unwrap();
            speak(&mut browser, &mut session, step, &mut stream, &mut heard).unwrap();
            assert_eq!(heard, request);
            assert!(stream.is_https());
            let page = "x".repeat(16 * 1024);
            stream.finish(page.as_bytes());
            browser.set_nonblocking(false).unwrap();
            let mut shown = String::new();
            rustls::Stream::new(&mut session, &mut browser)
                .read_to_string(&mut shown)
                .expect("it ends as it should");
            assert_eq!(shown, page);
        }
    }
}

#[test]
fn nothing_is_forgotten_in_buffers() {
    let (mut browser, mut stream, roots) = connection();
    let mut session = session(roots, VERSIONS[1], &[], "localhost");
    shake_hands(&mut browser, &mut session, usize::MAX, &mut stream);
    // Many records in one piece, and large ones: more than is read at once, and than is kept.
    let mut said = Vec::new();
    for length in [1, 1, 1, 15_000, 1, 16_000, 16_000, 3] {
        let part = vec![b'a'; length];
        session.writer().write_all(&part).unwrap();
        said.extend(part);
    }
    let mut heard = Vec::new();
    speak(
        &mut browser,
        &mut session,
        usize::MAX,
        &mut stream,
        &mut heard,
    )
    .unwrap();
    while heard.len() < said.len() {
        // Whatever is missing has not arrived.
        await_readable(&stream);
        read_all(&mut stream, &mut heard).unwrap();
    }
    assert_eq!(heard, said);
    session.send_close_notify();
    let end = speak(
        &mut browser,
        &mut session,
        usize::MAX,
        &mut stream,
        &mut heard,
    );
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn it_says_what_it_holds_back() {
    let (mut browser, mut stream, roots) = connection();
    let mut session = session(roots, VERSIONS[0], &[], "localhost");
    shake_hands(&mut browser, &mut session, usize::MAX, &mut stream);
    assert!(!stream.holds_more());
    session.writer().write_all(&[b'a'; 100]).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    browser.write_all(&bytes).unwrap();
    await_readable(&stream);
    let mut buffer = [0; 64];
    let mut reads = Vec::new();
    while reads.is_empty() || stream.holds_more() {
        reads.push(stream.read(&mut buffer).unwrap());
    }
    assert_eq!(reads, [64, 36]);
}

#[test]
fn http_is_heard_and_known_for_what_it_is() {
    let (mut browser, mut stream, _) = connection();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    await_readable(&stream);
    let mut heard = Vec::new();
    read_all(&mut stream, &mut heard).unwrap();
    assert_eq!(heard, b"GET / HTTP/1.1\r\n\r\n");
    assert!(stream.is_mistaken() && !stream.is_https());
    stream.finish(b"no");
    let mut shown = String::new();
    browser.set_nonblocking(false).unwrap();
    browser.read_to_string(&mut shown).unwrap();
    assert_eq!(shown, "no");
}

#[test]
fn rubbish_ends_the_connection() {
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let rubbish: [&[u8]; 6] = [
        b"\0\0\0\0",
        b"\x80\x2e\x01",
        b"get / HTTP/1.1",
        b"\n",
        &[22, 9, 9, 0, 1, 1],
        &hello,
    ];
    for rubbish in rubbish {
        let (mut browser, mut stream, _) = connection();
        browser.write_all(rubbish).unwrap();
        await_readable(&stream);
        let end = read_all(&mut stream, &mut Vec::new());
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn a_browser_that_only_speaks_newer_protocols_is_told() {
    let (mut browser, mut stream, roots) = connection();
    let mut session = session(roots, VERSIONS[1], &["h2"], "localhost");
    let mut heard = Vec::new();
    let end = speak(
        &mut browser,
        &mut session,
        usize::MAX,
        &mut stream,
        &mut heard,
    );
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
    await_readable(&browser);
    let told = hear(&mut browser, &mut session).unwrap_err();
    let alert = rustls::AlertDescription::NoApplicationProtocol;
    assert_eq!(told, rustls::Error::AlertReceived(alert));
}

#[test]
fn a_handshake_that_is_not_over_is_ended_without_a_word() {
    let (mut browser, mut stream, roots) = connection();
    let mut session = session(roots, VERSIONS[1], &[], "localhost");
    let mut heard = Vec::new();
    speak(
        &mut browser,
        &mut session,
        usize::MAX,
        &mut stream,
        &mut heard,
    )
    .unwrap();
    stream.finish(b"a page that nobody could read");
    browser.set_nonblocking(false).unwrap();
    let mut rest = Vec::new();
    browser.read_to_end(&mut rest).unwrap();
    assert!(!rest.windows(4).any(|it| it == b"page"));
}
