//! From text to tokens. Knows what each token looks like (config.l says the same in regular
//! expressions, which the tests hold this against); knows nothing of how they go together.
//!
//! It is written by hand: regular expressions take most of a second for ten thousand accounts, and
//! have to be compiled first even for one.

use lrlex::DefaultLexeme;
use lrpar::Lexeme as _;

use super::grammar as is;

/// The tokens of a text, one by one. Only blanks are left out: some token covers whatever else
/// there is.
pub(super) struct Reading<'s> {
    text: &'s str,
    at: usize,
}

/// Reads `text` from its beginning.
pub(super) const fn read(text: &str) -> Reading<'_> {
    Reading { text, at: 0 }
}

impl Iterator for Reading<'_> {
    type Item = DefaultLexeme<u8>;

    fn next(&mut self) -> Option<DefaultLexeme<u8>> {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let rest = &self.text.as_bytes()[self.at..];
        let start = self.at + rest.iter().take_while(blank).count();
        let first = *self.text.as_bytes().get(start)?;
        let (kind, length) = token(&self.text[start..], first);
        self.at = start + length;
        Some(DefaultLexeme::new(kind, start, length))
    }
}

/// The kind and the length of the token that `rest` begins with; `first` is its first byte.
fn token(rest: &str, first: u8) -> (u8, usize) {
    match first {
        b'"' => string(rest.as_bytes()),
        b'=' => (is::N_EQUALS, 1),
        b';' => (is::N_SEMICOLON, 1),
        b',' => (is::N_COMMA, 1),
        b':' => (is::N_COLON, 1),
        b'{' => (is::N_OPEN_BRACE, 1),
        b'}' => (is::N_CLOSE_BRACE, 1),
        b'[' => (is::N_OPEN_BRACKET, 1),
        b']' => (is::N_CLOSE_BRACKET, 1),
        b'#' => (is::N_OTHER_COMMENT, line(rest)),
        b'/' => after_slash(rest),
        b'\'' => other_quotes(rest, &['\'', '\n']),
        _ if rest.starts_with(is_opening) => other_quotes(rest, &['“', '”', '»', '"', '\n']),
        _ => word_or_stray(rest),
    }
}

/// The quotes that people's programs put in the place of straight ones. No word has one in it.
const fn is_opening(character: char) -> bool {
    matches!(character, '“' | '”' | '„' | '«')
}

/// How long the line is, without its end.
fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// A string, or what there is of one on its line.
fn string(rest: &[u8]) -> (u8, usize) {
    let mut at = 1;
    loop {
        at += rest[at..]
            .iter()
            .take_while(|&&byte| is_plain(byte))
            .count();
        match rest.get(at) {
            Some(b'"') => return (is::N_STRING, at + 1),
            Some(b'\\') if matches!(rest.get(at + 1), None | Some(b'\n')) => at += 1,
            // Where the escaped character has several bytes, none of the others is special.
            Some(b'\\') => at += 2,
            None | Some(b'\n') => return (is::N_UNTERMINATED, at),
            Some(_) => at += 1,
        }
    }
}

/// A comment, a word that begins with a slash (a path), or a slash that does not belong there.
fn after_slash(rest: &str) -> (u8, usize) {
    if rest.starts_with("//") {
        return (is::N_COMMENT, line(rest));
    }
    let word = word_or_stray(rest);
    let comment = rest
        .strip_prefix("/*")
        .and_then(|inside| Some(inside.find("*/")? + "/**/".len()));
    match comment {
        // The longest token is the right one, as in every lexer.
        Some(length) if length >= word.1 => (is::N_OTHER_COMMENT, length),
        _ => word,
    }
}

/// A text in other quotes than straight double ones, where it ends at one of `ends` that is not
/// the line's.
fn other_quotes(rest: &str, ends: &[char]) -> (u8, usize) {
    let opening = rest.chars().next().map_or(1, char::len_utf8);
    let closing = rest[opening..]
        .char_indices()
        .find(|(_, c)| ends.contains(c));
    match closing {
        Some((at, closing)) if closing != '\n' => {
            (is::N_OTHER_QUOTES, opening + at + closing.len_utf8())
        }
        _ => (is::N_STRAY, opening),
    }
}

/// A word, be it a name, a time or anything else; or a character that begins nothing.
fn word_or_stray(rest: &str) -> (u8, usize) {
    match word(rest) {
        0 => (is::N_STRAY, rest.chars().next().map_or(1, char::len_utf8)),
        length => (kind_of_word(&rest[..length]), length),
    }
}

/// How long the word is that `rest` begins with. Slashes and colons belong to it where they are
/// inside: URLs and paths without quotes are reported as one word.
fn word(rest: &str) -> usize {
    let mut at = usize::from(rest.starts_with('/'));
    match run(rest, at) {
        0 => return 0,
        first => at += first,
    }
    loop {
        if rest.as_bytes()[at..].starts_with(b"://") {
            at += "://".len();
            at += run(rest, at);
            continue;
        }
        let separator = usize::from(matches!(rest.as_bytes().get(at), Some(b':' | b'/')));
        match run(rest, at + separator) {
            0 => return at,
            length => at += separator + length,
        }
    }
}

/// How many bytes there are at `at` of characters that words are made of.
fn run(rest: &str, at: usize) -> usize {
    let rest = &rest[at..];
    let ascii = rest
        .bytes()
        .take_while(|&byte| IS_IN_WORDS[usize::from(byte)]);
    let length = ascii.count();
    match rest.as_bytes().get(length) {
        Some(byte) if !byte.is_ascii() => rest.find(ends_word).unwrap_or(rest.len()),
        _ => length,
    }
}

const fn ends_word(character: char) -> bool {
    matches!(
        character,
        '\0'..=' '
            | '\u{7f}'
            | '"'
            | '\''
            | '#'
            | '='
            | ';'
            | ','
            | ':'
            | '/'
            | '\\'
            | '{'
            | '}'
            | '['
            | ']'
    ) || is_opening(character)
}

/// Which bytes are characters by themselves that words are made of: nearly all words have no
/// others.
const IS_IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        table[byte as usize] = !ends_word(byte as char);
        byte += 1;
    }
    table
};

/// Whether this byte is a character by itself that means itself in a string: most strings have no
/// others between their quotes.
pub(super) const fn is_plain(byte: u8) -> bool {
    const IS_PLAIN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = b' ';
        while byte <= b'~' {
            table[byte as usize] = !matches!(byte, b'"' | b'\\');
            byte += 1;
        }
        table
    };
    IS_PLAIN[byte as usize]
}

fn kind_of_word(word: &str) -> u8 {
    let bytes = word.as_bytes();
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let is_name = bytes
        .iter()
        .all(|byte| letter(byte) || byte.is_ascii_digit());
    match bytes {
        b"account" => is::N_ACCOUNT,
        [first, ..] if letter(first) && is_name => is::N_NAME,
        [digits @ .., b's' | b'm' | b'h' | b'd']
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) =>
        {
            is::N_TIME
        }
        _ => is::N_WORD,
    }
}

#[cfg(test)]
mod tests {
    use lrlex::{DefaultLexerTypes, LRNonStreamingLexerDef, LexerDef as _};
    use lrpar::Lexer as _;
    use rand::TryRng as _;
    use rand::rngs::SysRng;

    use super::*;

    /// What tokens are made of, and what comes close.
    const PIECES: [&str; 44] = [
        "\"",
        "\"",
        "\\",
        "\\\"",
        "\\\\",
        "\n",
        " ",
        "\t",
        "\r",
        "\0",
        "\u{7f}",
        "'",
        "“",
        "”",
        "„",
        "«",
        "»",
        "=",
        ";",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "/",
        "/",
        "//",
        "://",
        "/*",
        "*/",
        "*",
        "#",
        "account",
        "accounts",
        "client_secret",
        "none",
        "x9",
        "90",
        "5s",
        "12d",
        "ä☃",
        ".",
        "%",
    ];

    fn random(below: usize) -> usize {
        usize::try_from(SysRng.try_next_u32().unwrap()).unwrap() % below
    }

    /// The kinds have numbers; the rules have names, in the parser's order.
    fn by_the_rules() -> LRNonStreamingLexerDef<DefaultLexerTypes<u8>> {
        let mut rules: LRNonStreamingLexerDef<DefaultLexerTypes<u8>> =
            LRNonStreamingLexerDef::from_str(include_str!("config.l")).unwrap();
        let (missing, unknown) = rules.set_rule_ids(&is::KINDS.iter().copied().collect());
        assert_eq!((missing, unknown), (None, None));
        rules
    }

    #[test]
    fn tokens_are_what_the_rules_say() {
        let rules = by_the_rules();
        for _ in 0..4_000 {
            let text: String = (0..random(24))
                .map(|_| PIECES[random(PIECES.len())])
                .collect();
            let expected: Vec<_> = rules.lexer(&text).iter().map(Result::unwrap).collect();
            assert_eq!(read(&text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
