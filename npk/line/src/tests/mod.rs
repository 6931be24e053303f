//! The editor as a user meets it: bytes in, line and screen out.
mod properties;

use crate::{Completer, Editor, Outcome};

const MAX: usize = 64;
type Small = Editor<MAX, 4>;

struct Words;
impl Completer for Words {
    fn complete(&mut self, before: &str, each: &mut dyn FnMut(&str)) -> usize {
        let start = before.rfind(' ').map_or(0, |s| s + 1);
        for word in ["help", "history", "höhe", "hören", "ls", "/Boot/"] {
            if word.starts_with(&before[start..]) {
                each(word);
            }
        }
        start
    }
}

/// A terminal of one line: what it shows and where its cursor is, in characters.
#[derive(Default)]
struct Screen {
    cells: Vec<char>,
    at: usize,
    bells: usize,
}

impl Screen {
    fn show(&mut self, text: &str) {
        let text = text.replace("\x1B[K", "\u{1}").replace("\x1B[H\x1B[2J", "\n");
        for c in text.chars() {
            match c {
                '\x07' => self.bells += 1,
                '\x08' => self.at = self.at.checked_sub(1).expect("left of the line"),
                '\n' => (self.cells, self.at) = (Vec::new(), 0),
                '\u{1}' => self.cells.truncate(self.at),
                c => {
                    self.cells.resize(self.cells.len().max(self.at + 1), ' ');
                    self.cells[self.at] = c;
                    self.at += 1;
                }
            }
        }
    }
    fn text(&self) -> String {
        self.cells.iter().collect()
    }
}

/// Feeds all bytes; the lines that ended, and the other outcomes as words.
fn feed(editor: &mut Small, bytes: &[u8], screen: &mut Screen) -> Vec<String> {
    let mut lines = Vec::new();
    for &byte in bytes {
        let mut out = String::new();
        match editor.feed(byte, &mut out, &mut Words) {
            Outcome::More => {}
            Outcome::Line => lines.push(editor.line().to_owned()),
            Outcome::Eof => lines.push("<eof>".to_owned()),
            Outcome::Cancelled => lines.push("<cancelled>".to_owned()),
        }
        screen.show(&out);
    }
    lines
}

fn lines(bytes: &[u8]) -> Vec<String> {
    feed(&mut Small::new("> "), bytes, &mut Screen::default())
}

/// What stands in the line, with `|` for the cursor, after `bytes`; the screen must show the same.
fn line(bytes: &[u8]) -> String {
    let (mut editor, mut screen) = (Small::new(""), Screen::default());
    feed(&mut editor, bytes, &mut screen);
    let (text, cursor) = editor.state();
    assert_eq!(screen.text(), text, "the screen");
    assert_eq!(screen.at, text[..cursor].chars().count(), "the screen's cursor");
    format!("{}|{}", &text[..cursor], &text[cursor..])
}

#[test]
fn both_line_ends_end_a_line_and_together_only_once() {
    assert_eq!(lines(b"a\nb\rc\r\nd\n\n\r\r"), ["a", "b", "c", "d", "", "", ""]);
    assert_eq!(lines(b"a\n\rb\n"), ["a", "", "b"]);
}

#[test]
fn the_cursor_moves_by_characters_and_words() {
    assert_eq!(line("aäb\x1B[D\x1B[D".as_bytes()), "a|äb");
    assert_eq!(line(b"abc\x01x"), "x|abc");
    assert_eq!(line(b"abc\x1B[H\x1B[C"), "a|bc");
    assert_eq!(line(b"abc\x02\x02\x06\x05d"), "abcd|");
    assert_eq!(line(b"one two  three\x1Bb\x1Bb"), "one |two  three");
    assert_eq!(line(b"one two\x01\x1B[1;5C\x1B[1;5C"), "one two|");
    assert_eq!(line(b"one two\x1B[1;5D"), "one |two");
    assert_eq!(line(b"ab\x1BOH\x1BOC"), "a|b");
    assert_eq!(line(b"ab\x1B[1~x\x1B[4~y"), "xaby|");
}

#[test]
fn text_is_removed_by_characters_words_and_halves() {
    assert_eq!(line("aä\x7F\x7F\x7Fb".as_bytes()), "b|");
    assert_eq!(line("aäb\x01\x1B[3~\x04".as_bytes()), "|b");
    assert_eq!(line(b"one two  \x17"), "one |");
    assert_eq!(line(b"abcd\x02\x02\x0B"), "ab|");
    assert_eq!(line(b"abcd\x02\x02\x15"), "|cd");
    assert_eq!(line(b"abcd\x02\x02x\x08\x08"), "a|cd");
}

#[test]
fn two_characters_change_places() {
    assert_eq!(line("aä\x14".as_bytes()), "äa|");
    assert_eq!(line(b"abc\x02\x14"), "acb|");
    assert_eq!(line(b"a\x14"), "a|");
    assert_eq!(line(b"\x14"), "|");
    assert_eq!(line(b"ab\x01\x14"), "|ab");
}

#[test]
fn the_history_goes_back_and_forth_and_keeps_the_draft() {
    let up = "\x1B[A";
    let down = "\x1B[B";
    assert_eq!(lines(format!("one\ntwo\n{up}{up}\n").as_bytes()), ["one", "two", "one"]);
    assert_eq!(lines(format!("one\ndr{up}{down}aft\n").as_bytes()), ["one", "draft"]);
    assert_eq!(lines(format!("one\none\ntwo\ntwo\n{up}{up}\n").as_bytes())[4], "one");
    // Four lines are kept; further back the bell rings and the oldest stays.
    let all = lines(format!("a\nb\nc\nd\ne\n{up}{up}{up}{up}{up}{up}\n").as_bytes());
    assert_eq!(all[5], "b");
    // A line of the history that was changed and left is as it was; the draft is empty.
    assert_eq!(lines(format!("one\n{up}x{up}{down}\n{up}\n").as_bytes()), ["one", "", "one"]);
}

#[test]
fn numbers_of_the_history_go_on() {
    let mut editor = Small::new("");
    feed(&mut editor, b"a\nb\nb\nc\nd\ne\n", &mut Screen::default());
    let all: Vec<_> = editor.history.iter().collect();
    assert_eq!(all, [(2, "b"), (3, "c"), (4, "d"), (5, "e")]);
}

#[test]
fn a_tab_completes_as_far_as_it_is_clear() {
    assert_eq!(line(b"l\t"), "ls |");
    assert_eq!(line(b"ls /B\t"), "ls /Boot/|");
    assert_eq!(line(b"x l\tx"), "x ls x|");
    assert_eq!(line("hö\thm".as_bytes()), "höhm|");
    let (mut editor, mut screen) = (Small::new("> "), Screen::default());
    feed(&mut editor, b"h\t", &mut screen);
    assert_eq!((editor.line(), screen.bells, screen.text().as_str()), ("h", 1, "> h"));
    feed(&mut editor, b"zz\t", &mut screen);
    assert_eq!((editor.line(), screen.bells), ("hzz", 2));
}

#[test]
fn control_c_discards_and_control_d_ends_only_an_empty_line() {
    assert_eq!(lines(b"abc\x03def\n"), ["<cancelled>", "def"]);
    assert_eq!(lines(b"\x04"), ["<eof>"]);
    assert_eq!(lines(b"a\x04\n"), ["a"]);
    assert_eq!(lines(b"a\n\x04"), ["a", "<eof>"]);
}

#[test]
fn a_full_line_rings_and_takes_no_more() {
    let (mut editor, mut screen) = (Small::new(""), Screen::default());
    feed(&mut editor, &[b'x'; MAX - 1], &mut screen);
    assert_eq!(screen.bells, 0);
    feed(&mut editor, "ä".as_bytes(), &mut screen);
    assert_eq!((editor.line().len(), screen.bells), (MAX - 1, 1));
    assert_eq!(feed(&mut editor, b"xy\n", &mut screen), ["x".repeat(MAX)]);
    assert_eq!(screen.bells, 2);
}

#[test]
fn damaged_sequences_and_characters_are_dropped() {
    assert_eq!(line(b"a\x1B[999;999;999zb"), "ab|");
    assert_eq!(line(b"a\x1B[12\x1B[Db"), "b|a");
    assert_eq!(lines(b"a\x1B[1\nb\x1B\nc\xE2\x82\n"), ["a", "b", "c"]);
    assert_eq!(line(b"a\xFF\xC0\x80\xED\xA0\x80b"), "ab|");
    assert_eq!(line(b"a\xC3b"), "ab|");
    assert_eq!(line(b"\x1B[200~pasted\x1B[201~"), "pasted|");
    assert_eq!(line("\u{85}x".as_bytes()), "x|");
    assert_eq!(line(b"\x00\x1Cx"), "x|");
}

#[test]
fn control_l_shows_the_line_again() {
    let (mut editor, mut screen) = (Small::new("> "), Screen::default());
    feed(&mut editor, b"abc\x02\x0C", &mut screen);
    assert_eq!((screen.text().as_str(), screen.at), ("> abc", 4));
}

#[test]
fn lines_that_are_ended_in_their_middle_are_whole() {
    let (mut editor, mut screen) = (Small::new(""), Screen::default());
    assert_eq!(feed(&mut editor, b"ab\x02\n", &mut screen), ["ab"]);
    assert!(screen.text().is_empty());
}
