//! pizauth: OAuth2 access tokens, obtained through the browser, kept fresh, handed out on request.
//!
//! One binary with two lives. As a client it parses its arguments, sends one request over a
//! per-user Unix socket, prints the reply and exits. As a server it holds one [`vault::Vault`]
//! behind one mutex, with a thread for each task around it.
//!
//! The rooms, and who may import whom (never the other way):
//!
//! `secret`, `clock` <- [`config`] <- [`oauth`] <- [`vault`] <- [`server`] <- this file
//!
//! [`protocol`] is a leaf that both sides of the socket share; [`client`] knows it and [`paths`],
//! and nothing of the server. [`oauth`] and [`vault`] decide and do nothing: no socket, thread,
//! lock or clock is in them. [`sys`] has the only unsafe code.

pub mod clock;
pub mod config;
pub mod oauth;
pub mod protocol;
pub mod secret;
pub mod server;
