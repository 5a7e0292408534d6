//! The parser against lrpar's own, which makes its tables of the same grammar at run time.

use std::collections::HashSet;

use cfgrammar::NewlineCache;
use cfgrammar::yacc::{YaccGrammar, YaccKind};
use lrlex::{DefaultLexeme, DefaultLexerTypes, LRNonStreamingLexer};
use lrpar::{LexParseError, Lexeme as _, ParseError, ParseRepair, RTParserBuilder};
use lrtable::{Minimiser, StateTable, from_yacc};
use rand::TryRng as _;
use rand::rngs::SysRng;

use super::*;
use crate::config::lexer;

const GOOD: &str = r#"
auth_notify_cmd = "a";
retry = 90s;
account "one" {
    client_id = "b";
    scopes = ["c", "d"];
    fields = { "e": "f", "g": none, };
    empty = [];
}
account "two" { x = {}; y = word-like; }
"#;

struct Original {
    grammar: YaccGrammar<u8>,
    table: StateTable<u8>,
}

impl Original {
    fn new() -> Self {
        let source = include_str!("../config.y");
        let grammar = YaccGrammar::new_with_storaget(YaccKind::Grmtools, source).unwrap();
        let (_, table) = from_yacc(&grammar, Minimiser::Pager).unwrap();
        Self { grammar, table }
    }

    /// Its first mistake.
    fn mistake(&self, tokens: &[Lexeme]) -> Option<ParseError<DefaultLexeme<u8>, u8>> {
        let given = tokens.iter().map(|token| {
            let span = token.span();
            Ok(DefaultLexeme::new(
                token.tok_id(),
                span.start(),
                span.end() - span.start(),
            ))
        });
        let lexer: LRNonStreamingLexer<'_, '_, DefaultLexerTypes<u8>> =
            LRNonStreamingLexer::new("", given.collect(), NewlineCache::new());
        let parser: RTParserBuilder<'_, u8, DefaultLexerTypes<u8>> =
            RTParserBuilder::new(&self.grammar, &self.table);
        let (_, errors) = parser.parse_map(&lexer, &|_| (), &|_, _| ());
        let first = errors.into_iter().next()?;
        match first {
            LexParseError::ParseError(error) => Some(error),
            LexParseError::LexError(_) => None,
        }
    }
}

fn ours(repair: &[ParseRepair<DefaultLexeme<u8>, u8>]) -> Vec<Step> {
    let step = |step: &ParseRepair<DefaultLexeme<u8>, u8>| match step {
        ParseRepair::Insert(kind) => Step::Insert(kind.0),
        ParseRepair::Delete(token) => Step::Delete(token.tok_id()),
        ParseRepair::Shift(_) => Step::Shift,
    };
    repair.iter().map(step).collect()
}

fn random(below: usize) -> usize {
    usize::try_from(SysRng.try_next_u32().unwrap()).unwrap() % below
}

/// A good file's tokens with up to three mistakes.
fn damaged() -> Vec<Lexeme> {
    let mut kinds: Vec<u8> = lexer::read(GOOD).iter().map(Lexeme::tok_id).collect();
    for _ in 0..=random(3) {
        let at = random(kinds.len());
        let other = kinds[random(kinds.len())];
        match random(3) {
            0 => drop(kinds.remove(at)),
            1 => kinds.insert(at, other),
            _ => kinds[at] = other,
        }
    }
    let numbered = kinds.iter().enumerate();
    numbered
        .map(|(at, &kind)| Lexeme::new(kind, at * 2, 1))
        .collect()
}

#[test]
fn repairs_are_those_that_lrpar_finds() {
    let original = Original::new();
    let mut compared = 0;
    for _ in 0..400 {
        let tokens = damaged();
        let (file, mistakes) = parse(&tokens);
        let Some(expected) = original.mistake(&tokens) else {
            assert!(mistakes.is_empty() && file.is_some());
            continue;
        };
        let found = mistakes.first().unwrap();
        let place = tokens.get(found.at).map(|token| token.span().start());
        let end = tokens.last().map(|token| token.span().end());
        assert_eq!(place.or(end), Some(expected.lexeme().span().start()));
        // It gives up after a time, and not after so much work.
        if expected.repairs().is_empty() || found.repairs.is_empty() {
            continue;
        }
        compared += 1;
        let expected: Vec<Vec<Step>> = expected.repairs().iter().map(|one| ours(one)).collect();
        let all = |repairs: &[Vec<Step>]| repairs.iter().cloned().collect::<HashSet<_>>();
        assert_eq!(all(&found.repairs), all(&expected), "{tokens:?}");
        // Among equally good ones it takes any.
        assert_eq!(found.repairs[0].len(), expected[0].len(), "{tokens:?}");
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn the_same_file_is_always_mended_in_the_same_way() {
    let tokens = damaged();
    let first = format!("{:?}", parse(&tokens).1);
    assert!((0..20).all(|_| format!("{:?}", parse(&tokens).1) == first));
}
