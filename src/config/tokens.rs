//! From text to the tokens that the parser gets. Malformed tokens are reported and mended here, so
//! that the parser meets none and the rest of the file is checked all the same.

use std::collections::VecDeque;

use cfgrammar::Span;
use lrlex::DefaultLexeme;
use lrpar::Lexeme as _;

use super::diagnostic::{Diagnostic, quoted};
use super::grammar as is;
use super::lexer;

/// The tokens of a text, one by one, without comments and stray characters; each is well-formed or
/// was reported. They are not kept: there may be a hundred times as many as there are accounts.
pub(super) struct Tokens<'s> {
    text: &'s str,
    unmended: lexer::Reading<'s>,
    /// Those that are next. Where the last one is a bare word, it may still grow, and stays until
    /// there is another.
    ready: VecDeque<DefaultLexeme<u8>>,
    mistakes: Vec<Diagnostic>,
    /// Where the last stray character ended.
    stray_end: usize,
}

impl Iterator for Tokens<'_> {
    type Item = DefaultLexeme<u8>;

    fn next(&mut self) -> Option<DefaultLexeme<u8>> {
        loop {
            let ready = self.ready.len();
            if ready > 1 || self.ready.front().is_some_and(|token| !is_bare(token)) {
                return self.ready.pop_front();
            }
            let Some(token) = self.unmended.next() else {
                return self.ready.pop_front();
            };
            // So are most that are not bare words.
            if ready == 0 && self.is_fine(token) {
                return Some(token);
            }
            self.take(token);
        }
    }
}

impl<'s> Tokens<'s> {
    /// Reads `text` from its beginning.
    pub(super) const fn read(text: &'s str) -> Self {
        Self {
            text,
            unmended: lexer::read(text),
            ready: VecDeque::new(),
            mistakes: Vec::new(),
            stray_end: usize::MAX,
        }
    }

    /// What is wrong with single tokens, of those that were read.
    pub(super) fn into_mistakes(self) -> Vec<Diagnostic> {
        self.mistakes
    }

    /// Whether there is nothing to look for in this token, and nothing to be added to it.
    fn is_fine(&self, token: DefaultLexeme<u8>) -> bool {
        let span = token.span();
        match token.tok_id() {
            is::N_STRING => self.text.as_bytes()[span.start() + 1..span.end() - 1]
                .iter()
                .all(|&byte| lexer::is_plain(byte)),
            is::N_EQUALS
            | is::N_SEMICOLON
            | is::N_COMMA
            | is::N_COLON
            | is::N_OPEN_BRACE
            | is::N_CLOSE_BRACE
            | is::N_OPEN_BRACKET
            | is::N_CLOSE_BRACKET => true,
            _ => false,
        }
    }

    fn take(&mut self, token: DefaultLexeme<u8>) {
        let span = token.span();
        match token.tok_id() {
            is::N_COMMENT => {}
            is::N_OTHER_COMMENT => self.other_comment(span),
            is::N_STRAY => self.stray(span),
            is::N_STRING => self.string(token),
            is::N_UNTERMINATED => self.unterminated(span),
            is::N_OTHER_QUOTES => {
                self.report(
                    span,
                    "strings are written in straight double quotes",
                    "put this in \"...\"",
                );
                self.ready.push_back(token);
            }
            _ => self.ready.push_back(token),
        }
    }

    fn report(&mut self, span: Span, title: impl Into<String>, label: &str) {
        self.mistakes.push(Diagnostic::new(span, title, label));
    }

    /// A comment as other languages have it. It is left out.
    fn other_comment(&mut self, span: Span) {
        let hash = self.text[span.start()..].starts_with('#');
        let sign = if hash { "#" } else { "/*" };
        let start = Span::new(span.start(), span.start() + sign.len());
        let title = format!("'{sign}' does not start a comment");
        self.report(start, title, "a comment starts with '//'");
    }

    /// A character that nothing begins with. It is left out.
    fn stray(&mut self, span: Span) {
        if self.grow_word(span) {
            return;
        }
        let character = &self.text[span.start()..span.end()];
        let run = self.stray_end == span.start();
        self.stray_end = span.end();
        if run {
            // One message for a run of them.
            return;
        }
        let title = match character {
            "'" => "a single quote does not belong here".into(),
            _ => format!("{} does not belong here", quoted(character)),
        };
        self.report(
            span,
            title,
            "text is written in double quotes, a comment after '//'",
        );
    }

    /// Takes a character that directly follows a bare word for a part of it: that the word wants
    /// quotes is reported when it is read.
    fn grow_word(&mut self, span: Span) -> bool {
        let touches =
            |token: &&mut DefaultLexeme<u8>| is_bare(token) && token.span().end() == span.start();
        let Some(word) = self.ready.back_mut().filter(touches) else {
            return false;
        };
        let start = word.span().start();
        *word = lexeme(is::N_WORD, start, span.end());
        true
    }

    /// A string with both its quotes.
    fn string(&mut self, token: DefaultLexeme<u8>) {
        let span = token.span();
        let mistakes = self.mistakes.len();
        let mut characters = self.text[span.start()..span.end()].char_indices();
        while let Some((at, character)) = characters.next() {
            let start = span.start() + at;
            if character == '\\' {
                let next = characters.next().map_or('\\', |(_, next)| next);
                if !matches!(next, '"' | '\\') {
                    let escape = Span::new(start, start + 1 + next.len_utf8());
                    self.bad_escape(escape);
                }
            } else if character.is_control() && character != '\t' {
                let place = Span::new(start, start + character.len_utf8());
                let title = format!(
                    "a string has the control character U+{:04X} in it",
                    u32::from(character)
                );
                self.report(place, title, "take it out");
            }
        }
        let well_formed = mistakes == self.mistakes.len();
        // The parser takes what is in other quotes for a string that was reported.
        let kind = if well_formed {
            is::N_STRING
        } else {
            is::N_OTHER_QUOTES
        };
        self.ready.push_back(lexeme(kind, span.start(), span.end()));
    }

    fn bad_escape(&mut self, span: Span) {
        let label = "write '\\\\' for a backslash and '\\\"' for a quote";
        self.report(span, "a string has an unknown escape in it", label);
    }

    /// A string that the line's end cuts off. What closes a value at the end of the line was
    /// hardly meant to be in the string.
    fn unterminated(&mut self, span: Span) {
        let written = &self.text[span.start()..span.end()];
        let closing = |character: char| character.is_whitespace() || ";,]}".contains(character);
        let kept = written.trim_end_matches(closing).len().max(1);
        let end = span.start() + kept;
        self.report(
            Span::new(span.start(), end),
            "a string is not closed",
            "its closing '\"' is missing",
        );
        self.ready
            .push_back(lexeme(is::N_UNTERMINATED, span.start(), end));
        for (at, character) in written[kept..].char_indices() {
            let kind = match character {
                ';' => is::N_SEMICOLON,
                ',' => is::N_COMMA,
                ']' => is::N_CLOSE_BRACKET,
                '}' => is::N_CLOSE_BRACE,
                _ => continue,
            };
            self.ready.push_back(lexeme(kind, end + at, end + at + 1));
        }
    }
}

fn is_bare(token: &DefaultLexeme<u8>) -> bool {
    matches!(token.tok_id(), is::N_WORD | is::N_NAME | is::N_TIME)
}

fn lexeme(kind: u8, start: usize, end: usize) -> DefaultLexeme<u8> {
    DefaultLexeme::new(kind, start, end - start)
}
