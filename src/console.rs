//! Standard output and standard error: the only place that writes to them for a command.
//!
//! Knows file descriptors and terminals; knows nothing of what is written. Standard output is
//! written to directly, since Rust's own handle keeps what it wrote in a buffer that nobody wipes,
//! and takes a descriptor which cannot be written to for a success.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::exit::Exit;

/// Standard output, unbuffered: each write is one system call, and its errors are reported.
#[derive(Debug)]
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stdout = io::stdout();
        loop {
            match nix::unistd::write(&stdout, bytes) {
                // Whoever started us may have left the pipe non-blocking.
                Err(Errno::EAGAIN) => wait_until_writable(&stdout)?,
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_until_writable(file: impl AsFd) -> io::Result<()> {
    let mut files = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut files, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes a document for programs or people to standard output, exactly as it is.
pub fn document(text: &str, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        // Who read it has had enough, as `head` has after ten lines: that is no news to anybody.
        Err(failure) if failure.kind() == io::ErrorKind::BrokenPipe => Exit::Error,
        Err(failure) => {
            let why = match failure.raw_os_error() {
                Some(number) if number == Errno::EBADF as i32 => "it is closed".to_owned(),
                _ => describe(&failure),
            };
            error(err, &format!("cannot write to standard output: {why}"));
            Exit::Error
        }
    }
}

/// Writes an error line: `ERROR - ` and the message, which may not break the line.
pub fn error(err: &mut dyn Write, message: &str) {
    say(err, &format!("ERROR - {}", one_line(message)));
}

/// Writes a text for people, and ends its line where it does not end it itself.
///
/// There is nobody left to tell that standard error cannot be written to.
pub fn say(err: &mut dyn Write, text: &str) {
    let mut text = printable(text).into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // One write, so that the lines of two programs which share a terminal do not mix.
    let _ = err.write_all(text.as_bytes());
}

/// What the operating system calls this error, without Rust's number behind it.
#[must_use]
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// The text with everything that a terminal would obey made visible instead; lines stay lines.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && c != '\t' && is_obeyed(c))
}

/// The same for a text that belongs on one line.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, is_obeyed)
}

/// Whether a terminal acts on this character instead of showing it: control characters, and those
/// which reverse or break lines, so that a text seems to say something else.
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match obeyed(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(one_line("plain ☃"), "plain ☃");
        assert_eq!(one_line("a\x1b[31m\nb\u{9b}"), "a\\u{1b}[31m\\nb\\u{9b}");
        assert_eq!(one_line("\u{202e}gpj"), "\\u{202e}gpj");
        assert_eq!(printable("a\n\tb\r"), "a\n\tb\\r");
    }

    #[test]
    fn an_error_is_one_line() {
        let mut err = Vec::new();
        error(&mut err, "no\nsuch");
        assert_eq!(err, b"ERROR - no\\nsuch\n");
    }

    #[test]
    fn errors_of_the_system_are_plain_words() {
        let full = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        assert_eq!(describe(&full), "no space left on device");
    }
}
