//! What the vault answers to those who ask it.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::config::{Account, AccountName};
use crate::protocol::{LoggedIn as LoggedInDocument, LoginOffer, LoginPlace};
use crate::secret::{AccessToken, RefreshToken};
use crate::vault::order::Ticket;

/// What `show` gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// An access token that has not expired.
    Token(AccessToken),
    /// The user must log in there.
    Login(LoginPlace),
    /// The provider is being asked how the user can log in; what went wrong before.
    Preparing(Option<String>),
    /// The client is asking for its first token; what went wrong so far.
    Obtaining(Option<String>),
    /// Nothing is under way: a login must be started. What went wrong last.
    Nothing(Option<WentWrong>),
    /// The user has just logged in.
    Exchanging,
    /// The access token has expired and is being refreshed; what went wrong so far.
    Expired(Option<String>),
    /// The access token does not last as long as is wanted, and is being refreshed; what went wrong
    /// so far.
    TooShort(Option<String>),
    /// The access token does not last as long as is wanted, and did not when it was new either.
    NeverThatLong(Duration),
    /// The provider refuses to refresh: the configuration is wrong.
    Halted(Option<String>),
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WentWrong {
    /// In words.
    pub reason: String,
    /// Whether it may pass by itself.
    pub passing: bool,
}

/// What `refresh` leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshing {
    /// A request is on its way; whoever has this ticket can ask how it goes.
    Started(Ticket),
    /// There is nothing to refresh with: a login must be started.
    Impossible,
    /// The user has just logged in.
    Exchanging,
    /// The provider is being asked how the user can log in.
    Preparing,
}

/// What is to be revoked at the provider.
#[derive(Debug)]
pub struct Revoked {
    /// The account.
    pub account: Arc<Account>,
    /// Whether anything was forgotten.
    pub held: bool,
    /// The refresh token, where there was one.
    pub refresh_token: Option<RefreshToken>,
    /// The access token, where there was one.
    pub access_token: Option<AccessToken>,
}

/// How a refresh ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// There is a new token.
    Done,
    /// It failed in a way that may pass, for this reason, and is tried again.
    Passing(String),
    /// It failed for good; the reason.
    Refused(String),
    /// The login is gone, for this reason.
    Gone(String),
}

/// Whether somebody can be offered a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    /// There is a login already; until when its token is good, where it has one now.
    Needless(Option<LoggedInDocument>),
    /// The user has just logged in.
    Exchanging,
    /// One can be begun, or has been.
    Free,
}

/// What the user has to do for a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered {
    /// The provider is being asked.
    NotYet,
    /// This.
    Yes(LoginOffer),
    /// Nothing can be done, because of this.
    No(WentWrong),
}

/// How a login ended.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginEnd {
    /// It has not.
    NotYet,
    /// Well.
    Yes(LoggedInDocument),
    /// Not well, for this reason.
    No(String),
}

/// What the browser's return leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Returned {
    /// The state is nobody's: never given out, used already, or given up.
    Unknown,
    /// The code is being exchanged; the account, and what to wait for.
    Accepted(Ticket),
    /// The provider refused; the account and the reason.
    Refused(AccountName, String),
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub enum LoggedIn {
    /// The account has a token, which expires then.
    Yes(Moment),
    /// It has none, for this reason.
    No(String),
}
