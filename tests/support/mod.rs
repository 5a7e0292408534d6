//! What the tests of the real program have in common: the program itself in a private place
//! ([`pizauth`]), a provider that follows a script ([`provider`]), a browser ([`browser`]), and
//! commands that write down that they were run ([`record`]).
//!
//! Knows what a user and a provider can see of pizauth; knows nothing of its source. Everything is
//! on loopback, and nothing waits for a fixed time: see [`wait`].

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test program uses another part of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "this is test code outside of #[test] functions: a panic is how it reports, and it has clocks and threads of its own"
)]
#![allow(
    clippy::significant_drop_tightening,
    reason = "a scripted provider is not in a hurry"
)]

pub mod attack;
pub mod browser;
pub mod keeper;
pub mod pizauth;
pub mod ports;
pub mod provider;
pub mod record;
pub mod scan;
pub mod scripted;
pub mod secrets;
pub mod terminal;
pub mod tls;
pub mod tls_front;
pub mod wait;

pub use browser::{Page, fields, log_in, visit, visit_at};
pub use pizauth::{Pizauth, Run};
pub use ports::{free_port, is_free};
pub use provider::{Answer, Gate, Provider, Request};
pub use record::Record;
pub use wait::{DEADLINE, now, wait_for, wait_until};
