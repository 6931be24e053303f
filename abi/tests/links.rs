//! The texts of the tree: every relative link leads somewhere, and what the README calls shown has tests.
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `dir` that end in `end`, without what a build or a tool leaves behind.
fn files(dir: &Path, end: &str, out: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for path in entries.map(|entry| entry.expect("readable").path()) {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files(&path, end, out);
        } else if name.ends_with(end) {
            out.push(path);
        }
    }
}

/// Targets of `[text](target)` that are relative, without the part after `#`.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|t| !t.contains("://") && !t.starts_with('#')).map(bare).collect()
}

fn bare(target: &str) -> &str {
    target.split('#').next().unwrap_or("")
}

#[test]
fn relative_links_lead_somewhere() {
    let mut pages = Vec::new();
    files(&root(), ".md", &mut pages);
    assert!(pages.len() > 20, "the pages are found: {}", pages.len());
    for page in pages {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for link in links(&text) {
            let target = page.parent().expect("a page lies in a folder").join(link);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn what_the_readme_calls_shown_has_tests() {
    let text = fs::read_to_string(root().join("README.md")).expect("UTF-8");
    assert!(text.lines().count() <= 120, "the README has at most 120 lines");
    let rows: Vec<&str> = text.lines().filter(|l| l.contains("| shown")).collect();
    assert!(!rows.is_empty(), "the status table is found");
    for row in rows {
        let said = row.rsplit("| shown").next().unwrap_or("");
        let paths: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
        assert!(!paths.is_empty(), "{row}: names no test");
        for path in paths {
            let at = root().join(path);
            assert!(at.exists(), "{row}: there is no {path}");
            let mut sources = vec![at.clone()];
            if at.is_dir() {
                sources.clear();
                files(&at, ".rs", &mut sources);
            }
            let tests = |p: &PathBuf| fs::read_to_string(p).is_ok_and(|s| s.contains("#[test]"));
            assert!(sources.iter().any(tests), "{row}: {path} has no test");
        }
    }
}

#[test]
fn targets_are_read_out_of_a_page() {
    let text = "a [b](c.md), [d](https://e.f), [g](#h), [i](../j.md#k)";
    assert_eq!(links(text), ["c.md", "../j.md"]);
}
