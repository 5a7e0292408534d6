//! What the tests of the client and the paths share: a directory of their own, and a server that
//! answers one connection with what it was told to.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

/// A directory that is removed with everything in it.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("pizauth-test-{}-{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // One may be left of a run that was killed, whose process id has come again.
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)).unwrap(),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server for one connection.
pub(crate) struct FakeServer {
    pub(crate) socket: PathBuf,
    thread: JoinHandle<Vec<u8>>,
    _dir: TempDir,
}

impl FakeServer {
    /// Reads the whole request, then sends `reply` and closes.
    pub(crate) fn answering(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |listener| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            // The client may have gone by then: it reads no more than it has to.
            let _ = stream.write_all(&reply);
            request
        })
    }

    /// Does `serve` in a thread; what that returns is what [`Self::received`] returns.
    pub(crate) fn start(serve: impl FnOnce(UnixListener) -> Vec<u8> + Send + 'static) -> Self {
        let dir = TempDir::new();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let thread = Builder::new().name("fake-server".into());
        let thread = thread.spawn(move || serve(listener)).unwrap();
        Self {
            socket,
            thread,
            _dir: dir,
        }
    }

    /// Waits for the server's end.
    pub(crate) fn received(self) -> Vec<u8> {
        self.thread.join().unwrap()
    }
}
