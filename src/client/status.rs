//! What `pizauth status` prints: the server's JSON, or a table for people.
//!
//! Pure: the server's document and the time go in, the text comes out. Whatever the server repeats
//! from providers is made safe for a terminal.

use std::fmt::Write;

use serde_json::Value;

use super::ClientError;
use super::time::Clock;
use crate::console::{is_obeyed, one_line};
use crate::protocol::{AccountState, AccountStatus, BadReply, Status};

/// A column grows no wider than this: one long name does not push everything else off the screen.
const WIDEST_COLUMN: usize = 32;
/// What is between two columns.
const GAP: usize = 3;
/// What the lines about an account's details begin with.
const INDENT: &str = "    ";

/// The server's document, indented. Fields that this version does not know stay in it.
pub(super) fn json(document: &str) -> Result<String, ClientError> {
    let value: Value = serde_json::from_str(document).map_err(|_| unreadable())?;
    pretty(&value)
}

/// Indented JSON that ends its last line, with nothing in it that a terminal obeys.
pub(super) fn pretty(value: &Value) -> Result<String, ClientError> {
    let text = serde_json::to_string_pretty(value).map_err(|_| unreadable())?;
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // JSON itself escapes what is below a space; the rest of them can only be in a string,
        // and all are in the range that four digits reach.
        match c != '\n' && is_obeyed(c) {
            true => _ = write!(safe, "\\u{:04x}", u32::from(c)),
            false => safe.push(c),
        }
    }
    safe.push('\n');
    Ok(safe)
}

/// Every account on a line, with what a person should know of it below.
pub(super) fn table(document: &str, clock: &Clock) -> Result<String, ClientError> {
    let status: Status = serde_json::from_str(document).map_err(|_| unreadable())?;
    let accounts = &status.accounts;
    let rows: Vec<_> = accounts.iter().map(|account| row(account, clock)).collect();
    let widths = widths(&rows);
    let mut text = String::new();
    for (account, row) in accounts.iter().zip(&rows) {
        write_row(&mut text, row, &widths);
        write_details(&mut text, account, clock);
    }
    Ok(text)
}

pub(super) fn unreadable() -> ClientError {
    BadReply::NotUnderstood("its document is not the expected one".to_owned()).into()
}

/// Name, state, expiry and what comes next.
type Row = [String; 4];

fn row(account: &AccountStatus, clock: &Clock) -> Row {
    [
        one_line(&account.account).into_owned(),
        state(account).to_owned(),
        expiry(account, clock),
        next(account, clock),
    ]
}

fn state(account: &AccountStatus) -> &'static str {
    match (account.state, account.busy) {
        (AccountState::Empty, _) => "no token",
        (AccountState::Preparing, _) => "asking how to log in",
        (AccountState::Pending, _) => "login needed",
        (AccountState::Exchanging, _) => "logging in",
        (AccountState::Active, false) => "active",
        (AccountState::Active, true) => "active, refreshing",
        (AccountState::Obtaining, _) => "asking for a token",
        (AccountState::Expired, false) => "expired",
        (AccountState::Expired, true) => "expired, refreshing",
    }
}

fn expiry(account: &AccountStatus, clock: &Clock) -> String {
    let Some(time) = &account.expires_at else {
        return String::new();
    };
    let verb = match account.state {
        AccountState::Expired => "expired",
        _ => "expires",
    };
    format!("{verb} {}", clock.tell(time))
}

fn next(account: &AccountStatus, clock: &Clock) -> String {
    let failing = account.last_error.is_some();
    match (&account.next_refresh_at, account.state) {
        (Some(time), _) if failing => format!("next try {}", clock.tell(time)),
        (Some(time), _) => format!("next refresh {}", clock.tell(time)),
        (None, AccountState::Active) if !account.refreshable => {
            "no refresh token: log in again when it expires".to_owned()
        }
        (None, _) => String::new(),
    }
}

/// How wide each column is, but for the last, which nothing follows.
fn widths(rows: &[Row]) -> [usize; 3] {
    [0, 1, 2].map(|column| {
        let widest = rows.iter().map(|row| width(&row[column])).max();
        widest.unwrap_or(0).min(WIDEST_COLUMN)
    })
}

fn write_row(text: &mut String, row: &Row, widths: &[usize]) {
    let mut missing = 0;
    for (column, cell) in row.iter().enumerate() {
        if !cell.is_empty() {
            text.extend(std::iter::repeat_n(' ', missing));
            missing = 0;
            text.push_str(cell);
        }
        let wanted = widths.get(column).copied().unwrap_or(0);
        let written = if cell.is_empty() { 0 } else { width(cell) };
        // A column that is empty on every line takes no room.
        if wanted > 0 {
            missing += wanted.saturating_sub(written) + GAP;
        }
    }
    text.push('\n');
}

fn write_details(text: &mut String, account: &AccountStatus, clock: &Clock) {
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{INDENT}{label} {}", one_line(value));
    };
    match (&account.url, &account.user_code) {
        (Some(url), Some(code)) => line("log in at", &format!("{url} with the code {code}")),
        (Some(url), None) => line("log in at", url),
        (None, _) => {}
    }
    if let Some(error) = &account.last_error {
        match &account.last_error_at {
            Some(time) => line("last error", &format!("{}: {error}", clock.tell(time))),
            None => line("last error", error),
        }
    }
    if let Some(scope) = &account.granted_scope {
        line("granted", scope);
    }
}

/// How many cells of a terminal the text takes: near enough for aligning names.
fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

fn cells(c: char) -> usize {
    match c {
        // Combining accents, joiners and variation selectors.
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        // Hangul, Chinese, Japanese, full-width forms and emoji.
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
