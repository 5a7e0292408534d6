//! OAuth2 as data in, data out: what to send, and what the answers mean.
//!
//! No thread, no lock, no clock and no socket is in this room: whoever calls brings the time and
//! the random bytes, and carries out what comes back.

pub mod authorize;
pub mod token;
