//! The least of a line editor: bytes, backspace, line ends.

/// Longest line in bytes; what is more is not taken.
const LINE_MAX: usize = 200;

/// What a byte meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing to show.
    Nothing,
    /// It belongs to the line.
    Byte(u8),
    /// The last character is gone.
    Erase,
    /// The line is ended.
    Line,
    /// Ctrl-D on an empty line.
    End,
}

/// A line as it is typed.
pub struct Line {
    bytes: [u8; LINE_MAX],
    len: usize,
    after_return: bool,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self { bytes: [0; LINE_MAX], len: 0, after_return: false }
    }

    /// The line so far; empty if it is not UTF-8.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// Begins the next one.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes a byte.
    pub fn feed(&mut self, byte: u8) -> Heard {
        let after_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => Heard::Nothing,
            b'\r' | b'\n' => Heard::Line,
            0x04 if self.len == 0 => Heard::End,
            0x08 | 0x7F => self.erase(),
            0..0x20 => Heard::Nothing,
            byte => match self.bytes.get_mut(self.len) {
                Some(place) => {
                    *place = byte;
                    self.len += 1;
                    Heard::Byte(byte)
                }
                None => Heard::Nothing,
            },
        }
    }

    /// Removes the last character with all its bytes.
    fn erase(&mut self) -> Heard {
        if self.len == 0 {
            return Heard::Nothing;
        }
        let is_start = |b: &u8| b & 0xC0 != 0x80;
        self.len = self.bytes[..self.len].iter().rposition(is_start).unwrap_or(0);
        Heard::Erase
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, LINE_MAX, Line};

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut line = Line::new();
        let mut all = Vec::new();
        for &byte in bytes {
            match line.feed(byte) {
                Heard::Line => {
                    all.push(line.text().to_owned());
                    line.clear();
                }
                Heard::End => all.push("<end>".to_owned()),
                _ => {}
            }
        }
        all
    }

    #[test]
    fn lines_end_once_and_characters_go_whole() {
        assert_eq!(lines(b"a\r\nb\nc\r\r"), ["a", "b", "c", ""]);
        assert_eq!(lines("aä\x7Fb\x08\x08\x08\x08c\n".as_bytes()), ["c"]);
        assert_eq!(lines(b"x\x04\n\x04"), ["x", "<end>"]);
        assert_eq!(lines(b"\xFFx\n"), [""]);
        let long = [&[b'x'; LINE_MAX + 9][..], b"\n"].concat();
        assert_eq!(lines(&long), ["x".repeat(LINE_MAX)]);
    }
}
