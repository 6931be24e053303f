//! What holds for every input.
use super::{MAX, Screen, Small, Words};
use crate::{Completer, Editor, Outcome};
use proptest::prelude::*;

/// Bytes that mean something more often than chance would have it.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|b| vec![b]),
        "[a-z ]{1,4}".prop_map(String::into_bytes),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        (0u8..27).prop_map(|b| vec![b]),
        "\x1B(\\[[0-9;]{0,4}[A-H~]|O[A-H]|[bf])".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No panic; the text is UTF-8 of at most `MAX` bytes without controls, the cursor stands
    /// between two characters, and the screen shows line and cursor.
    #[test]
    fn the_line_stays_whole_and_the_screen_shows_it(bytes in input()) {
        let (mut editor, mut screen) = (Small::new("$ "), Screen::default());
        let mut out = String::new();
        editor.prompt(&mut out);
        screen.show(&out);
        for byte in bytes {
            let mut out = String::new();
            let outcome = editor.feed(byte, &mut out, &mut Words);
            screen.show(&out);
            let (text, cursor) = editor.state();
            prop_assert!(text.len() <= MAX && text.is_char_boundary(cursor));
            prop_assert!(!text.chars().any(char::is_control));
            if matches!(outcome, Outcome::Line | Outcome::Cancelled) {
                let mut out = String::new();
                editor.prompt(&mut out);
                screen.show(&out);
                prop_assert_eq!(screen.text(), "$ ");
            } else if outcome == Outcome::More && screen.text() != "$ " {
                prop_assert_eq!(screen.text(), format!("$ {text}"));
                prop_assert_eq!(screen.at, 2 + text[..cursor].chars().count());
            }
        }
    }

    /// Plain text comes out as it went in.
    #[test]
    fn what_is_typed_is_what_is_read(words in "[ -~äöü€😀]{0,15}") {
        prop_assert_eq!(super::lines(format!("{words}\r\n").as_bytes()), [words]);
    }

    /// A completer's answers are foreign input: wild positions and texts do no harm.
    #[test]
    fn any_completer_will_do(
        start in 0usize..99,
        words in proptest::collection::vec(any::<String>(), 0..4),
    ) {
        struct Wild(usize, Vec<String>);
        impl Completer for Wild {
            fn complete(&mut self, _: &str, each: &mut dyn FnMut(&str)) -> usize {
                self.1.iter().for_each(|w| each(w));
                self.0
            }
        }
        let mut editor = Editor::<16, 2>::new("");
        let mut wild = Wild(start, words);
        for byte in "aäb\t\t".bytes() {
            editor.feed(byte, &mut String::new(), &mut wild);
        }
        let (text, cursor) = editor.state();
        prop_assert!(text.is_char_boundary(cursor) && !text.chars().any(char::is_control));
    }
}
