//! What counts as a line of code.
use nexus::size::lines::{of_assembly, of_rust};

#[test]
fn blanks_and_comments_do_not_count() {
    assert_eq!(of_rust(""), 0);
    assert_eq!(of_rust("\n   \n\t\n"), 0);
    assert_eq!(of_rust("// a\n//! b\n/// c\nfn f() {} // d\n"), 1);
    assert_eq!(of_rust("/* a\n b /* nested */\n */ fn f() {}\n"), 1);
}

#[test]
fn comment_marks_in_strings_are_code() {
    assert_eq!(of_rust("const A: &str = \"// no\";\nconst B: &str = \"/*\";\nfn f() {}\n"), 3);
    assert_eq!(of_rust("const A: &str = r#\"\"/*\"#;\nfn f() {}\n"), 2);
    assert_eq!(of_rust("const A: char = '\"';\n// no\nfn f<'a>() {}\n"), 2);
}

#[test]
fn every_line_of_a_string_counts() {
    assert_eq!(of_rust("asm!(\"\n  nop\n\n  nop\n\");\n"), 5);
}

#[test]
fn lines_without_a_newline_at_the_end_count() {
    assert_eq!(of_rust("fn f() {}\nfn g() {}"), 2);
}

#[test]
fn assembly_has_its_own_comments() {
    assert_eq!(of_assembly("// a\nnop // b\n/* c\n d */ nop\n\n#define X\n/* open"), 3);
}
