//! Accepting connections, also where the system has no room for another one.

use std::fs::File;
use std::io;
use std::time::Duration;

use super::client::Client;
use super::{Door, Intake};
use crate::clock;
use crate::sys::WipedBytes;

/// How many connections are accepted before those that wait are looked at.
const ACCEPTS_IN_A_ROW: usize = 64;

/// For how long no connection is accepted after the system had no room for one. Without a pause
/// the listener would be reported as ready again and again.
const PAUSE: Duration = Duration::from_millis(100);

impl<D: Door> Intake<D> {
    /// Accepts those who are there, and attends to each.
    pub(super) fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS_IN_A_ROW {
            if !self.is_open {
                return;
            }
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            match self.door.accept(listener) {
                Ok(Some(stream)) => self.welcome(stream),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => {}
                Err(error) => return self.accept_without_room(index, &error),
            }
        }
    }

    fn welcome(&mut self, stream: D::Stream) {
        let client = Client {
            stream,
            received: WipedBytes::default(),
            deadline: clock::moment() + D::TIME,
        };
        self.attend(client);
    }

    /// Accepts one connection with the spare descriptor; whoever cannot be served at once has to
    /// share what there is with those that wait already.
    fn accept_without_room(&mut self, index: usize, error: &io::Error) {
        log::debug!("no room for another connection: {error}");
        self.spare = None;
        let accepted = self
            .listeners
            .get(index)
            .map(|listener| self.door.accept(listener));
        match accepted {
            Some(Ok(Some(stream))) => {
                self.turn_out_the_oldest();
                self.welcome(stream);
            }
            Some(Ok(None)) | None => {}
            // The system looks for a descriptor before it looks whether anybody is there.
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Some(Err(_)) => {
                self.turn_out_the_oldest();
                self.paused = Some(clock::moment() + PAUSE);
            }
        }
        self.spare = spare();
        if self.spare.is_none() {
            self.paused = Some(clock::moment() + PAUSE);
        }
    }
}

/// A descriptor that can be given up.
pub(super) fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Errors of one connection, which say nothing of the next one (accept(2)).
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            // What some systems call a client that has gone before it was asked who it is.
            | io::ErrorKind::NotConnected
    )
}
