//! Many clients at once.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::client;

/// How many requests a second were answered, and how long the slowest hundredth waited.
pub(crate) struct Load {
    pub(crate) rate: f64,
    pub(crate) p99: Duration,
}

/// Connections that say nothing.
pub(crate) fn silent(socket: &Path, count: usize) -> Vec<UnixStream> {
    (0..count)
        .map(|_| UnixStream::connect(socket).unwrap())
        .collect()
}

/// So many clients ask again and again for so long.
pub(crate) fn ask(socket: &Path, clients: usize, time: Duration) -> Load {
    let before = Instant::now();
    let one = || {
        let mut times = Vec::new();
        while before.elapsed() < time {
            times.push(client::time(socket, "show\ta0\n"));
        }
        times
    };
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let rate = times.len() as f64 / before.elapsed().as_secs_f64();
    times.sort();
    Load {
        rate,
        p99: times[times.len() * 99 / 100],
    }
}
