//! Lines of code: those that hold something besides blanks and comments. Documentation is comment.
use std::path::Path;

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

use crate::failure::{Context, Failure};

/// Counts a folder with all below it: Rust, assembly and link scripts. Tests in files of their own
/// (`tests.rs`, `*_tests.rs`, folders `tests`) do not boot and do not count.
pub fn of_folder(folder: &Path) -> Result<u64, Failure> {
    let entries = std::fs::read_dir(folder).context(|| format!("read {}", folder.display()))?;
    let mut count = 0;
    for entry in entries {
        let path = entry.context(|| format!("read {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == "tests" || name.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            count += of_folder(&path)?;
            continue;
        }
        let counter: fn(&str) -> u64 = match path.extension().and_then(|e| e.to_str()) {
            Some("rs") => of_rust,
            Some("s" | "S" | "ld") => of_assembly,
            _ => continue,
        };
        let text = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
        count += counter(&text);
    }
    Ok(count)
}

/// Lines of Rust, by the compiler's own lexer.
#[must_use]
pub fn of_rust(text: &str) -> u64 {
    let mut marks = Marks::new(text);
    let mut at = 0;
    for token in tokenize(text, FrontmatterAllowed::No) {
        let end = at + token.len as usize;
        match token.kind {
            TokenKind::Whitespace
            | TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. } => {}
            _ => marks.mark(at, end),
        }
        at = end;
    }
    marks.count()
}

/// Lines of assembly or of a link script: `//` and `/* */` begin comments, strings do not matter.
#[must_use]
pub fn of_assembly(text: &str) -> u64 {
    let mut marks = Marks::new(text);
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |i| i + 2)
        } else {
            let len = rest.chars().next().map_or(1, char::len_utf8);
            if !rest.starts_with(char::is_whitespace) {
                marks.mark(at, at + len);
            }
            len
        };
        at += skip;
    }
    marks.count()
}

/// Which lines of a text hold code.
struct Marks<'a> {
    text: &'a str,
    code: Vec<bool>,
    /// Offset up to which lines were counted, and the line there.
    at: (usize, usize),
}

impl<'a> Marks<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, code: vec![false; text.matches('\n').count() + 1], at: (0, 0) }
    }

    fn mark(&mut self, start: usize, end: usize) {
        let first = self.at.1 + self.text[self.at.0..start].matches('\n').count();
        // A string over several lines: its blank lines count as they are bytes of the program.
        let last = first + self.text[start..end].matches('\n').count();
        self.code[first..=last].fill(true);
        self.at = (end, last);
    }

    fn count(&self) -> u64 {
        self.code.iter().filter(|&&c| c).count() as u64
    }
}
