//! See pizauth work, with nothing to configure: `cargo run --release --example demo`.
//!
//! Starts an example OAuth2 provider and a pizauth server, both on this machine only and in a
//! directory of their own, and walks through a token's life: login, refresh, end. Nothing of the
//! user's is touched, and nothing is left when it ends, however it ends.

mod browser;
mod home;
mod program;
mod provider;
mod stop;
mod terminal;
mod tour;
mod visitor;

use std::process::ExitCode;

use clap::Parser;

use self::stop::Stop;
use self::terminal::Terminal;

/// See pizauth work: an example provider, a login in the browser, a token that is kept fresh
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Let the demo play the browser and the person in front of it
    #[arg(short, long)]
    yes: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = message.print();
            return u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let terminal = Terminal::new();
    let ended = Stop::listen().and_then(|stop| tour::run(&terminal, &stop, arguments.yes));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            terminal.trouble(&trouble.to_string());
            trouble.exit_code()
        }
    }
}
