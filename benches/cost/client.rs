//! A client of the control socket inside this process, so that servers can be measured without
//! starting programs; and the browser's part of a login.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sends a request line and reads the reply.
pub(crate) fn ask(socket: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(request.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

/// How long asking takes.
pub(crate) fn time(socket: &Path, request: &str) -> Duration {
    let before = Instant::now();
    ask(socket, request).unwrap();
    before.elapsed()
}

/// Logs an account in, as a browser would, and waits for its token.
pub(crate) fn log_in(socket: &Path, account: &str) {
    let reply = ask(socket, &format!("show\t{account}\n")).unwrap();
    let url = reply.split_once('\n').unwrap().1;
    let field = |name: &str| {
        let (_, rest) = url.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let redirect = field("redirect_uri")
        .replace("%3A", ":")
        .replace("%2F", "/");
    let port = redirect.rsplit(':').next().unwrap().trim_end_matches('/');
    let mut browser = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    let request = format!(
        "GET /?code=c&state={} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
        field("state")
    );
    browser.write_all(request.as_bytes()).unwrap();
    let mut page = Vec::new();
    browser.read_to_end(&mut page).unwrap();
    let reply = ask(socket, &format!("show\t{account}\twait=30\n")).unwrap();
    assert!(
        reply.starts_with("token "),
        "no token after a login: {reply}"
    );
}
