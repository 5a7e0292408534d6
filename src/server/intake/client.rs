//! A client whose request is not whole yet.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::clock::Moment;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

pub(super) struct Client<S> {
    pub(super) stream: S,
    pub(super) received: Zeroizing<Vec<u8>>,
    pub(super) deadline: Moment,
}

impl<S: Read> Client<S> {
    pub(super) fn read(&mut self) -> io::Result<usize> {
        let known = self.received.len();
        self.make_room(CHUNK);
        self.received.extend_from_slice(&[0; CHUNK]);
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
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(&self.received);
        self.received = larger;
    }
}
