//! What the grammar yields: where in the source things are, and of what kind. It holds no text, so
//! it holds no secret; and it knows nothing of what the options mean.

use cfgrammar::Span;
use lrlex::DefaultLexeme;
use lrpar::Lexeme;

/// A configuration file.
#[derive(Default)]
pub(super) struct File {
    pub(super) settings: Vec<Setting>,
    pub(super) accounts: Vec<Account>,
}

/// `account name { settings }`
pub(super) struct Account {
    /// From `account` to the closing brace.
    pub(super) span: Span,
    pub(super) name: Scalar,
    pub(super) settings: Vec<Setting>,
}

/// `name = value;`
pub(super) struct Setting {
    /// Empty where the parser made the name up to get over a mistake.
    pub(super) name: Span,
    pub(super) value: Value,
}

/// What a setting is set to. What has brackets or braces has its place with it.
pub(super) enum Value {
    Scalar(Scalar),
    List(Span, Vec<Scalar>),
    Map(Span, Vec<(Scalar, Scalar)>),
}

impl Value {
    /// Where it is.
    pub(super) const fn span(&self) -> Span {
        match self {
            Self::Scalar(scalar) => scalar.span,
            Self::List(span, _) | Self::Map(span, _) => *span,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Scalar {
    pub(super) span: Span,
    pub(super) kind: ScalarKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    /// In double quotes, which are part of the span.
    String,
    /// A bare word that could be an option's name; `none` is one.
    Name,
    /// A number with a unit.
    Time,
    /// Another bare word.
    Word,
    /// Meant as a string, but not a well-formed one. This has been reported.
    Mangled,
    /// Made up by the parser, to get over a mistake that it has reported.
    Missing,
}

/// What a grammar action is given for a token: `Err` is one that the parser made up.
type Token = Result<DefaultLexeme<u8>, DefaultLexeme<u8>>;

pub(super) fn token(token: Token) -> Scalar {
    match token {
        Ok(lexeme) => Scalar {
            span: lexeme.span(),
            kind: ScalarKind::Word,
        },
        Err(lexeme) => Scalar {
            span: lexeme.span(),
            kind: ScalarKind::Missing,
        },
    }
}

pub(super) fn scalar(real_or_not: Token, kind: ScalarKind) -> Scalar {
    let kind = if real_or_not.is_ok() {
        kind
    } else {
        ScalarKind::Missing
    };
    Scalar {
        kind,
        ..token(real_or_not)
    }
}

/// From the beginning of one token to the end of another.
pub(super) fn across(first: Token, last: Token) -> Span {
    Span::new(token(first).span.start(), token(last).span.end())
}

pub(super) fn setting(name: Token, value: Value) -> Setting {
    let name = token(name).span;
    Setting { name, value }
}

/// `list` with one more at its end.
pub(super) fn with<T>(mut list: Vec<T>, next: T) -> Vec<T> {
    list.push(next);
    list
}
