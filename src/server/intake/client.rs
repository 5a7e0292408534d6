//! A client whose request is not whole yet, and reading from it.

use std::io::{self, Read};

use crate::clock::Moment;
use crate::sys::WipedBytes;

/// How much is read at first: nearly every request fits, what nobody needs is not wiped, and a C
/// library keeps blocks of this size for each thread, so that no lock is taken for one.
const FIRST: usize = 512;

/// How much is read at once of what is longer.
const CHUNK: usize = 16 * 1024;

/// A client that has not sent all of its request.
pub(super) struct Client<S> {
    pub(super) stream: S,
    pub(super) received: WipedBytes,
    pub(super) deadline: Moment,
}

impl<S: Read> Client<S> {
    /// Reads once. What is read is wiped when it is let go of, and so is the room for it.
    pub(super) fn read(&mut self) -> io::Result<usize> {
        let known = self.received.len();
        let room = if known == 0 { FIRST } else { CHUNK };
        self.make_room(room);
        self.received.resize(known + room, 0);
        let result = self.stream.read(&mut self.received[known..]);
        let count = result.as_ref().map_or(0, |count| *count);
        self.received.truncate(known + count);
        result
    }

    /// Makes room for what is added to a request, which may be a dump: a `Vec` that grows by
    /// itself leaves copies behind.
    fn make_room(&mut self, count: usize) {
        let needed = self.received.len() + count;
        if needed <= self.received.capacity() {
            return;
        }
        let room = needed.max(self.received.capacity() * 2);
        let mut larger = WipedBytes::with_capacity(room);
        larger.extend_from_slice(&self.received);
        self.received = larger;
    }
}
