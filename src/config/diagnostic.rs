//! Mistakes in a configuration file, and the text that a person reads about them. Knows lines and
//! columns, and that some places must not be shown; knows nothing of options.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use cfgrammar::Span;

use super::hide::Hidden;

/// Mistakes beyond these are only counted: whoever has more begins with the first anyway.
const MAX_SHOWN: usize = 50;
/// Longer lines (in bytes) are named but not shown: no person wrote them.
const MAX_LINE: usize = 2_000;
/// Longer names are cut where a message quotes them.
const MAX_QUOTED: usize = 60;

/// A mistake: where it is and what is wrong. The texts quote no value, since it may be a secret.
#[derive(Debug)]
pub(super) struct Diagnostic {
    span: Span,
    title: String,
    label: String,
    notes: Vec<String>,
}

impl Diagnostic {
    /// `title` says what is wrong; `label`, beside the place, what to do about it.
    pub(super) fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        let (title, label) = (title.into(), label.into());
        Self {
            span,
            title,
            label,
            notes: Vec::new(),
        }
    }

    /// Adds what else is worth knowing.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Where the mistake is.
    pub(super) const fn span(&self) -> Span {
        self.span
    }
}

/// `'text'`, cut and made safe to print.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(MAX_QUOTED) {
        match character {
            '\\' | '"' | '\'' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push_str("...");
    }
    format!("'{shown}'")
}

/// Where lines begin in a text. They are looked for when that is first asked: a file without
/// mistakes need not wait for it.
pub(super) struct Lines<'s> {
    text: &'s str,
    starts: OnceCell<Vec<usize>>,
}

impl<'s> Lines<'s> {
    pub(super) const fn of(text: &'s str) -> Self {
        Self {
            text,
            starts: OnceCell::new(),
        }
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let after_newlines = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_newlines).collect()
        })
    }

    /// The number, from 1, of the line that `offset` is in.
    pub(super) fn number(&self, offset: usize) -> usize {
        self.starts().partition_point(|&start| start <= offset)
    }

    /// Where line `number` begins, and where the next one does.
    fn range(&self, number: usize) -> Range<usize> {
        let start = |at: usize| self.starts().get(at).copied().unwrap_or(self.text.len());
        start(number - 1)..start(number)
    }
}

/// All mistakes of one file, ready to be shown: it holds the lines that they are in, without the
/// secrets, and nothing else of the file.
#[derive(Debug)]
pub struct Report {
    path: String,
    total: usize,
    shown: Vec<Shown>,
}

/// One mistake, cut out of its file.
#[derive(Debug)]
struct Shown {
    title: String,
    label: String,
    notes: Vec<String>,
    line: usize,
    column: usize,
    /// The line, where it is fit to be shown, and what to mark in it.
    excerpt: Option<(String, Range<usize>)>,
}

impl Report {
    pub(super) fn new(
        path: &str,
        text: &str,
        lines: &Lines<'_>,
        hidden: &Hidden<'_>,
        mut mistakes: Vec<Diagnostic>,
    ) -> Self {
        mistakes.sort_by_key(|mistake| mistake.span.start());
        let total = mistakes.len();
        mistakes.truncate(MAX_SHOWN);
        let cut = |mistake| Shown::new(mistake, text, lines, hidden);
        Self {
            path: path.into(),
            total,
            shown: mistakes.into_iter().map(cut).collect(),
        }
    }

    /// How many mistakes there are.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// The text for people, without a newline at its end.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for shown in &self.shown {
            text.push_str(&shown.render(&self.path, &renderer));
            text.push_str("\n\n");
        }
        let hidden = self.total - self.shown.len();
        if hidden > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "and {hidden} more\n");
        }
        if self.total > 1 {
            let _ = write!(text, "{} mistakes in {}", self.total, self.path);
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Shown {
    fn new(mistake: Diagnostic, text: &str, lines: &Lines<'_>, hidden: &Hidden<'_>) -> Self {
        let Diagnostic {
            span,
            title,
            label,
            notes,
        } = mistake;
        let line = lines.number(span.start());
        let range = lines.range(line);
        let written = text[range.clone()].trim_end_matches(['\n', '\r']);
        // Only the first line of what spans several is marked.
        let line_end = range.start + written.len();
        let marked = span.start().min(line_end)..span.end().min(line_end);
        let column = text[range.start..marked.start].chars().count() + 1;
        let excerpt = (written.len() <= MAX_LINE)
            .then(|| hidden.without_secrets(written, range.start, &marked));
        Self {
            title,
            label,
            notes,
            line,
            column,
            excerpt,
        }
    }

    fn render(&self, path: &str, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(&self.title);
        let notes = self.notes.iter().map(|note| Level::NOTE.message(note));
        let Some((line, marked)) = &self.excerpt else {
            let origin = Origin::path(path).line(self.line).char_column(self.column);
            let label = Level::NOTE.message(&self.label);
            return renderer.render(&[title.element(origin).element(label).elements(notes)]);
        };
        let annotation = AnnotationKind::Primary
            .span(marked.clone())
            .label(&self.label);
        let snippet = Snippet::source(line.as_str())
            .path(path)
            .line_start(self.line)
            .annotation(annotation);
        renderer.render(&[title.element(snippet).elements(notes)])
    }
}
