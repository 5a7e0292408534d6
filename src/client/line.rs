//! A line that is typed or pasted without being shown: what each byte does to it.
//!
//! Pure: bytes go in, what they come to comes out. Knows nothing of terminals' settings.

use zeroize::{Zeroize, Zeroizing};

use crate::protocol::MAX_URL;

/// Room beside the longest URL, for what is trimmed off around it.
const ROOM: usize = 256;
/// The longest line that is kept.
const MAX_LINE: usize = MAX_URL + ROOM;

/// What a byte came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It belongs to the line, or does nothing.
    Edit,
    /// The line is complete: enter.
    Enter,
    /// There is no more: ctrl-d on an empty line.
    End,
    /// Stop: ctrl-c, or ctrl-\.
    Interrupt,
    /// Stop for a while: ctrl-z.
    Suspend,
}

/// What is left of a sequence that a terminal sends for a key such as an arrow, or around what is
/// pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    None,
    /// After escape.
    Begun,
    /// After escape and `[` or `O`: ends with a letter or `~`.
    Within,
}

/// The line so far. Its buffer never grows, so that it leaves no copies behind.
#[derive(Debug)]
pub(super) struct Line {
    bytes: Zeroizing<Vec<u8>>,
    too_long: bool,
    sequence: Sequence,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(MAX_LINE)),
            too_long: false,
            sequence: Sequence::None,
        }
    }

    /// Takes a byte from a terminal.
    pub(super) fn key(&mut self, byte: u8) -> Key {
        if self.sequence != Sequence::None {
            // Ctrl-c is obeyed whatever it interrupts.
            if byte != 0x03 {
                self.sequence = after(self.sequence, byte);
                return Key::Edit;
            }
            self.sequence = Sequence::None;
        }
        match byte {
            b'\r' | b'\n' => return Key::Enter,
            0x03 | 0x1c => return Key::Interrupt,
            0x1a => return Key::Suspend,
            // As a terminal itself has it: ctrl-d ends what is there, and otherwise everything.
            0x04 if self.bytes.is_empty() => return Key::End,
            0x04 => return Key::Enter,
            0x1b => self.sequence = Sequence::Begun,
            0x08 | 0x7f => self.erase(),
            // Ctrl-u and ctrl-w: a URL is one word.
            0x15 | 0x17 => self.clear(),
            0..b' ' => {}
            byte => self.push(byte),
        }
        Key::Edit
    }

    /// Takes a byte that is no key, from a pipe for example.
    pub(super) fn push(&mut self, byte: u8) {
        match self.bytes.len() < MAX_LINE {
            true => self.bytes.push(byte),
            false => self.too_long = true,
        }
    }

    /// Removes the last character.
    fn erase(&mut self) {
        let continues = |byte: u8| byte & 0xc0 == 0x80;
        while let Some(byte) = self.bytes.pop() {
            if !continues(byte) {
                break;
            }
        }
    }

    /// Forgets what is there.
    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.too_long = false;
    }

    /// Whether more was entered than is kept.
    pub(super) fn is_cut(&self) -> bool {
        self.too_long
    }

    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// The line.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn text(&self) -> Result<&str, String> {
        if self.too_long {
            return Err(format!(
                "that is longer than the {MAX_URL} bytes that a URL may have"
            ));
        }
        std::str::from_utf8(&self.bytes).map_err(|_| "that is not valid UTF-8".to_owned())
    }
}

fn after(sequence: Sequence, byte: u8) -> Sequence {
    match (sequence, byte) {
        (Sequence::Begun, b'[' | b'O') => Sequence::Within,
        // Parameters and what is between them.
        (Sequence::Within, 0x20..=0x3f) => Sequence::Within,
        _ => Sequence::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the line, and what the last byte came to.
    fn typed(bytes: &[u8]) -> (String, Key) {
        let mut line = Line::new();
        let last = bytes.iter().map(|&byte| line.key(byte)).last();
        let text = line.text().unwrap().to_owned();
        (text, last.unwrap_or(Key::Edit))
    }

    #[test]
    fn keys_do_what_they_do_elsewhere() {
        let cases: &[(&[u8], &str, Key)] = &[
            (b"", "", Key::Edit),
            (b"abc", "abc", Key::Edit),
            (b"abc\r", "abc", Key::Enter),
            (b"abc\n", "abc", Key::Enter),
            (b"ab\x7f\x08c", "c", Key::Edit),
            (b"\x7f\x7fa", "a", Key::Edit),
            ("aж☃\x7f\x7f".as_bytes(), "a", Key::Edit),
            (b"abc\x15d", "d", Key::Edit),
            (b"abc\x17d", "d", Key::Edit),
            (b"\x04", "", Key::End),
            (b"a\x04", "a", Key::Enter),
            (b"abc\x03", "abc", Key::Interrupt),
            (b"abc\x1c", "abc", Key::Interrupt),
            (b"abc\x1a", "abc", Key::Suspend),
            (b"a\x01\x0b\tb", "ab", Key::Edit),
            // Arrows, delete, and the marks around what is pasted.
            (b"a\x1b[Db\x1bOCc\x1b[3~d", "abcd", Key::Edit),
            (b"\x1b[200~http://x/?a\x1b[201~", "http://x/?a", Key::Edit),
            (b"a\x1bxb", "ab", Key::Edit),
            (b"a\x1b[\x03", "a", Key::Interrupt),
        ];
        for (bytes, text, key) in cases {
            assert_eq!(typed(bytes), ((*text).to_owned(), *key), "{bytes:?}");
        }
    }

    #[test]
    fn a_line_has_an_end_and_no_second_buffer() {
        let mut line = Line::new();
        let start = line.bytes.as_ptr();
        for _ in 0..MAX_LINE {
            line.key(b'a');
        }
        assert_eq!(line.text().unwrap().len(), MAX_LINE);
        line.key(b'a');
        assert!(line.text().unwrap_err().contains("16384"));
        assert_eq!(line.bytes.as_ptr(), start);
        line.clear();
        assert_eq!(line.text(), Ok(""));
        assert!(line.is_blank());
        line.push(0xff);
        assert!(line.text().unwrap_err().contains("UTF-8"));
    }
}
