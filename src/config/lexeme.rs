//! Places in a configuration file's text, and the tokens that it is made of. Knows nothing of what
//! a kind of token means.

/// From one byte to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// The first byte after it.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// A token: a kind that the grammar has a number for, at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    kind: u8,
    span: Span,
}

impl Lexeme {
    pub(super) const fn new(kind: u8, start: usize, length: usize) -> Self {
        Self {
            kind,
            span: Span::new(start, start + length),
        }
    }

    pub(super) const fn tok_id(&self) -> u8 {
        self.kind
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }
}
