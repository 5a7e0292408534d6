//! Requests and replies as bytes, and back: what both have in common.
//!
//! Knows how a message is written and where it ends; knows nothing of sockets, and decides nothing
//! about what a message means. Whatever arrives, the worst that comes of it is an error text.

mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::str;

use zeroize::Zeroizing;

use crate::secret::joined;

pub use self::reply::BadReply;
pub use self::request::{Framing, framing};

/// How much of an unknown verb or kind is quoted in a message about it.
const MAX_QUOTED: usize = 32;
/// The most digits that a length has: no valid one comes near, and none overflows.
const MAX_DIGITS: usize = 12;

/// The parts, one after another.
fn message(parts: &[&str]) -> Zeroizing<Vec<u8>> {
    let mut text = joined(parts);
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}

/// The first line, without its end, and what follows it.
fn split_line(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = received.iter().position(|&byte| byte == b'\n')?;
    Some((&received[..end], &received[end + 1..]))
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// A length as `encode` writes it.
fn number(digits: &[u8]) -> Option<usize> {
    let digits = plain(digits).filter(|digits| digits.len() <= MAX_DIGITS)?;
    digits.parse().ok()
}

/// A number as `encode` writes it: digits only, no sign, no leading zero.
fn plain(digits: &[u8]) -> Option<&str> {
    let padded = digits.len() > 1 && digits[0] == b'0';
    utf8(digits).filter(|_| digits.iter().all(u8::is_ascii_digit) && !padded)
}

/// The beginning of what a stranger sent, safe to print.
fn quoted(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(MAX_QUOTED)];
    shown.escape_ascii().to_string()
}
