//! From tokens to the AST. The parser goes on after a mistake by the smallest repair that it finds;
//! this puts what it did into words, one message for one mistake, and notes which part of the file
//! can no longer be trusted to mean what it says.

use std::cell::RefCell;
use std::collections::HashSet;
use std::iter;

use cfgrammar::{NewlineCache, Span};
use lrlex::{DefaultLexeme, DefaultLexerTypes, LRLexError, LRNonStreamingLexer};
use lrpar::{LexParseError, Lexeme as _, Lexer, NonStreamingLexer, ParseError, ParseRepair};

use super::ast::File;
use super::diagnostic::{Diagnostic, Lines, quoted};
use super::grammar as is;
use super::hide::Hidden;
use super::tokens::Tokens;

/// What was made of a file's tokens.
pub(super) struct Syntax {
    /// `None` where the parser found no way to go on.
    pub(super) file: Option<File>,
    /// What is wrong with single tokens, and what does not follow the grammar.
    pub(super) mistakes: Vec<Diagnostic>,
    /// The places around the mistakes.
    pub(super) damage: Damage,
}

/// Where the AST may differ from what was meant. A place is empty where something was put in and
/// nothing taken out.
pub(super) struct Damage(Vec<Span>);

impl Damage {
    /// Puts places in order, and those that overlap into one.
    fn new(mut places: Vec<Span>) -> Self {
        places.sort_by_key(|place| (place.start(), place.end()));
        let mut apart: Vec<Span> = Vec::with_capacity(places.len());
        for place in places {
            match apart.last_mut() {
                Some(last) if place.start() < last.end() => {
                    *last = Span::new(last.start(), last.end().max(place.end()));
                }
                _ => apart.push(place),
            }
        }
        Self(apart)
    }

    /// Whether nothing is damaged.
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some of `span` is.
    pub(super) fn touches(&self, span: Span) -> bool {
        let before = |bad: &Span| bad.end().max(bad.start() + 1) <= span.start();
        let first = self.0.get(self.0.partition_point(before));
        first.is_some_and(|bad| bad.start() < span.end())
    }

    /// Whether what `span` starts with is, or was made up.
    pub(super) fn starts(&self, span: Span) -> bool {
        let first = self
            .0
            .get(self.0.partition_point(|bad| bad.end() < span.start()));
        first.is_some_and(|bad| bad.start() <= span.start())
    }
}

/// Parses `text`. `hidden` is what must not be shown of it.
pub(super) fn parse(text: &str, lines: &Lines<'_>, hidden: &Hidden<'_>) -> Syntax {
    let given = Given::new(text);
    let (file, errors) = is::parse(&given);
    let mut mistakes = given.tokens.into_inner().into_mistakes();
    let damage = if errors.is_empty() {
        Vec::new()
    } else {
        in_words(text, lines, hidden, errors, &mut mistakes)
    };
    Syntax {
        file,
        mistakes,
        damage: Damage::new(damage),
    }
}

/// Adds the parser's errors to the mistakes that are known already. The places that they put in
/// doubt.
fn in_words(
    text: &str,
    lines: &Lines<'_>,
    hidden: &Hidden<'_>,
    errors: Vec<LexParseError<u8, DefaultLexerTypes<u8>>>,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Span> {
    let mut spoilt: HashSet<usize> = mistakes
        .iter()
        .map(|mistake| lines.number(mistake.span().start()))
        .collect();
    let tokens: Vec<_> = Tokens::read(text).collect();
    let mut reporter = Reporter {
        text,
        lines,
        tokens: &tokens,
        hidden,
        mistakes,
        damage: Vec::new(),
        account: None,
        seen: 0,
    };
    for error in errors {
        if let LexParseError::ParseError(error) = error {
            reporter.report(&error, &mut spoilt);
        }
    }
    reporter.damage
}

/// What the parser is given.
struct Given<'s> {
    tokens: RefCell<Tokens<'s>>,
    /// Answers what grammars may ask whose actions look at the text: this one's do not.
    text: LRNonStreamingLexer<'s, 's, DefaultLexerTypes<u8>>,
}

impl<'s> Given<'s> {
    fn new(text: &'s str) -> Self {
        Self {
            tokens: RefCell::new(Tokens::read(text)),
            text: LRNonStreamingLexer::new(text, Vec::new(), NewlineCache::new()),
        }
    }
}

/// The parser asks for all tokens, once.
impl Lexer<DefaultLexerTypes<u8>> for Given<'_> {
    fn iter<'a>(&'a self) -> Box<dyn Iterator<Item = Result<DefaultLexeme<u8>, LRLexError>> + 'a> {
        Box::new(iter::from_fn(|| self.tokens.borrow_mut().next().map(Ok)))
    }
}

impl<'s> NonStreamingLexer<'s, DefaultLexerTypes<u8>> for Given<'s> {
    fn span_str(&self, span: Span) -> &'s str {
        self.text.span_str(span)
    }

    fn span_lines_str(&self, span: Span) -> &'s str {
        self.text.span_lines_str(span)
    }

    fn line_col(&self, span: Span) -> ((usize, usize), (usize, usize)) {
        self.text.line_col(span)
    }
}

/// Puts the parser's errors into words.
struct Reporter<'s> {
    text: &'s str,
    lines: &'s Lines<'s>,
    tokens: &'s [DefaultLexeme<u8>],
    hidden: &'s Hidden<'s>,
    mistakes: &'s mut Vec<Diagnostic>,
    damage: Vec<Span>,
    /// The last `account` among the first `seen` tokens.
    account: Option<Span>,
    seen: usize,
}

type SyntaxError = ParseError<DefaultLexeme<u8>, u8>;
type Step = ParseRepair<DefaultLexeme<u8>, u8>;

impl Reporter<'_> {
    /// `spoilt` has the lines on which something was reported: what else the parser finds there
    /// is most likely the same mistake.
    fn report(&mut self, error: &SyntaxError, spoilt: &mut HashSet<usize>) {
        let found = error.lexeme().span();
        let at = self
            .tokens
            .partition_point(|token| token.span().start() < found.start());
        let found = self.tokens.get(at);
        let previous = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        // The errors come in the file's order.
        let passed = &self.tokens[self.seen.min(at)..at];
        let mut latest = passed.iter().rev();
        let account = latest.find(|token| token.tok_id() == is::N_ACCOUNT);
        self.account = account.map(DefaultLexeme::span).or(self.account);
        self.seen = at;
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
        let found = self.tokens.get(at);
        let described = self.describe(found);
        let end = self.text.trim_end().len();
        let here = found.map_or(Span::new(end, end), DefaultLexeme::span);
        if error.repairs().is_empty() {
            let title = format!("cannot make sense of {described}");
            let note = "the rest of the file was not checked; it will be once this is mended";
            return Diagnostic::new(here, title, "everything before this was read").note(note);
        }
        let mistake = match expected(error, self.kind_before(at)) {
            Some(expected) => self.missing(&expected, &described, at, new_line),
            None => Diagnostic::new(
                here,
                format!("{described} does not belong here"),
                "take this out",
            ),
        };
        self.hint(mistake, at)
    }

    fn missing(&self, expected: &str, described: &str, at: usize, new_line: bool) -> Diagnostic {
        let title = format!("expected {expected}, found {described}");
        let found = self.tokens.get(at);
        let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let mistake = match (before, found) {
            (_, Some(found)) if !new_line || before.is_none() => {
                let label = format!("{expected} is missing before this");
                Diagnostic::new(found.span(), title, label)
            }
            // People look where the thing is missing, not on the line after that.
            (before, _) => {
                let place = before.map_or(Span::new(0, 0), DefaultLexeme::span);
                Diagnostic::new(place, title, format!("{expected} is missing after this"))
            }
        };
        if expected.contains("'}'") {
            self.unclosed(mistake)
        } else {
            mistake
        }
    }

    /// Adds what people who know other formats should hear.
    fn hint(&self, mistake: Diagnostic, at: usize) -> Diagnostic {
        let before = self.kind_before(at);
        let between = matches!(before, None | Some(is::N_SEMICOLON | is::N_CLOSE_BRACE));
        let note = match self.tokens.get(at).map(DefaultLexeme::tok_id) {
            Some(is::N_OPEN_BRACKET) if between => {
                "an account is written as: account \"name\" { ... }"
            }
            Some(is::N_SEMICOLON) if before == Some(is::N_CLOSE_BRACE) => {
                "no ';' follows an account's '}'"
            }
            Some(is::N_CLOSE_BRACE) if between => {
                "no account is open here: was one closed too early?"
            }
            _ => return mistake,
        };
        mistake.note(note)
    }

    /// Adds which account a missing brace belongs to.
    fn unclosed(&self, mistake: Diagnostic) -> Diagnostic {
        let Some(account) = self.account else {
            return mistake;
        };
        let line = self.lines.number(account.start());
        mistake.note(format!(
            "the account that starts on line {line} is still open here"
        ))
    }

    fn kind_before(&self, at: usize) -> Option<u8> {
        Some(self.tokens.get(at.checked_sub(1)?)?.tok_id())
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
            is::N_NAME | is::N_WORD | is::N_TIME if self.hidden.covers(span) => "a word".into(),
            _ => quoted(written),
        }
    }

    /// Notes what the error at token `at` puts in doubt.
    fn damage(&mut self, error: &SyntaxError, at: usize) {
        let tokens = self.tokens;
        let repair = error.repairs().first().map_or(&[][..], Vec::as_slice);
        let inserts = |step: &&Step| matches!(step, ParseRepair::Insert(_));
        let passed = repair.len() - repair.iter().filter(inserts).count();
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let after_previous = before.map_or(0, |token| token.span().end());
        let found = tokens
            .get(at)
            .map_or(self.text.len(), |token| token.span().start());
        self.damage
            .push(match tokens.get((at + passed).saturating_sub(1)) {
                // What was taken out may have belonged to what is before it.
                Some(last) if passed > 0 => {
                    Span::new(after_previous.saturating_sub(1), last.span().end())
                }
                _ => Span::new(after_previous, found.max(after_previous)),
            });

        // A brace too many means that an account ended before its time: what follows it up to
        // here was taken for the top level.
        let closes = |step: &Step| matches!(step, ParseRepair::Delete(token) if token.tok_id() == is::N_CLOSE_BRACE);
        if repair.iter().any(closes) {
            let start = self.account.map_or(0, |account| account.start());
            self.damage.push(Span::new(start, found.max(start)));
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
    // In the order of the tokens' numbers: the parser has its repairs in none.
    let words: Vec<&str> = (0..=u8::MAX)
        .filter(|kind| kinds.contains(kind))
        .filter_map(text)
        .collect();
    (!words.is_empty()).then(|| words.join(" or "))
}
