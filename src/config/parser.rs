//! The parser: goes through the tables that build.rs makes of config.y, and gets over mistakes by
//! the smallest repairs. Knows states and the numbers of tokens; knows nothing of what they mean.

mod repair;

use self::repair::Budget;
pub(super) use self::repair::Step;
use super::ast::File;
use super::grammar::{ACTIONS, END, GOTOS, Made, PRODUCTIONS, START, make, whole};
use super::lexeme::{Lexeme, Span};

/// What to do in a state where a token is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// It cannot be there.
    Fail,
    /// All is read.
    Accept,
    /// Take it, and go to this state.
    Shift(u8),
    /// Put together what this production has on its right side.
    Reduce(u8),
}

/// A place where the tokens do not follow the grammar.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The number of the token that cannot be there; that of all tokens where it is the end.
    pub(super) at: usize,
    /// The ways that were found to go on, the one that was gone first. They end with their last
    /// change. None are there where the parser gave up.
    pub(super) repairs: Vec<Vec<Step>>,
}

/// Parses tokens. There is a file unless the parser gave up, which is its last mistake then.
pub(super) fn parse(tokens: &[Lexeme]) -> (Option<File>, Vec<Mistake>) {
    let mut parser = Parser {
        tokens,
        at: 0,
        states: vec![START],
        made: Vec::new(),
        spans: Vec::new(),
    };
    let mut budget = Budget::default();
    let mut mistakes = Vec::new();
    let file = loop {
        match action(parser.state(), kind(tokens, parser.at)) {
            Do::Shift(_) | Do::Reduce(_) => {
                if parser.step(None).is_none() {
                    break None;
                }
            }
            Do::Accept => break parser.made.pop().and_then(whole),
            Do::Fail => {
                let repairs = repair::find(tokens, parser.at, &parser.states, &mut budget);
                let at = parser.at;
                let went_on = repairs.first().and_then(|repair| parser.mend(repair));
                mistakes.push(Mistake { at, repairs });
                if went_on.is_none() {
                    break None;
                }
            }
        }
    };
    (file, mistakes)
}

fn action(state: u8, token: u8) -> Do {
    let row = ACTIONS.get(usize::from(state));
    let action = row.and_then(|row| row.get(usize::from(token)));
    action.copied().unwrap_or(Do::Fail)
}

/// The kind of the token at a place; after the last one there is the end.
fn kind(tokens: &[Lexeme], at: usize) -> u8 {
    tokens.get(at).map_or(END, Lexeme::tok_id)
}

/// The state after a production was put together, `states` being those before its first symbol.
fn after(production: u8, states: &[u8]) -> Option<u8> {
    let (rule, _) = PRODUCTIONS.get(usize::from(production))?;
    let row = GOTOS.get(usize::from(*states.last()?))?;
    row.get(usize::from(*rule)).copied()
}

fn length(production: u8) -> usize {
    let production = PRODUCTIONS.get(usize::from(production));
    production.map_or(0, |(_, length)| *length)
}

struct Parser<'t> {
    tokens: &'t [Lexeme],
    /// The next token's place.
    at: usize,
    states: Vec<u8>,
    /// What was made of the tokens so far, and where it is; one less than there are states.
    made: Vec<Made>,
    spans: Vec<Span>,
}

impl Parser<'_> {
    fn state(&self) -> u8 {
        self.states.last().copied().unwrap_or(START)
    }

    /// Takes the next token or `inserted`, or puts together what is before it; says which: `true`
    /// where the token was taken. `None` where neither can be done.
    fn step(&mut self, inserted: Option<u8>) -> Option<bool> {
        let next = inserted.unwrap_or_else(|| kind(self.tokens, self.at));
        match action(self.state(), next) {
            Do::Fail | Do::Accept => None,
            Do::Reduce(production) => {
                self.reduce(production)?;
                Some(false)
            }
            Do::Shift(state) => {
                let token = match inserted {
                    Some(kind) => Err(Lexeme::new(kind, self.next_start(), 0)),
                    None => Ok(*self.tokens.get(self.at)?),
                };
                self.at += usize::from(token.is_ok());
                self.spans
                    .push(token.as_ref().map_or_else(Lexeme::span, Lexeme::span));
                self.made.push(Made::Token(token));
                self.states.push(state);
                Some(true)
            }
        }
    }

    fn reduce(&mut self, production: u8) -> Option<()> {
        let length = length(production);
        let first = self.spans.len().checked_sub(length)?;
        // What is made of nothing is where the token before it is.
        let start = self.spans.get(first).or(self.spans.last());
        let start = start.map_or(0, Span::start);
        let end = self.spans.last().map_or(0, Span::end);
        let span = Span::new(start, end);
        let made = make(production, span, &mut self.made)?;
        self.made.push(made);
        self.spans.truncate(first);
        self.spans.push(span);
        self.states.truncate(first + 1);
        self.states.push(after(production, &self.states)?);
        Some(())
    }

    /// Where what is made up before the next token is.
    fn next_start(&self) -> usize {
        let next = self.tokens.get(self.at).map(|token| token.span().start());
        let last = || self.tokens.last().map_or(0, |token| token.span().end());
        next.unwrap_or_else(last)
    }

    /// Does what a repair says.
    fn mend(&mut self, repair: &[Step]) -> Option<()> {
        for step in repair {
            match *step {
                Step::Insert(kind) => while !self.step(Some(kind))? {},
                Step::Delete(_) => self.at += 1,
                Step::Shift => while !self.step(None)? {},
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
