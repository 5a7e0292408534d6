//! `pizauth git-credential`: a credential helper of git, as gitcredentials(7) and git-credential(1)
//! describe it.
//!
//! Knows git's lines and which account they mean. Says nothing where none is meant, so that git
//! asks its next helper, or the user.

mod lines;

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::read;
use zeroize::Zeroizing;

use self::lines::{Asked, answer, parse};
use super::{ClientError, ask, exchange, fail, perform};
use crate::cli::GitOptions;
use crate::console::{self, Stdout, describe, one_line, say};
use crate::exit::Exit;
use crate::protocol::{AccountStatus, Reply, Request, Status, Wanted};
use crate::secret::AccessToken;
use crate::shell_word::shell_word;

/// The most that git may say: some lines, of which the longest repeat what a server sent.
const MAX_INPUT: usize = 256 * 1024;
/// The user's name where git has none: what GitLab documents for tokens, and others ignore.
const ANY_USER: &str = "oauth2";
/// How long a refresh is waited for that is under way: git has no better idea either.
const WAIT: Duration = Duration::from_secs(30);
/// How far two readings of one token's expiry may be apart; those of two tokens are further.
const LITTLE: Duration = Duration::from_secs(2);

/// Answers git.
pub(super) fn run(options: &GitOptions, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let does = match options.operation.as_str() {
        "get" => get,
        "erase" => erase,
        // Tokens are not git's to keep; what is not known is to be ignored.
        _ => return Exit::Done,
    };
    let input = read_input(MAX_INPUT);
    let asked = match input
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|it| parse(it))
    {
        Ok(asked) => asked,
        Err(why) => {
            console::error(err, &why);
            return Exit::Error;
        }
    };
    let result = match account(options, &asked) {
        Ok(Some(account)) => does(&account, &asked, out, err),
        Ok(None) => return Exit::Done,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| fail(&error, err))
}

/// Everything up to an empty line or the end.
fn read_input(most: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    let stdin = io::stdin();
    let mut input = Zeroizing::new(vec![0; most]);
    let mut length = 0;
    while length < most {
        match read(&stdin, &mut input[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(format!("cannot read: {}", describe(&error.into()))),
        }
        if lines::is_whole(&input[..length]) {
            break;
        }
    }
    if length == most {
        return Err(format!("git sent more than {most} bytes"));
    }
    input.truncate(length);
    Ok(input)
}

/// The account that is meant, if there is one, and if a token may go where git is going.
fn account(options: &GitOptions, asked: &Asked<'_>) -> Result<Option<String>, ClientError> {
    if !asked.is_guarded() {
        return Ok(None);
    }
    if let Some(account) = &options.account {
        return Ok(Some(account.clone()));
    }
    let status: Status = ask(&Request::Status)?;
    let known = |name: &String| status.accounts.iter().any(|it| it.account == *name);
    Ok(asked.names().into_iter().find(known))
}

fn status_of(account: &str) -> Result<Option<AccountStatus>, ClientError> {
    let status: Status = ask(&Request::Status)?;
    Ok(status.accounts.into_iter().find(|it| it.account == account))
}

/// When the account's token expires.
fn expiry(account: &str) -> Result<Option<Timestamp>, ClientError> {
    let time = status_of(account)?.and_then(|status| status.expires_at);
    Ok(time.and_then(|time| time.parse().ok()))
}

/// The time that two looks agree on: where they do not, there were two tokens. The server reckons
/// the wall clock's time anew for each, so that they may be a little apart.
fn agreed(before: Option<Timestamp>, after: Option<Timestamp>) -> Option<Timestamp> {
    let (before, after) = (before?, after?);
    let apart = after.duration_since(before).unsigned_abs();
    (apart <= LITTLE).then(|| before.min(after))
}

fn get(
    account: &str,
    asked: &Asked<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, ClientError> {
    let before = expiry(account)?;
    let token = match token(account)? {
        Ok(token) => token,
        Err(reply) => return Ok(perform(&reply, false, &mut Stdout, err)),
    };
    // It may have been refreshed between the questions.
    let expires = agreed(before, expiry(account)?);
    let user = asked.username.unwrap_or(ANY_USER);
    match answer(user, token.expose(), expires) {
        Some(text) => Ok(console::document(&text, out, err)),
        None => {
            console::error(
                err,
                "the token has a line break in it, which git cannot be told",
            );
            Ok(Exit::Error)
        }
    }
}

/// The token, or what the server says instead. A refresh that is under way is waited for; a login
/// is not.
fn token(account: &str) -> Result<Result<AccessToken, Reply>, ClientError> {
    let mut reply = exchange(&Request::Show(Wanted::now(account)))?;
    if matches!(reply, Reply::TryLater(_)) {
        reply = exchange(&Request::Show(Wanted {
            wait: Some(WAIT),
            ..Wanted::now(account)
        }))?;
    }
    Ok(match reply {
        Reply::Token(token) => Ok(token),
        other => Err(other),
    })
}

/// A server refused what it was given. Where that is the token in force, it is refreshed; a login
/// is never given up for it.
fn erase(
    account: &str,
    asked: &Asked<'_>,
    _out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, ClientError> {
    let Some(status) = status_of(account)? else {
        return Ok(Exit::Done);
    };
    let reply = exchange(&Request::Show(Wanted::now(account)))?;
    let in_force = matches!(&reply, Reply::Token(token) if asked.password == Some(token.expose()));
    if !in_force {
        return Ok(Exit::Done);
    }
    let name = one_line(account);
    let host = one_line(asked.host);
    if !status.refreshable {
        let word = shell_word(account);
        say(
            err,
            &format!(
                "'{host}' refused the token of account '{name}', which cannot be refreshed: \
                 'pizauth revoke {word}' and 'pizauth login {word}' get another one"
            ),
        );
        return Ok(Exit::Done);
    }
    match exchange(&Request::Refresh(account.to_owned()))? {
        Reply::Token(_) | Reply::Done(_) => Ok(Exit::Done),
        other => Ok(perform(&other, false, &mut Stdout, err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_counts_where_it_is_that_of_the_token_shown() {
        let at = |millis| Timestamp::from_millisecond(millis).ok();
        let cases = [
            (at(5_000), at(5_000), at(5_000)),
            (at(5_001), at(5_000), at(5_000)),
            (at(5_000), at(3_605_000), None),
            (None, at(5_000), None),
            (at(5_000), None, None),
        ];
        for (before, after, expected) in cases {
            assert_eq!(agreed(before, after), expected);
        }
    }
}
