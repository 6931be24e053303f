//! A line of text with a cursor: always valid UTF-8, the cursor always between two characters.

/// Up to `N` bytes of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    cursor: usize,
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Buffer<N> {
    /// An empty line.
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, cursor: 0 }
    }

    /// The text.
    pub fn text(&self) -> &str {
        // Valid by construction; were it not, an empty line is the harmless reading.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
    /// The text before the cursor.
    pub fn before(&self) -> &str {
        self.text().get(..self.cursor).unwrap_or_default()
    }
    /// The text from the cursor on.
    pub fn after(&self) -> &str {
        self.text().get(self.cursor..).unwrap_or_default()
    }
    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Empties the line.
    pub fn clear(&mut self) {
        (self.len, self.cursor) = (0, 0);
    }

    /// Replaces the line, the cursor at its end. What does not fit is cut at a character.
    pub fn set(&mut self, text: &str) {
        let end = text.floor_char_boundary(N);
        self.bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        (self.len, self.cursor) = (end, end);
    }

    /// Inserts at the cursor; `false`: no room, nothing done.
    pub fn insert(&mut self, text: &str) -> bool {
        let end = self.len + text.len();
        if end > N {
            return false;
        }
        self.bytes.copy_within(self.cursor..self.len, self.cursor + text.len());
        self.bytes[self.cursor..][..text.len()].copy_from_slice(text.as_bytes());
        self.len = end;
        self.cursor += text.len();
        true
    }

    /// Removes `bytes` bytes of text from before the cursor. They must be whole characters.
    fn cut_before(&mut self, bytes: usize) {
        self.bytes.copy_within(self.cursor..self.len, self.cursor - bytes);
        self.cursor -= bytes;
        self.len -= bytes;
    }

    /// Moves the cursor a character left; `false`: it stands at the start.
    pub fn left(&mut self) -> bool {
        let Some(c) = self.before().chars().next_back() else { return false };
        self.cursor -= c.len_utf8();
        true
    }
    /// Moves the cursor a character right; `false`: it stands at the end.
    pub fn right(&mut self) -> bool {
        let Some(c) = self.after().chars().next() else { return false };
        self.cursor += c.len_utf8();
        true
    }
    /// Moves the cursor to the start.
    pub fn home(&mut self) {
        self.cursor = 0;
    }
    /// Moves the cursor to the end.
    pub fn end(&mut self) {
        self.cursor = self.len;
    }

    /// Bytes from the start of the word before the cursor to the cursor.
    fn word_before(&self) -> usize {
        let before = self.before();
        let word = before.trim_end_matches(' ');
        before.len() - word.rfind(' ').map_or(0, |space| space + 1)
    }
    /// Moves the cursor to the start of the word before it.
    pub fn word_left(&mut self) {
        self.cursor -= self.word_before();
    }
    /// Moves the cursor to the end of the word after it.
    pub fn word_right(&mut self) {
        let after = self.after();
        let blanks = after.len() - after.trim_start_matches(' ').len();
        let word = &after[blanks..];
        self.cursor += blanks + word.find(' ').unwrap_or(word.len());
    }

    /// Removes the character before the cursor; `false`: there is none.
    pub fn backspace(&mut self) -> bool {
        let Some(c) = self.before().chars().next_back() else { return false };
        self.cut_before(c.len_utf8());
        true
    }
    /// Removes the character at the cursor; `false`: there is none.
    pub fn delete(&mut self) -> bool {
        self.right() && self.backspace()
    }
    /// Removes the word before the cursor.
    pub fn delete_word(&mut self) {
        self.cut_before(self.word_before());
    }
    /// Removes everything before the cursor.
    pub fn delete_to_start(&mut self) {
        self.cut_before(self.cursor);
    }
    /// Removes everything from the cursor on.
    pub fn delete_to_end(&mut self) {
        self.len = self.cursor;
    }

    /// Exchanges the two characters around the cursor (at the end: the last two) and moves on;
    /// `false`: there are not two.
    pub fn transpose(&mut self) -> bool {
        if self.after().is_empty() && !self.left() {
            return false;
        }
        let (second, first) = (self.after().chars().next(), self.before().chars().next_back());
        let (Some(second), Some(first)) = (second, first) else {
            // One character alone: the cursor goes back to where it was.
            if self.before().is_empty() && self.text().chars().count() == 1 {
                self.end();
            }
            return false;
        };
        self.right();
        self.cut_before(first.len_utf8() + second.len_utf8());
        let mut utf8 = [0; 4];
        // The room is there: the same characters were removed.
        self.insert(second.encode_utf8(&mut utf8)) && self.insert(first.encode_utf8(&mut utf8))
    }
}
