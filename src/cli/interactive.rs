//! The arguments of what people do by hand, and of what other programs ask in their own words:
//! logging in, and credentials in another form than a bare token.
//!
//! Knows what may stand beside what; knows nothing of how it is done.

use clap::ValueEnum;
use clap::error::ErrorKind;

use super::{ShowOptions, account_name};

/// How to log in.
#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
pub struct LoginOptions {
    /// Paste the address that the browser, on any machine, ends at
    #[arg(long, conflicts_with_all = ["device", "no_browser"])]
    pub paste: bool,
    /// Type a code into a browser on any machine, a phone for example
    #[arg(long, conflicts_with = "no_browser")]
    pub device: bool,
    /// Print the URL, open no browser, and wait
    #[arg(long)]
    pub no_browser: bool,
    /// The account's name, as in the configuration file
    #[arg(value_parser = account_name)]
    pub account: String,
}

/// What a token is printed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The token itself
    #[default]
    Token,
    /// The line of an HTTP request: 'Authorization: Bearer TOKEN'
    Header,
    /// The answer of SASL XOAUTH2, in base64
    Xoauth2,
    /// The answer of SASL OAUTHBEARER, in base64
    Oauthbearer,
}

impl Format {
    /// Whether it has a user's name in it.
    #[must_use]
    pub const fn names_user(self) -> bool {
        matches!(self, Self::Xoauth2 | Self::Oauthbearer)
    }
}

/// What git asks for.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub struct GitOptions {
    /// The account, rather than the one that is named like the user or the host
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    pub account: Option<String>,
    /// What git wants: get, store or erase (anything else is ignored, as git asks for)
    pub operation: String,
}

/// A user's name in a SASL answer: what separates its fields may not be in it.
pub(super) fn user_name(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("a user's name is not empty"),
        name if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err("a user's name has no control characters"),
    }
}

/// Why these options of `show` do not go together.
pub(super) fn mistake_in(options: &ShowOptions) -> Option<(ErrorKind, &'static str)> {
    match (options.format.names_user(), &options.user) {
        (true, None) => Some((
            ErrorKind::MissingRequiredArgument,
            "this format has the user's name in it: give it with '--user NAME'",
        )),
        (false, Some(_)) => Some((
            ErrorKind::ArgumentConflict,
            "'--user' belongs to '--format=xoauth2' and '--format=oauthbearer'",
        )),
        _ => None,
    }
}

/// What is said of a URL among the arguments of `complete`.
pub(super) const URL_IN_ARGUMENTS: &str = "the URL has a code in it, and everybody on this machine \
     can see the arguments of a program: run 'pizauth complete' without it, and paste it when asked";

/// Whether an argument is the address that a browser ended at, or its query.
pub(super) fn is_redirect(argument: &str) -> bool {
    let argument = argument.trim_start_matches(['<', '"', '\'', ' ']);
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        let start = argument.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    is_url || (argument.contains("code=") && argument.contains("state="))
}
