//! A line into words: blanks separate, `'...'` is literal, in `"..."` and outside of quotes a
//! backslash takes the next character as it is. A `&` of its own at the end sends the command to
//! the background.

/// Longest line in bytes.
pub const LINE_MAX: usize = 512;
/// Most words of a line.
pub const WORDS_MAX: usize = 64;

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A quote is not closed.
    Quote,
    /// More words than there are places.
    Words,
    /// Longer than a line can be.
    Long,
}

/// The words of a line.
#[derive(Clone, Debug)]
pub struct Words {
    text: [u8; LINE_MAX],
    /// Where each word ends in `text`; the next begins there.
    ends: [usize; WORDS_MAX],
    count: usize,
    /// The line ended with `&`.
    pub background: bool,
}

impl Words {
    /// Splits a line.
    pub fn split(line: &str) -> Result<Self, Fault> {
        if line.len() > LINE_MAX {
            return Err(Fault::Long);
        }
        let trimmed = line.trim_end();
        let bare = trimmed.strip_suffix('&').filter(|rest| !rest.ends_with('\\'));
        let background = bare.is_some();
        let mut words = Self { text: [0; LINE_MAX], ends: [0; WORDS_MAX], count: 0, background };
        words.scan(bare.unwrap_or(line))?;
        Ok(words)
    }

    fn scan(&mut self, line: &str) -> Result<(), Fault> {
        let mut at = 0;
        let mut quote = None;
        let mut word = false;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            let literal = match (quote, c) {
                (None, ' ' | '\t') => {
                    if core::mem::take(&mut word) {
                        self.end(at)?;
                    }
                    continue;
                }
                (None, '\'' | '"') => {
                    (quote, word) = (Some(c), true);
                    continue;
                }
                (Some(open), c) if open == c => {
                    quote = None;
                    continue;
                }
                // At the end of the line it stands for itself.
                (None | Some('"'), '\\') => chars.next().unwrap_or('\\'),
                (_, c) => c,
            };
            word = true;
            // No longer than the line, which fits.
            at += literal.encode_utf8(&mut self.text[at..]).len();
        }
        if quote.is_some() {
            return Err(Fault::Quote);
        }
        if word { self.end(at) } else { Ok(()) }
    }

    fn end(&mut self, at: usize) -> Result<(), Fault> {
        *self.ends.get_mut(self.count).ok_or(Fault::Words)? = at;
        self.count += 1;
        Ok(())
    }

    /// Word number `index`.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends[..self.count].get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        core::str::from_utf8(&self.text[start..end]).ok()
    }

    /// Words from number `first` on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &str> {
        (first..self.count).filter_map(|i| self.get(i))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
