//! The command line: arguments to a [`Command`], the help texts, and the shell completions.
//!
//! Knows no sockets and no configuration. Everything that can be wrong with arguments alone is
//! found here, before anything is done.

mod interactive;

use std::ffi::OsString;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, ValueEnum, ValueHint};

pub use self::interactive::{Format, GitOptions, LoginOptions};
use self::interactive::{URL_IN_ARGUMENTS, is_redirect, mistake_in, user_name};
use crate::console::{self, Stdout};
use crate::exit::Exit;
use crate::protocol::{MAX_TIME, is_account_name};

/// What the user wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Start the server.
    Server(ServerOptions),
    /// Look for mistakes in the configuration (`-c`, or where it is by default).
    Check(Option<PathBuf>),
    /// Look at everything that a token depends on, and say what is wrong.
    Doctor {
        /// Look at this account alone.
        account: Option<String>,
        /// Print JSON.
        json: bool,
    },
    /// Print completions for this shell.
    Completions(Shell),
    /// Ask the server for something, or about it.
    Client(ClientCommand),
}

/// How the server is started.
#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ServerOptions {
    /// Read the configuration from this file instead of pizauth.conf
    #[arg(short = 'c', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Stay in the foreground, and log to standard error
    #[arg(short = 'd')]
    pub foreground: bool,
    /// Take over from the running server, its sockets and tokens, without interruption
    #[arg(long)]
    pub replace: bool,
    /// Log more; repeat for more still
    #[arg(short = 'v', action = ArgAction::Count)]
    pub verbosity: u8,
}

/// What a client is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// Print an account's access token.
    Show(ShowOptions),
    /// Refresh an account's token, or start a login.
    Refresh(AccountOptions),
    /// Log in, and wait for it.
    Login(LoginOptions),
    /// Finish a login, of this account where one is named, with the URL that the browser ended at.
    Complete(Option<String>),
    /// Answer git.
    GitCredential(GitOptions),
    /// Have the server read its configuration again.
    Reload,
    /// Print every account's state; as JSON where `true`.
    Status(bool),
    /// Print versions, paths and addresses; as JSON where `true`.
    Info(bool),
    /// Forget an account's tokens.
    Revoke(String),
    /// Print the token state.
    Dump,
    /// Read the token state from standard input.
    Restore,
    /// End the server.
    Shutdown,
}

/// An account, and what may be said about it.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub struct AccountOptions {
    /// Keep the URL to log in at off standard error
    #[arg(short = 'u')]
    pub hide_url: bool,
    /// The account's name, as in the configuration file
    #[arg(value_parser = account_name)]
    pub account: String,
}

/// Which token to show.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub struct ShowOptions {
    /// Wait for a login or a refresh: 30s, or for this time
    #[arg(long, value_name = "TIME", value_parser = time, num_args = 0..=1, require_equals = true,
          default_missing_value = "30s")]
    pub wait: Option<Duration>,
    /// Print only a token that is valid for this time at least
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub min_valid: Option<Duration>,
    /// Print the token as this
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    pub format: Format,
    /// Whom to log in as at the mail server; for the two SASL formats
    #[arg(long, value_name = "NAME", value_parser = user_name)]
    pub user: Option<String>,
    /// The account.
    #[command(flatten)]
    pub account: AccountOptions,
}

/// The shells that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    #[value(help = None)]
    Bash,
    /// The Z shell.
    #[value(help = None)]
    Zsh,
    /// The friendly interactive shell.
    #[value(help = None)]
    Fish,
}

/// OAuth2 access tokens for mail programs: obtained in the browser, kept fresh
#[derive(Debug, Parser)]
#[command(
    name = "pizauth",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 error, 2 wrong usage, 3 log in first, \
                        4 try again later, 5 no server"
)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Start the server
    Server(ServerOptions),
    /// Print an account's access token; start a login if there is none
    Show(ShowOptions),
    /// Refresh an account's token; start a login if there is none
    Refresh(AccountOptions),
    /// Log in: open the browser, wait, and tell how it ended
    Login(LoginOptions),
    /// Finish a login with the URL that a browser elsewhere ended at, read from standard input
    Complete {
        /// The account's name; without it, the URL says whose login it is
        #[arg(value_parser = account_name)]
        account: Option<String>,
    },
    /// Give git a token as a password: a credential helper
    GitCredential(GitOptions),
    /// Have the server read its configuration again
    Reload,
    /// Show every account's state, next refresh and last error
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show versions, paths and the addresses that the server listens at
    Info {
        /// Print JSON
        #[arg(short, long)]
        json: bool,
    },
    /// Revoke an account's tokens at the provider, where it offers that, and forget them
    Revoke {
        /// The account's name, as in the configuration file
        #[arg(value_parser = account_name)]
        account: String,
    },
    /// Print the token state, which is secret: encrypt it
    Dump,
    /// Read a token state that 'dump' printed from standard input
    Restore,
    /// Find every mistake in the configuration, without a server
    Check {
        /// Check this file instead of pizauth.conf
        #[arg(short = 'c', value_name = "FILE", value_hint = ValueHint::FilePath)]
        config: Option<PathBuf>,
    },
    /// Find out why there is no token: configuration, server, network, clock and logins
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Look at this account alone
        #[arg(value_parser = account_name)]
        account: Option<String>,
    },
    /// End the server
    Shutdown,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl From<Subcommand> for Command {
    fn from(subcommand: Subcommand) -> Self {
        Self::Client(match subcommand {
            Subcommand::Server(options) => return Self::Server(options),
            Subcommand::Check { config } => return Self::Check(config),
            Subcommand::Doctor { json, account } => return Self::Doctor { account, json },
            Subcommand::Completions { shell } => return Self::Completions(shell),
            Subcommand::Show(options) => ClientCommand::Show(options),
            Subcommand::Refresh(options) => ClientCommand::Refresh(options),
            Subcommand::Login(options) => ClientCommand::Login(options),
            Subcommand::Complete { account } => ClientCommand::Complete(account),
            Subcommand::GitCredential(options) => ClientCommand::GitCredential(options),
            Subcommand::Reload => ClientCommand::Reload,
            Subcommand::Status { json } => ClientCommand::Status(json),
            Subcommand::Info { json } => ClientCommand::Info(json),
            Subcommand::Revoke { account } => ClientCommand::Revoke(account),
            Subcommand::Dump => ClientCommand::Dump,
            Subcommand::Restore => ClientCommand::Restore,
            Subcommand::Shutdown => ClientCommand::Shutdown,
        })
    }
}

fn account_name(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("an account's name is not empty"),
        name if is_account_name(name) => Ok(name.to_owned()),
        _ => Err("an account's name has no control characters"),
    }
}

/// A time as in the configuration file: `90s`, `15m`, `2h`, `1d`; a bare number is in seconds.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("a time is a number and one of s, m, h and d, for example 90s".into()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a time is a number and one of s, m, h and d, for example 90s".into());
    }
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    seconds
        .map(Duration::from_secs)
        .filter(|time| *time <= MAX_TIME)
        .ok_or_else(|| "the longest time is 1d".into())
}

/// Reads the process's arguments, of which the first is the program's name.
///
/// # Errors
/// The exit code to end with where there is nothing to do: usage errors, help and the version have
/// been printed.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, Exit> {
    if let Some(command) = plain_show(&arguments) {
        return Ok(command);
    }
    interpret(arguments).map_err(|error| print(&error, &mut Stdout, &mut stderr()))
}

/// `show ACCOUNT` and `show -u ACCOUNT`, which run at every mail poll, without building the whole
/// command line's description first. Whatever is the least bit unusual is left to [`interpret`].
fn plain_show(arguments: &[OsString]) -> Option<Command> {
    let (hide_url, account) = match arguments {
        [_, show, account] if show == "show" => (false, account),
        [_, show, u, account] if show == "show" && u == "-u" => (true, account),
        _ => return None,
    };
    let account = account.to_str()?;
    if account.starts_with('-') || !is_account_name(account) {
        return None;
    }
    let account = account.to_owned();
    Some(Command::Client(ClientCommand::Show(ShowOptions {
        wait: None,
        min_valid: None,
        format: Format::Token,
        user: None,
        account: AccountOptions { hide_url, account },
    })))
}

fn interpret(arguments: Vec<OsString>) -> Result<Command, clap::Error> {
    refuse_url(&arguments)?;
    let mut matches = command().try_get_matches_from(arguments)?;
    let subcommand = <Subcommand as clap::FromArgMatches>::from_arg_matches_mut(&mut matches)?;
    if let Subcommand::Show(options) = &subcommand
        && let Some((kind, mistake)) = mistake_in(options)
    {
        return Err(wrong("show", kind, mistake));
    }
    Ok(subcommand.into())
}

/// Refuses a URL with a code among the arguments of `complete`, without repeating it.
fn refuse_url(arguments: &[OsString]) -> Result<(), clap::Error> {
    let [_, name, rest @ ..] = arguments else {
        return Ok(());
    };
    let has_url = |it: &OsString| it.to_str().is_some_and(is_redirect);
    if name != "complete" || !rest.iter().any(has_url) {
        return Ok(());
    }
    let kind = ErrorKind::UnknownArgument;
    Err(wrong("complete", kind, URL_IN_ARGUMENTS))
}

/// A mistake in the arguments of a subcommand, with how that one is used.
fn wrong(subcommand: &str, kind: ErrorKind, mistake: &str) -> clap::Error {
    let mut command = command();
    // Without this a subcommand does not know what it belongs to.
    command.build();
    match command.find_subcommand_mut(subcommand) {
        Some(subcommand) => subcommand.error(kind, mistake),
        None => command.error(kind, mistake),
    }
}

/// Prints what clap has to say: help and the version on standard output, the rest on the other.
fn print(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let text = error.render().to_string();
    if error.use_stderr() {
        let marked = text.strip_prefix("error: ");
        let marked = marked.map(|message| format!("ERROR - {message}"));
        console::say(err, marked.as_deref().unwrap_or(&text));
        return Exit::Usage;
    }
    console::document(&text, out, err)
}

/// The whole command line's description, for completions and for holding the manual against.
#[must_use]
pub fn command() -> clap::Command {
    // `pizauth show --version` prints the program's name, not `pizauth-show`.
    Arguments::command().mut_subcommands(|subcommand| subcommand.display_name("pizauth"))
}

/// Prints the completions for a shell.
#[must_use]
pub fn print_completions(shell: Shell) -> Exit {
    console::document(&completions(shell), &mut Stdout, &mut stderr())
}

fn completions(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut command(), "pizauth", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests;
