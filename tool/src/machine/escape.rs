//! Ctrl-A at the terminal: the keys that are for us and not for the machine.

/// Ctrl-A.
pub const PREFIX: u8 = 0x01;

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Goes to the machine.
    Byte(u8),
    /// The prefix: nothing yet.
    Nothing,
    /// Leave the machine.
    Leave,
    /// Show the keys.
    Help,
    /// The other console.
    Switch,
}

/// Remembers whether the prefix was typed.
#[derive(Debug, Default)]
pub struct Escape {
    prefixed: bool,
}

impl Escape {
    /// Takes the next key. Ctrl-A twice, or Ctrl-A a, gives one Ctrl-A to the machine.
    pub fn key(&mut self, byte: u8) -> Key {
        if !self.prefixed {
            self.prefixed = byte == PREFIX;
            return if self.prefixed { Key::Nothing } else { Key::Byte(byte) };
        }
        self.prefixed = false;
        match byte {
            b'x' => Key::Leave,
            PREFIX | b'a' => Key::Byte(PREFIX),
            b'h' | b'?' => Key::Help,
            b'c' => Key::Switch,
            _ => Key::Nothing,
        }
    }
}

/// What Ctrl-A h prints.
pub const HELP: &str = "\r\nCtrl-A x  leave the machine\r\nCtrl-A a  send Ctrl-A\r\nCtrl-A c  the other console\r\nCtrl-A h  this help\r\n";
