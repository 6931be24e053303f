//! Keys to edits, and what the terminal has to show for them.
use core::fmt::Write;

use crate::{Buffer, Decoder, History, Key};

const BELL: char = '\x07';

/// What a byte led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The line goes on.
    More,
    /// The line is ended: [`Editor::line`] is it, until the next byte.
    Line,
    /// Ctrl-D on an empty line.
    Eof,
    /// Ctrl-C: the line was discarded; the prompt is due.
    Cancelled,
}

/// Knows what a word may become.
pub trait Completer {
    /// Calls `each` with everything that the last word of `before` may become; the value is where
    /// in `before` that word starts.
    fn complete(&mut self, before: &str, each: &mut dyn FnMut(&str)) -> usize;
}

/// Lines of at most `N` bytes, with `H` of them remembered.
#[derive(Clone, Debug)]
pub struct Editor<const N: usize, const H: usize> {
    prompt: &'static str,
    decoder: Decoder,
    buffer: Buffer<N>,
    /// What was written before the history was looked at.
    draft: Buffer<N>,
    /// Lines back in the history; 0: the draft.
    back: usize,
    ended: bool,
    /// The lines before.
    pub history: History<N, H>,
}

impl<const N: usize, const H: usize> Editor<N, H> {
    /// An editor whose lines are asked for with `prompt`.
    pub const fn new(prompt: &'static str) -> Self {
        Self {
            prompt,
            decoder: Decoder::new(),
            buffer: Buffer::new(),
            draft: Buffer::new(),
            back: 0,
            ended: false,
            history: History::new(),
        }
    }

    /// Shows the prompt, and what was typed already.
    pub fn prompt(&self, out: &mut impl Write) {
        let text = if self.ended { "" } else { self.buffer.text() };
        show(out, format_args!("{}{text}", self.prompt));
        if !self.ended {
            back(out, self.buffer.after());
        }
    }

    /// The line, as far as it is typed, or as it was ended.
    pub fn line(&self) -> &str {
        self.buffer.text()
    }

    /// The line and where the cursor stands in it, in bytes.
    pub fn state(&self) -> (&str, usize) {
        (self.buffer.text(), self.buffer.before().len())
    }

    /// Takes a byte; what the terminal has to show goes to `out`.
    pub fn feed(
        &mut self,
        byte: u8,
        out: &mut impl Write,
        completer: &mut impl Completer,
    ) -> Outcome {
        let Some(key) = self.decoder.feed(byte) else { return Outcome::More };
        if core::mem::take(&mut self.ended) {
            self.buffer.clear();
            self.draft.clear();
            self.back = 0;
        }
        match key {
            Key::Enter => return self.enter(out),
            Key::Control('c') => {
                show(out, format_args!("^C\n"));
                self.ended = true;
                self.buffer.clear();
                return Outcome::Cancelled;
            }
            Key::Control('d') if self.buffer.is_empty() => return Outcome::Eof,
            Key::Char(c) => self.try_edit(out, |b| b.insert(c.encode_utf8(&mut [0; 4]))),
            Key::Tab => self.complete(out, completer),
            Key::Up | Key::Control('p') => self.recall(out, 1),
            Key::Down | Key::Control('n') => self.recall(out, -1),
            Key::Control('l') => {
                show(out, format_args!("\x1B[H\x1B[2J"));
                self.prompt(out);
            }
            other => self.key(out, other),
        }
        Outcome::More
    }

    fn enter(&mut self, out: &mut impl Write) -> Outcome {
        show(out, format_args!("{}\n", self.buffer.after()));
        self.buffer.end();
        self.history.add(self.buffer.text());
        self.ended = true;
        Outcome::Line
    }

    /// The keys that change or move within the line.
    fn key(&mut self, out: &mut impl Write, key: Key) {
        match key {
            Key::Left | Key::Control('b') => self.try_edit(out, Buffer::left),
            Key::Right | Key::Control('f') => self.try_edit(out, Buffer::right),
            Key::Home | Key::Control('a') => self.edit(out, Buffer::home),
            Key::End | Key::Control('e') => self.edit(out, Buffer::end),
            Key::WordLeft => self.edit(out, Buffer::word_left),
            Key::WordRight => self.edit(out, Buffer::word_right),
            Key::Backspace => self.try_edit(out, Buffer::backspace),
            Key::Delete | Key::Control('d') => self.try_edit(out, Buffer::delete),
            Key::Control('k') => self.edit(out, Buffer::delete_to_end),
            Key::Control('u') => self.edit(out, Buffer::delete_to_start),
            Key::Control('w') => self.edit(out, Buffer::delete_word),
            Key::Control('t') => self.try_edit(out, Buffer::transpose),
            // No meaning here.
            _ => show(out, format_args!("{BELL}")),
        }
    }

    /// Does an edit and shows the difference.
    fn edit(&mut self, out: &mut impl Write, edit: impl FnOnce(&mut Buffer<N>)) {
        let old = self.buffer.clone();
        edit(&mut self.buffer);
        difference(out, &old, &self.buffer);
    }

    /// As [`Self::edit`]; an edit that was impossible (`false`) rings the bell.
    fn try_edit(&mut self, out: &mut impl Write, edit: impl FnOnce(&mut Buffer<N>) -> bool) {
        let mut done = false;
        self.edit(out, |buffer| done = edit(buffer));
        if !done {
            show(out, format_args!("{BELL}"));
        }
    }

    /// Goes one line back (1) or forth (-1) in the history.
    fn recall(&mut self, out: &mut impl Write, step: isize) {
        let back = self.back.checked_add_signed(step);
        let line = match back {
            Some(0) => Some(self.draft.text()),
            Some(n) => self.history.back(n),
            None => None,
        };
        let (Some(back), Some(line)) = (back, line) else {
            return show(out, format_args!("{BELL}"));
        };
        let old = self.buffer.clone();
        self.buffer.set(line);
        if self.back == 0 {
            self.draft = old.clone();
        }
        self.back = back;
        difference(out, &old, &self.buffer);
    }

    /// Extends the word before the cursor as far as all candidates agree; where that adds nothing,
    /// shows them.
    fn complete(&mut self, out: &mut impl Write, completer: &mut impl Completer) {
        let before = self.buffer.before();
        let mut common = Buffer::<N>::new();
        let mut count = 0;
        let start = completer.complete(before, &mut |candidate| {
            let agreed = if count == 0 { candidate } else { agreement(common.text(), candidate) };
            let agreed = agreed.len();
            common.set(&candidate[..agreed]);
            count += 1;
        });
        let word = before.get(start..).unwrap_or_default();
        let more = common.text().strip_prefix(word).unwrap_or_default();
        if more.is_empty() && count != 1 || more.contains(char::is_control) {
            show(out, format_args!("{BELL}"));
            if count > 1 {
                self.choices(out, completer);
            }
            return;
        }
        // A finished word; after a directory the name goes on.
        let blank = if count == 1 && !common.text().ends_with('/') { " " } else { "" };
        self.try_edit(out, |b| b.insert(more) && b.insert(blank));
    }

    /// All candidates on lines of their own, then the line again.
    fn choices(&self, out: &mut impl Write, completer: &mut impl Completer) {
        show(out, format_args!("\n"));
        completer.complete(self.buffer.before(), &mut |c| show(out, format_args!("{c}\n")));
        self.prompt(out);
    }
}

fn show(out: &mut impl Write, text: core::fmt::Arguments) {
    // Where there is no terminal any more, nobody misses what it would show.
    let _ = out.write_fmt(text);
}

/// Moves the cursor back over `text`: one column for each character.
fn back(out: &mut impl Write, text: &str) {
    for _ in text.chars() {
        show(out, format_args!("\x08"));
    }
}

/// The common start of two texts.
fn agreement<'a>(a: &str, b: &'a str) -> &'a str {
    let same = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y);
    let end = same.map_or(a.len().min(b.len()), |((at, _), _)| at);
    &b[..end]
}

/// Shows what changed: the cursor goes to the first difference, the rest is written again, what is
/// too much is erased, the cursor goes where it belongs.
fn difference<const N: usize>(out: &mut impl Write, old: &Buffer<N>, new: &Buffer<N>) {
    let same = agreement(old.text(), new.text()).len();
    let old_cursor = old.before().len();
    if old.text() == new.text() {
        let new_cursor = new.before().len();
        match new.text().get(old_cursor..new_cursor) {
            Some(over) => show(out, format_args!("{over}")),
            None => back(out, &old.text()[new_cursor..old_cursor]),
        }
        return;
    }
    // To the first difference, forth by writing what stands there already.
    match old.text().get(old_cursor..same) {
        Some(over) => show(out, format_args!("{over}")),
        None => back(out, &old.text()[same..old_cursor]),
    }
    show(out, format_args!("{}", &new.text()[same..]));
    if new.text().chars().count() < old.text().chars().count() {
        show(out, format_args!("\x1B[K"));
    }
    back(out, new.after());
}
