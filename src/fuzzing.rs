//! A door for the targets under `fuzz/`, to what reads strangers' bytes and is nobody else's
//! business. Nothing in the program comes through it.

use crate::client::pasted;
use crate::secret::SecretText;
use crate::server::head;
use crate::server::page::Page;

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

/// The path and the query of the URL that a browser elsewhere ended at, as `complete` reads it.
#[must_use]
pub fn path_and_query(url: &str) -> Option<(String, String)> {
    crate::server::path_and_query(url).map(|(path, query)| (path, query.to_string()))
}

/// The URL that is in what somebody pasted.
///
/// # Errors
/// What is wrong with it, and what to paste instead.
pub fn pasted_url(text: &str) -> Result<SecretText, String> {
    pasted::redirect(text)
}
