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
//! [`shell_word`] is a leaf that everybody may use.
//! [`protocol`] is a leaf that both sides of the socket share; [`client`] knows it and [`paths`],
//! and nothing of the server. [`doctor`] looks at everything from outside: it imports [`client`]
//! (to ask the server), [`config`], [`oauth`] and [`transport`], and nobody but this file imports
//! it. [`oauth`] and [`vault`] decide and do nothing: no socket, thread,
//! lock or clock is in them. [`sys`] has all unsafe code but the name of `main`, which the program
//! itself must have.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod console;
pub mod doctor;
pub mod exit;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod oauth;
pub mod paths;
pub mod protocol;
pub mod secret;
pub mod server;
pub mod shell_word;
pub mod sys;
pub mod transport;
pub mod vault;

mod logging;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use cli::Command;
use exit::Exit;

/// Does what the command line asks for.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> Exit {
    logging::tell_of_panics();
    match cli::parse(arguments) {
        Ok(Command::Client(command)) => client::run(command),
        Ok(Command::Server(options)) => server::run(&options),
        Ok(Command::Check(path)) => check(path.as_deref()),
        Ok(Command::Doctor { account, json }) => doctor::run(account.as_deref(), json),
        Ok(Command::Completions(shell)) => cli::print_completions(shell),
        Err(exit) => exit,
    }
}

/// Looks for mistakes in a configuration.
fn check(path: Option<&Path>) -> Exit {
    let err = &mut io::stderr();
    let path = match paths::config_file(path) {
        Ok(path) => path,
        Err(error) => {
            console::error(err, &error.to_string());
            return Exit::Error;
        }
    };
    match config::load(&path) {
        Ok(config) => {
            if let Some(warning) = config::exposed_secrets(&path, &config) {
                console::say(err, &format!("warning: {warning}"));
            }
            // The process ends here, and its memory with it: nobody reads it any more.
            std::mem::forget(config);
            Exit::Done
        }
        // Mistakes have a form of their own, as compilers have it.
        Err(error @ config::ConfigError::Mistakes(_)) => {
            console::say(err, &error.to_string());
            Exit::Error
        }
        Err(error) => {
            console::error(err, &error.to_string());
            Exit::Error
        }
    }
}
