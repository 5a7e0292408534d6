//! A server that follows a script: what it answers to each request is the test's to say.
//!
//! Knows the control protocol; everything behind it is up to the test.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use ::pizauth::protocol::{Reply, Request};

/// What became of a request.
pub enum Told {
    /// This is its answer.
    Reply(Reply),
    /// It is left waiting, until the test answers it.
    Wait,
}

/// The server; its socket is where the user's commands look for it.
pub struct Scripted {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    waiting: Vec<UnixStream>,
}

impl Scripted {
    /// Listens at `socket`, and answers with what `answer` says.
    pub fn start(socket: &Path, answer: impl Fn(&Request) -> Told + Send + Sync + 'static) -> Self {
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let server = Self {
            state: Arc::clone(&state),
        };
        let serve = move || {
            for mut stream in listener.incoming().filter_map(Result::ok) {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).unwrap();
                // A connection that only looks whether somebody is there.
                let Ok(request) = Request::decode(&bytes) else {
                    continue;
                };
                let told = answer(&request);
                let mut state = state.lock().unwrap();
                state.requests.push(request);
                match told {
                    Told::Reply(reply) => drop(stream.write_all(&reply.encode())),
                    Told::Wait => state.waiting.push(stream),
                }
            }
        };
        thread::Builder::new().spawn(serve).unwrap();
        server
    }

    /// Answers all who wait.
    pub fn answer_waiting(&self, reply: &Reply) {
        for mut stream in self.state.lock().unwrap().waiting.drain(..) {
            let _ = stream.write_all(&reply.encode());
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.state.lock().unwrap().waiting.len()
    }

    /// What was asked so far, as it is written in a test.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let text = |request: &Request| String::from_utf8(request.encode().to_vec()).unwrap();
        state.requests.iter().map(text).collect()
    }
}
