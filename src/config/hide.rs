//! Which places of a configuration file must not be shown: secrets, however badly they are
//! written. It would rather hide too much than too little, and knows tokens, not the grammar.

use std::cell::OnceCell;
use std::ops::Range;

use cfgrammar::Span;
use lrlex::DefaultLexeme;
use lrpar::Lexeme as _;

use super::check::options::is_option;
use super::grammar as is;
use super::lexer;

/// Whoever calls a thing by one of these words, in an option, a map or a comment, means a secret.
const SECRET_WORDS: [&str; 4] = ["secret", "passw", "sekret", "sercet"];
/// The option that has the word in its name, but is set to a command that prints the secret.
const COMMAND: &str = "client_secret_cmd";
/// A name this close (in edits) to `client_secret` was meant to be it.
const MAX_TYPOS: usize = 4;

/// The places to hide in a text. They are looked for when something of it is about to be shown: a
/// file without mistakes need not wait for that.
pub(super) struct Hidden<'s> {
    text: &'s str,
    /// In order and apart.
    places: OnceCell<Vec<Range<usize>>>,
}

impl<'s> Hidden<'s> {
    /// What must not be shown of `text`.
    pub(super) const fn of(text: &'s str) -> Self {
        Self {
            text,
            places: OnceCell::new(),
        }
    }

    fn places(&self) -> &[Range<usize>] {
        self.places.get_or_init(|| Self::find(self.text))
    }

    /// Looks for secrets among all tokens of `text`, comments included.
    fn find(text: &str) -> Vec<Range<usize>> {
        let tokens: Vec<DefaultLexeme<u8>> = lexer::read(text).collect();
        let mut hidden = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let (span, rest) = (token.span(), &tokens[at..]);
            let written = &text[span.start()..span.end()];
            match token.tok_id() {
                is::N_NAME | is::N_WORD if names_a_secret(written) => {
                    hidden.push(value_after(text, rest));
                }
                is::N_NAME | is::N_WORD if !is_option(written) => hidden.extend(string_after(rest)),
                kind if is_string(kind) => {
                    if followed_by_value(rest) && names_a_secret(written.trim_matches('"')) {
                        hidden.push(value_after(text, rest));
                    }
                    hidden.extend(inside_uri(written, span.start()));
                }
                is::N_COMMENT | is::N_OTHER_COMMENT => hidden.extend(inside_comment(written, span)),
                _ => {}
            }
            hidden.extend(misquoted(text, rest));
        }
        hidden.sort_by_key(|range| range.start);
        merged(hidden)
    }

    /// Whether any of `span` is hidden.
    pub(super) fn covers(&self, span: Span) -> bool {
        let places = self.places();
        let next = places.partition_point(|range| range.end <= span.start());
        places
            .get(next)
            .is_some_and(|range| range.start < span.end())
    }

    /// `line`, which begins at `offset` in the text, with an asterisk for each hidden character
    /// and a visible one for each that nobody sees; and where `marked` (a place in the text) is in
    /// it.
    pub(super) fn without_secrets(
        &self,
        line: &str,
        offset: usize,
        marked: &Range<usize>,
    ) -> (String, Range<usize>) {
        let mut shown = String::with_capacity(line.len());
        let mut moved = marked.start - offset..marked.end - offset;
        for (at, character) in line.char_indices() {
            let here = offset + at;
            if here == marked.start {
                moved.start = shown.len();
            }
            if here == marked.end {
                moved.end = shown.len();
            }
            let span = Span::new(here, here + character.len_utf8());
            let hide = !character.is_whitespace() && self.covers(span);
            shown.push(if hide { '*' } else { visible(character) });
        }
        let line_end = offset + line.len();
        if marked.start >= line_end {
            moved.start = shown.len();
        }
        if marked.end >= line_end {
            moved.end = shown.len();
        }
        (shown, moved)
    }
}

/// `character`, or what stands for one that shows nothing but may be what the mistake is about, or
/// that changes how its neighbours look.
const fn visible(character: char) -> char {
    match character {
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

fn names_a_secret(name: &str) -> bool {
    if name == COMMAND {
        return false;
    }
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || (name.starts_with("client") || name.contains("sec"))
            && name.len() < 64
            && strsim::osa_distance(&name, "client_secret") <= MAX_TYPOS
}

const fn is_string(kind: u8) -> bool {
    matches!(kind, is::N_STRING | is::N_UNTERMINATED | is::N_OTHER_QUOTES)
}

const fn is_word(kind: u8) -> bool {
    matches!(kind, is::N_NAME | is::N_WORD | is::N_TIME)
}

/// The string that an unknown name is set to. The name may be what is left of `client_secret`.
fn string_after(from_name: &[DefaultLexeme<u8>]) -> Option<Range<usize>> {
    let value = from_name.get(1 + usize::from(followed_by_value(from_name)))?;
    let (start, end) = (value.span().start() + 1, value.span().end());
    let closing = usize::from(value.tok_id() == is::N_STRING);
    is_string(value.tok_id()).then(|| start..end - closing)
}

/// Where a word touches a quote, the quotes on the line are out of step, and what looks like a
/// word may be from a string: all of the line is hidden from there on.
fn misquoted(text: &str, tokens: &[DefaultLexeme<u8>]) -> Option<Range<usize>> {
    let [first, second, ..] = tokens else {
        return None;
    };
    let touch = first.span().end() == second.span().start();
    let mixed = is_word(first.tok_id()) && is_string(second.tok_id())
        || is_string(first.tok_id()) && is_word(second.tok_id());
    let start = first.span().start();
    (touch && mixed).then(|| start..text[start..].find('\n').map_or(text.len(), |at| start + at))
}

fn followed_by_value(from_name: &[DefaultLexeme<u8>]) -> bool {
    let next = from_name.get(1).map(DefaultLexeme::tok_id);
    matches!(next, Some(is::N_COLON | is::N_EQUALS))
}

/// What is to be hidden of the value that follows the name which the tokens begin with. Where it
/// is one string, that is hidden; where it is anything else, all up to the end of the statement
/// and of the line.
fn value_after(text: &str, from_name: &[DefaultLexeme<u8>]) -> Range<usize> {
    let kind = |at: usize| from_name.get(at).map(DefaultLexeme::tok_id);
    let span = |at: usize| from_name.get(at).map(DefaultLexeme::span);
    if let (true, Some(is::N_STRING), Some(string), Some(end)) =
        (followed_by_value(from_name), kind(2), span(2), kind(3))
        && matches!(end, is::N_SEMICOLON | is::N_COMMA | is::N_CLOSE_BRACE)
    {
        return string.start() + 1..string.end() - 1;
    }
    let equals = usize::from(followed_by_value(from_name));
    let start = span(equals).map_or(text.len(), |name_or_equals| name_or_equals.end());
    let next_setting =
        |at: &usize| kind(*at) == Some(is::N_NAME) && kind(at + 1) == Some(is::N_EQUALS);
    let stops = |at: &usize| kind(*at) == Some(is::N_SEMICOLON) || next_setting(at);
    let statement_end = (equals + 2..from_name.len()).find(stops).and_then(span);
    let statement_end = statement_end.map_or(text.len(), |stop| stop.start());
    let value_start = span(equals + 1).map_or(text.len(), |value| value.start());
    let line_end = text[value_start..]
        .find('\n')
        .map_or(text.len(), |at| value_start + at);
    start..statement_end.max(line_end)
}

/// A password before the host, and a secret in the query.
fn inside_uri(written: &str, offset: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let lower = written.to_ascii_lowercase();
    if let Some(authority) = lower.find("://").map(|at| at + 3) {
        let end = lower[authority..]
            .find(['/', '?', '#', '"'])
            .map_or(lower.len(), |at| authority + at);
        if let Some(at) = lower[authority..end].rfind('@') {
            found.push(offset + authority..offset + authority + at);
        }
    }
    for (at, _) in lower.match_indices("secret=") {
        let start = at + "secret=".len();
        let end = lower[start..]
            .find(['&', '#', '"'])
            .map_or(lower.len(), |at| start + at);
        found.push(offset + start..offset + end);
    }
    found
}

/// What a comment has after a word for secrets, or after what looks like a setting: an option that
/// was commented out.
fn inside_comment(written: &str, span: Span) -> Option<Range<usize>> {
    let lower = written.to_ascii_lowercase();
    let words = SECRET_WORDS
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()));
    let settings = lower.find(['=', '"']).map(|at| at + 1);
    let start = words.chain(settings).min()?;
    Some(span.start() + start..span.end())
}

/// Ranges in order of their starts, made to lie apart.
fn merged(ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}
