//! What a provider answers, and how: at once or later, whole or in drops, or not at all.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Holds an answer back until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everything pass from now on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open.
    pub fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(closed, |open| !*open).unwrap());
    }

    /// Waits until it is open, or for as long as `limit`.
    pub fn pass_within(&self, limit: Duration) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(closed, limit, |open| !*open));
    }
}

/// An answer.
#[derive(Clone, Default)]
pub struct Answer {
    /// `None` for what the provider itself would answer.
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    gate: Option<Gate>,
    /// The pause between two bytes of the body.
    drip: Option<Duration>,
    /// How much of the response is sent before the connection is closed.
    cut: Option<usize>,
}

impl Answer {
    /// What the provider itself would answer.
    pub fn own() -> Self {
        Self::default()
    }

    /// JSON with this status.
    pub fn json(status: u16, body: &str) -> Self {
        Self::of(status, "application/json", body)
    }

    /// An OAuth2 error.
    pub fn error(status: u16, error: &str, description: &str) -> Self {
        let body = serde_json::json!({"error": error, "error_description": description});
        Self::json(status, &body.to_string())
    }

    /// Any body.
    pub fn of(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: Some(status),
            body: body.into(),
            ..Self::default()
        }
        .header("Content-Type", content_type)
    }

    /// With another header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Not before `gate` is open.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// A byte at a time.
    pub fn drip(mut self, pause: Duration) -> Self {
        self.drip = Some(pause);
        self
    }

    /// Cut off after so many bytes of the whole response.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    pub(super) fn is_own(&self) -> bool {
        self.status.is_none()
    }

    pub(super) fn with_manner_of(mut self, other: &Self) -> Self {
        self.drip = other.drip;
        self.cut = other.cut;
        self.headers.extend(other.headers.clone());
        self
    }

    pub(super) fn pass_gate(&self) {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
    }

    pub(super) fn drip_pause(&self) -> Option<Duration> {
        self.drip
    }

    /// The response, up to where it is cut off.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let status = self.status.unwrap_or(500);
        let mut head = format!(
            "HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes.truncate(self.cut.unwrap_or(usize::MAX));
        bytes
    }
}
