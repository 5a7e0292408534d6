//! What is tried on everything that reads what strangers send. A target takes any bytes; it fails
//! by a panic, where a statement about the program is not true.
//!
//! The fuzzer's programs and the ordinary tests (tests/corpus.rs) share this: what is to hold is
//! written down once.

#![allow(dead_code, reason = "each of the fuzzer's programs is one target")]
#![allow(clippy::panic, reason = "a panic is how a target fails")]

mod browser;
mod control;
mod files;
mod provider;

pub(crate) use self::browser::{http_head, pasted_url, redirect_query};
pub(crate) use self::control::{control_reply, control_request};
pub(crate) use self::files::{configuration, dump};
pub(crate) use self::provider::{
    device_answer, device_poll, discovery, retry_after, revocation, token_answer,
};

/// A target's name, which is also that of the directory of its corpus, and the target.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 13] = [
    ("configuration", configuration),
    ("control_request", control_request),
    ("control_reply", control_reply),
    ("http_head", http_head),
    ("redirect_query", redirect_query),
    ("pasted_url", pasted_url),
    ("token_answer", token_answer),
    ("device_answer", device_answer),
    ("device_poll", device_poll),
    ("revocation", revocation),
    ("discovery", discovery),
    ("dump", dump),
    ("retry_after", retry_after),
];

/// Stands for a secret in the corpus: no text for people may have it.
const SECRET: &str = "S3CR3T";

/// Characters that a terminal obeys, or that disguise the text around them.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// One line for a terminal, a log or a notification.
fn assert_line(text: &str) {
    assert!(!text.is_empty(), "there is nothing to read");
    assert!(!text.contains(is_dangerous), "not fit to print: {text:?}");
    assert!(text.len() < 16 * 1024, "too long: {} bytes", text.len());
}

/// Lines for a terminal.
fn assert_lines(text: &str) {
    let dangerous = |c| c != '\n' && is_dangerous(c);
    assert!(!text.contains(dangerous), "not fit to print: {text:?}");
}

/// The first line, and what follows it.
fn split_line(data: &[u8]) -> (&str, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 1..]));
    (str::from_utf8(line).unwrap_or_default(), rest)
}
