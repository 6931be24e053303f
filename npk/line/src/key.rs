//! Bytes into keys: UTF-8, C0 controls, and the escape sequences of ECMA-48 that terminals send for
//! keys.

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the keys say it")]
pub enum Key {
    Char(char),
    /// Carriage return, line feed, or both as one.
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    /// Another control character, as its letter: `Control('a')`.
    Control(char),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    /// After ESC.
    Escape,
    /// After ESC [: the first parameter, and whether it is still read.
    Sequence {
        parameter: u8,
        first: bool,
    },
    /// After ESC O.
    Single,
    /// In a character of `need` bytes of which `have` are there.
    Text {
        bytes: [u8; 4],
        have: u8,
        need: u8,
    },
}

/// Turns bytes into keys. What is no key is dropped; a control character ends every unfinished
/// sequence and counts, so that Enter works whatever came before.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    after_return: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start.
    pub const fn new() -> Self {
        Self { state: State::Ground, after_return: false }
    }

    /// Takes a byte; a key if it completes one.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let after_return = core::mem::take(&mut self.after_return);
        if byte < 0x20 || byte == 0x7F {
            self.state = State::Ground;
            return self.control(byte, after_return);
        }
        match core::mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.text(byte),
            State::Escape => self.escape(byte),
            State::Sequence { parameter, first } => self.sequence(byte, parameter, first),
            State::Single => cursor_key(byte),
            State::Text { bytes, have, need } => self.rest(byte, bytes, have, need),
        }
    }

    fn control(&mut self, byte: u8, after_return: bool) -> Option<Key> {
        match byte {
            b'\r' => {
                self.after_return = true;
                Some(Key::Enter)
            }
            b'\n' => (!after_return).then_some(Key::Enter),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7F => Some(Key::Backspace),
            0x1B => {
                self.state = State::Escape;
                None
            }
            1..=26 => Some(Key::Control((byte - 1 + b'a') as char)),
            _ => None,
        }
    }

    fn text(&mut self, byte: u8) -> Option<Key> {
        let need = match byte {
            0x20..=0x7E => return Some(Key::Char(byte as char)),
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => return None,
        };
        self.state = State::Text { bytes: [byte, 0, 0, 0], have: 1, need };
        None
    }

    fn rest(&mut self, byte: u8, mut bytes: [u8; 4], have: u8, need: u8) -> Option<Key> {
        if byte & 0xC0 != 0x80 {
            // The character before was cut off; this byte begins something new.
            return self.text(byte);
        }
        bytes[have as usize] = byte;
        let have = have + 1;
        if have < need {
            self.state = State::Text { bytes, have, need };
            return None;
        }
        let text = core::str::from_utf8(&bytes[..need as usize]).ok()?;
        // U+0080 to U+009F are controls too.
        text.chars().next().filter(|c| !c.is_control()).map(Key::Char)
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => self.state = State::Sequence { parameter: 0, first: true },
            b'O' => self.state = State::Single,
            b'b' => return Some(Key::WordLeft),
            b'f' => return Some(Key::WordRight),
            _ => {}
        }
        None
    }

    fn sequence(&mut self, byte: u8, parameter: u8, first: bool) -> Option<Key> {
        match byte {
            b'0'..=b'9' if first => {
                let parameter = parameter.saturating_mul(10).saturating_add(byte - b'0');
                self.state = State::Sequence { parameter, first };
                None
            }
            // Further parameters (modifiers) and intermediate bytes.
            0x20..=0x3F => {
                self.state = State::Sequence { parameter, first: false };
                None
            }
            b'~' => match parameter {
                1 | 7 => Some(Key::Home),
                4 | 8 => Some(Key::End),
                3 => Some(Key::Delete),
                _ => None,
            },
            // With a modifier (ESC [ 1 ; 5 D) the arrows go by words.
            b'C' if !first => Some(Key::WordRight),
            b'D' if !first => Some(Key::WordLeft),
            _ => cursor_key(byte),
        }
    }
}

fn cursor_key(byte: u8) -> Option<Key> {
    Some(match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}
