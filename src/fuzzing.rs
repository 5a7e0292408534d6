//! A door for the targets under `fuzz/`, to what reads strangers' bytes and is nobody else's
//! business. Nothing in the program comes through it.

use zeroize::Zeroizing;

use crate::client::pasted;
use crate::secret::SecretText;
use crate::server::page::Page;
use crate::server::{self, head};

/// Whether the head of a browser's request is whole, of which the first `known` bytes were seen
/// before.
///
/// # Errors
/// Why it will never be one.
pub fn head_is_whole(received: &[u8], known: usize) -> Result<bool, String> {
    head::is_whole(received, known)
}

/// The target of a browser's request.
///
/// # Errors
/// The page to show where the head is not one to be served.
pub fn request_target(head: &[u8]) -> Result<&str, Page<'static>> {
    head::read(head)
}

/// Whether the URL that a browser elsewhere ended at is https, its path and its query, as
/// `complete` reads it.
#[must_use]
pub fn taken_apart(url: &str) -> Option<(bool, String, Zeroizing<String>)> {
    server::taken_apart(url)
}

/// The URL that is in what somebody pasted, while the logins at these URLs wait.
///
/// # Errors
/// What is wrong with it, and what to paste instead.
pub fn pasted_url(text: &str, begun: &[&str]) -> Result<SecretText, String> {
    pasted::redirect(text, || begun.iter().map(ToString::to_string).collect())
}
