//! A token endpoint that answers after a while: a thread for each connection, with a small stack.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const STACK: usize = 64 * 1024;

pub(crate) struct Provider {
    port: u16,
    state: Arc<State>,
}

struct State {
    delay: AtomicU64,
    lifetime: AtomicU64,
    answered: AtomicUsize,
}

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            delay: AtomicU64::new(0),
            lifetime: AtomicU64::new(3600),
            answered: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                let builder = thread::Builder::new().stack_size(STACK);
                builder.spawn(move || answer(stream, &state)).unwrap();
            }
        };
        thread::Builder::new().spawn(accept).unwrap();
        Self { port, state }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How long it takes over an answer from now on.
    pub(crate) fn delay(&self, milliseconds: u64) {
        self.state.delay.store(milliseconds, Ordering::Relaxed);
    }

    /// How long tokens live that it gives from now on.
    pub(crate) fn lifetime(&self, seconds: u64) {
        self.state.lifetime.store(seconds, Ordering::Relaxed);
    }

    /// How many requests have been answered.
    pub(crate) fn answered(&self) -> usize {
        self.state.answered.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream, state: &State) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&chunk[..count]),
        }
    }
    thread::sleep(Duration::from_millis(state.delay.load(Ordering::Relaxed)));
    let number = state.answered.fetch_add(1, Ordering::Relaxed);
    let lifetime = state.lifetime.load(Ordering::Relaxed);
    let body = format!(
        r#"{{"access_token":"access-{number:057}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"refresh-{number}"}}"#
    );
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .split_once("content-length:")
        .map_or("0", |(_, rest)| rest.lines().next().unwrap_or("0").trim());
    body.len() >= length.parse().unwrap_or(0)
}
