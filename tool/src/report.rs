//! Diagnostics: what is wrong, where (file, line, column, caret), and what mends it.
//!
//! A [`Report`] points into a [`Source`] by byte range; rendering is left to `annotate-snippets`,
//! which draws what `rustc` draws.
use std::{fmt, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

/// A text file that reports point into.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as the user wrote it, for the `-->` line.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A byte range of a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub source: Arc<Source>,
    /// Bytes of its text.
    pub range: Range<usize>,
}

impl Spot {
    /// Line of the first byte, counted from 1.
    pub fn line(&self) -> usize {
        self.source.text[..self.clamped().start].matches('\n').count() + 1
    }

    /// Column of the first byte in characters, counted from 1.
    pub fn column(&self) -> usize {
        let before = &self.source.text[..self.clamped().start];
        before.chars().rev().take_while(|&c| c != '\n').count() + 1
    }

    /// The range cut to the text and moved to character boundaries, so that slicing cannot panic;
    /// ends at the first line's end, so that the caret stands under the head of a long node.
    fn clamped(&self) -> Range<usize> {
        let text = &self.source.text;
        let floor = |mut i: usize| {
            i = i.min(text.len());
            while !text.is_char_boundary(i) {
                i -= 1;
            }
            i
        };
        let start = floor(self.range.start);
        let end = floor(self.range.end).max(start);
        let line_end = text[start..end].find(['\n', '\r']).map_or(end, |i| start + i);
        start..line_end
    }
}

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Spot,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, one line.
    pub message: String,
    /// Where; `None` when no file is concerned.
    pub at: Option<Spot>,
    /// Said beside the caret.
    pub label: String,
    /// Other places concerned.
    pub notes: Vec<(Spot, String)>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Report {
    /// A report without a place.
    pub fn new(message: impl Into<String>) -> Self {
        let message = printable(&message.into());
        Self { message, at: None, label: String::new(), notes: Vec::new(), help: None }
    }

    /// Points at `spot` and says `label` beside the caret.
    #[must_use]
    pub fn at(mut self, spot: &Spot, label: impl Into<String>) -> Self {
        self.at = Some(spot.clone());
        self.label = printable(&label.into());
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn note(mut self, spot: &Spot, label: impl Into<String>) -> Self {
        self.notes.push((spot.clone(), printable(&label.into())));
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// The report as text, with colours if `colour`.
    pub fn render(&self, colour: bool) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        if let Some(at) = &self.at {
            let primary = AnnotationKind::Primary.span(at.clamped()).label(&self.label);
            let mut snippet = snippet(at).annotation(primary);
            for (spot, label) in self.notes.iter().filter(|n| n.0.source == at.source) {
                snippet =
                    snippet.annotation(AnnotationKind::Context.span(spot.clamped()).label(label));
            }
            group = group.element(snippet);
        }
        let elsewhere =
            |n: &&(Spot, String)| self.at.as_ref().is_none_or(|a| a.source != n.0.source);
        for (spot, label) in self.notes.iter().filter(elsewhere) {
            let context = AnnotationKind::Context.span(spot.clamped()).label(label);
            group = group.element(snippet(spot).annotation(context));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

fn snippet(spot: &Spot) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(&spot.source.text).path(&spot.source.path)
}

/// Control characters of foreign text must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = if c.is_control() { c.escape_default().collect() } else { vec![c] };
            escaped.into_iter()
        })
        .collect()
}

/// All mistakes found, in the order found; never empty when it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports(pub Vec<Report>);

impl Reports {
    /// The reports as text, one empty line between them, with colours if `colour`.
    pub fn render(&self, colour: bool) -> String {
        self.0.iter().map(|r| r.render(colour)).collect::<Vec<_>>().join("\n\n")
    }

    /// `value`, or the reports when there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Report> for Reports {
    fn from(report: Report) -> Self {
        Self(vec![report])
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Reports {}
