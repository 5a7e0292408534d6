//! From tokens to the AST. The parser goes on after a mistake by the smallest repair that it finds;
//! this puts what it did into words, one message for one mistake, and notes which part of the file
//! can no longer be trusted to mean what it says.

use std::collections::HashSet;

use cfgrammar::{NewlineCache, Span};
use lrlex::{DefaultLexeme, DefaultLexerTypes, LRLexError, LRNonStreamingLexer};
use lrpar::{LexParseError, Lexeme as _, ParseError, ParseRepair};

use super::ast::File;
use super::diagnostic::{Diagnostic, Lines, quoted};
use super::grammar as is;
use super::tokens::Tokens;

/// What was made of a file's tokens.
pub(super) struct Syntax {
    /// `None` where the parser found no way to go on.
    pub(super) file: Option<File>,
    /// What does not follow the grammar.
    pub(super) mistakes: Vec<Diagnostic>,
    /// The places around the mistakes.
    pub(super) damage: Damage,
}

/// Where the AST may differ from what was meant.
#[derive(Default)]
pub(super) struct Damage(Vec<Span>);

impl Damage {
    /// Whether nothing is damaged.
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some of `span` is.
    pub(super) fn touches(&self, span: Span) -> bool {
        let overlaps = |bad: &Span| bad.start() < span.end() && span.start() < bad.end();
        self.0.iter().any(overlaps)
    }
}

/// Parses what was read of `text`.
pub(super) fn parse(text: &str, lines: &Lines, tokens: &Tokens) -> Syntax {
    let given: Vec<Result<_, LRLexError>> = tokens.tokens.iter().copied().map(Ok).collect();
    // The parser never asks for lines: they are kept in `lines`.
    let lexer: LRNonStreamingLexer<'_, '_, DefaultLexerTypes<u8>> =
        LRNonStreamingLexer::new(text, given, NewlineCache::new());
    let (file, errors) = is::parse(&lexer);
    let mut reporter = Reporter {
        text,
        lines,
        tokens,
        mistakes: Vec::new(),
        damage: Damage::default(),
    };
    let mut spoilt: HashSet<usize> = tokens
        .mistakes
        .iter()
        .map(|mistake| lines.number(mistake.span().start()))
        .collect();
    for error in errors {
        if let LexParseError::ParseError(error) = error {
            reporter.report(&error, &mut spoilt);
        }
    }
    let Reporter {
        mistakes, damage, ..
    } = reporter;
    Syntax {
        file,
        mistakes,
        damage,
    }
}

/// Puts the parser's errors into words.
struct Reporter<'s> {
    text: &'s str,
    lines: &'s Lines,
    tokens: &'s Tokens,
    mistakes: Vec<Diagnostic>,
    damage: Damage,
}

type SyntaxError = ParseError<DefaultLexeme<u8>, u8>;

impl Reporter<'_> {
    /// `spoilt` has the lines on which something was reported: what else the parser finds there
    /// is most likely the same mistake.
    fn report(&mut self, error: &SyntaxError, spoilt: &mut HashSet<usize>) {
        let found = error.lexeme().span();
        let at = self
            .tokens
            .tokens
            .partition_point(|token| token.span().start() < found.start());
        let found = self.tokens.tokens.get(at);
        let previous = at
            .checked_sub(1)
            .and_then(|before| self.tokens.tokens.get(before));
        self.damage(error, at);

        let place = found
            .or(previous)
            .map_or(Span::new(0, 0), DefaultLexeme::span);
        let line = self.lines.number(place.start());
        let previous_line = previous.map_or(line, |token| self.lines.number(token.span().end()));
        let heard_of = spoilt.contains(&line) || spoilt.contains(&previous_line);
        if heard_of && !error.repairs().is_empty() {
            return;
        }
        spoilt.insert(line);
        let mistake = self.word(error, at, line != previous_line);
        self.mistakes.push(mistake);
    }

    fn word(&self, error: &SyntaxError, at: usize, new_line: bool) -> Diagnostic {
        let found = self.tokens.tokens.get(at);
        let found_text = self.describe(found);
        let end = Span::new(self.text.trim_end().len(), self.text.trim_end().len());
        let here = found.map_or(end, DefaultLexeme::span);
        let expected = expected(error, self.kind_before(at));
        if error.repairs().is_empty() {
            return Diagnostic::new(
                here,
                format!("cannot make sense of {found_text}"),
                "everything before this was read",
            )
            .note("the rest of the file was not checked; it will be once this is mended");
        }
        let Some(expected) = expected else {
            let title = format!("{found_text} does not belong here");
            return self.hint(Diagnostic::new(here, title, "take this out"), found, at);
        };
        let title = format!("expected {expected}, found {found_text}");
        let previous = at
            .checked_sub(1)
            .and_then(|before| self.tokens.tokens.get(before));
        let mistake = match previous {
            // People look where the thing is missing, not on the line after that.
            Some(previous) if new_line || found.is_none() => Diagnostic::new(
                previous.span(),
                title,
                format!("{expected} is missing after this"),
            ),
            _ => Diagnostic::new(here, title, format!("{expected} is missing before this")),
        };
        if expected.contains("'}'") {
            self.unclosed(mistake, at)
        } else {
            mistake
        }
    }

    /// Adds what people who know other formats should hear.
    fn hint(
        &self,
        mistake: Diagnostic,
        found: Option<&DefaultLexeme<u8>>,
        at: usize,
    ) -> Diagnostic {
        let after_brace = self.kind_before(at) == Some(is::N_CLOSE_BRACE);
        match found.map(DefaultLexeme::tok_id) {
            Some(is::N_OPEN_BRACKET) => {
                mistake.note("an account is written as: account \"name\" { ... }")
            }
            Some(is::N_SEMICOLON) if after_brace => mistake.note("no ';' follows an account's '}'"),
            Some(is::N_CLOSE_BRACE) => {
                mistake.note("no account is open here: was one closed too early?")
            }
            _ => mistake,
        }
    }

    /// Adds which account a missing brace belongs to.
    fn unclosed(&self, mistake: Diagnostic, at: usize) -> Diagnostic {
        let mut before = self.tokens.tokens[..at].iter().rev();
        let Some(account) = before.find(|token| token.tok_id() == is::N_ACCOUNT) else {
            return mistake;
        };
        let line = self.lines.number(account.span().start());
        mistake.note(format!(
            "the account that starts on line {line} is still open here"
        ))
    }

    fn kind_before(&self, at: usize) -> Option<u8> {
        Some(self.tokens.tokens.get(at.checked_sub(1)?)?.tok_id())
    }

    /// A token in plain words, without any text that may be secret.
    fn describe(&self, token: Option<&DefaultLexeme<u8>>) -> String {
        let Some(token) = token else {
            return "the end of the file".into();
        };
        let span = token.span();
        let written = &self.text[span.start()..span.end()];
        match token.tok_id() {
            is::N_STRING | is::N_UNTERMINATED | is::N_OTHER_QUOTES => "a string".into(),
            is::N_NAME | is::N_WORD | is::N_TIME if self.tokens.hidden.covers(span) => {
                "a word".into()
            }
            _ => quoted(written),
        }
    }

    /// Notes what the error at token `at` puts in doubt.
    fn damage(&mut self, error: &SyntaxError, at: usize) {
        let tokens = &self.tokens.tokens;
        let repair = error.repairs().first().map_or(&[][..], Vec::as_slice);
        let passed = repair
            .iter()
            .filter(|step| !matches!(step, ParseRepair::Insert(_)))
            .count();
        let last = (at + passed)
            .saturating_sub(1)
            .min(tokens.len().saturating_sub(1));
        let end = match (passed, tokens.get(at)) {
            (0, Some(found)) => found.span().start(),
            (0, None) => self.text.len() + 1,
            _ => tokens.get(last).map_or(0, |token| token.span().end()),
        };
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let start = before.map_or(0, |token| token.span().end().saturating_sub(1));
        self.damage.0.push(Span::new(start, end.max(start + 1)));

        // A brace too many means that an account ended before its time: what follows it up to
        // here was taken for the top level.
        let deleted = |step: &ParseRepair<DefaultLexeme<u8>, u8>| matches!(step, ParseRepair::Delete(token) if token.tok_id() == is::N_CLOSE_BRACE);
        if repair.iter().any(deleted) {
            let opened = tokens[..at]
                .iter()
                .rposition(|token| token.tok_id() == is::N_ACCOUNT);
            let start = opened.map_or(0, |opened| tokens[opened].span().start());
            self.damage.0.push(Span::new(start, end.max(start + 1)));
        }
    }
}

/// What could stand at the place of the error, in words; `None` where the best is to leave out
/// what is there.
fn expected(error: &SyntaxError, kind_before: Option<u8>) -> Option<String> {
    let first_steps = error.repairs().iter().filter_map(|repair| repair.first());
    let kinds: HashSet<u8> = first_steps
        .filter_map(|step| match step {
            ParseRepair::Insert(kind) => u8::try_from(usize::from(*kind)).ok(),
            _ => None,
        })
        .collect();
    let after_account = kind_before == Some(is::N_ACCOUNT);
    let text = |kind| match kind {
        is::N_STRING if after_account => Some("the account's name in double quotes"),
        is::N_STRING => Some("a value"),
        is::N_NAME if !kinds.contains(&is::N_STRING) => Some("an option's name"),
        is::N_ACCOUNT if kinds.len() == 1 => Some("'account'"),
        is::N_EQUALS => Some("'='"),
        is::N_SEMICOLON => Some("';'"),
        is::N_COMMA => Some("','"),
        is::N_COLON => Some("':'"),
        is::N_OPEN_BRACE => Some("'{'"),
        is::N_CLOSE_BRACE => Some("'}'"),
        is::N_OPEN_BRACKET => Some("'['"),
        is::N_CLOSE_BRACKET => Some("']'"),
        _ => None,
    };
    // In the order of the tokens' numbers, so that the same file always gets the same words.
    let words: Vec<&str> = (0..=u8::MAX)
        .filter(|kind| kinds.contains(kind))
        .filter_map(text)
        .collect();
    (!words.is_empty()).then(|| words.join(" or "))
}
