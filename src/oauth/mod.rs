//! OAuth2 as data in, data out: what to send, and what the answers mean.
//!
//! No thread, no lock, no clock and no socket is in this room: whoever calls brings the time and
//! the random bytes, and carries out what comes back.

mod answer;
pub mod authorize;
pub mod client;
pub mod device;
pub mod endpoints;
mod form;
pub mod issuer;
mod json_text;
pub mod metadata;
pub mod printable;
pub mod retry_after;
pub mod revocation;
#[cfg(test)]
mod testing;
pub mod token;
mod verdict;
