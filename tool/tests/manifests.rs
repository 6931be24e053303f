//! The corpus under `tests/manifests`: each broken file says what is expected and on which line.
#![forbid(unsafe_code)]

mod forge;

use std::path::{Path, PathBuf};

use nexus::{
    pack,
    profile::{self, schema},
    report::Reports,
};

fn corpus(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&path)
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "kdl"))
        .collect();
    files.sort();
    files
}

/// The value of the comment `// key: value`.
fn comment(text: &str, key: &str) -> String {
    let start = format!("// {key}: ");
    let line = text.lines().find_map(|l| l.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no `{start}`")).to_owned()
}

/// What is wrong with how `reports` answers `path`, if anything.
fn verdict(path: &Path, reports: &Reports) -> Result<(), String> {
    let text = String::from_utf8_lossy(&std::fs::read(path).expect("readable")).into_owned();
    let (expect, line) = (comment(&text, "expect"), comment(&text, "at"));
    let name = path.file_name().expect("a file").to_string_lossy();
    let found = reports.0.iter().find(|r| r.message.contains(&expect));
    let report = found.ok_or_else(|| format!("`{expect}` is not said, but:\n{reports}"))?;
    let spot = report.at.as_ref().ok_or("the report has no place")?;
    if spot.line().to_string() != line {
        return Err(format!("line {} instead of {line}:\n{reports}", spot.line()));
    }
    let shown = report.render(false);
    let arrow = format!("{name}:{line}:{}", spot.column());
    if !shown.contains(&arrow) || !shown.contains('^') {
        return Err(format!("no `{arrow}` or no caret:\n{shown}"));
    }
    // The caret stands in the column that the arrow names.
    let gutter =
        shown.lines().find(|l| l.trim_start().starts_with("-->")).and_then(|l| l.find("-->"));
    let caret = shown.lines().find(|l| l.contains('^')).and_then(|l| l.find('^'));
    let column = gutter.zip(caret).map(|(g, c)| c + 1 - (g + 3));
    // The line of a long one is cut on the left.
    if column != Some(spot.column()) && !shown.contains("| ...") {
        return Err(format!("the caret stands in column {column:?}:\n{shown}"));
    }
    match &report.help {
        Some(help) if !help.is_empty() => Ok(()),
        _ => Err(format!("nothing says how to mend it:\n{shown}")),
    }
}

#[test]
fn every_broken_manifest_is_explained() {
    let files = corpus("broken");
    assert!(files.len() >= 40, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in &files {
        let result = match profile::load(path) {
            Ok(_) => Err("it passed".to_owned()),
            Err(reports) => verdict(path, &reports),
        };
        if let Err(why) = result {
            wrong.push(format!("== {}: {why}", path.file_name().expect("a file").display()));
        }
    }
    println!("{} broken manifests, {} explained", files.len(), files.len() - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn good_manifests_pass() {
    for path in corpus("good") {
        if let Err(reports) = profile::load(&path) {
            panic!("{}:\n{reports}", path.display());
        }
    }
}

/// Each byte of a good manifest in turn is another; nothing may panic.
#[test]
fn one_changed_byte_never_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(&corpus("good")[0]).expect("readable");
    let mut refused = 0;
    for at in 0..source.len() {
        let mut bytes = source.clone();
        bytes[at] = [b'"', b'{', b'\\', 0, 0xff, b'9'][at % 6];
        let path = folder.path().join("x.kdl");
        std::fs::write(&path, bytes).expect("writable");
        if let Err(reports) = profile::load(&path) {
            refused += 1;
            assert!(!reports.0.is_empty());
            assert!(!reports.render(true).is_empty());
        }
    }
    assert!(refused > source.len() / 3, "{refused} of {} refused", source.len());
}

/// Each number of a good manifest in turn becomes an extreme one: sums must not wrap.
#[test]
fn extreme_numbers_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(&corpus("good")[0]).expect("readable");
    let corpus = format!("\"{}/../tests/manifests/", env!("CARGO_MANIFEST_DIR"));
    let text = text.replace("\"../", &corpus);
    let words: Vec<&str> = text.split_inclusive([' ', '=', '\n', ';']).collect();
    let is_number = |w: &str| w.starts_with(|c: char| c.is_ascii_digit());
    let (mut numbers, mut refused) = (0, 0);
    for at in (0..words.len()).filter(|&at| is_number(words[at])) {
        numbers += 1;
        for extreme in [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX - 4096, u64::MAX] {
            let number = words[at].trim_end_matches([' ', '\n', ';']);
            let changed = words[at].replace(number, &extreme.to_string());
            let text = [&words[..at], &[changed.as_str()], &words[at + 1..]].concat().concat();
            let path = folder.path().join("x.kdl");
            std::fs::write(&path, text).expect("writable");
            refused += u32::from(profile::load(&path).is_err());
        }
    }
    assert!(numbers > 12 && refused > 5 * numbers, "{refused} refused of 7 times {numbers}");
}

/// The packed images that the corpus names, made again: the files in the tree are these bytes.
#[test]
fn images_of_the_corpus_are_what_pack_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/images");
    let elf = forge::Elf::image(&forge::manifest("good", "npk")).bytes();
    let good = pack::image(&elf).expect("packs");
    let mut altered = good.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let truncated = good[..good.len() - 8].to_vec();
    for (name, bytes) in [("good", &good), ("altered", &altered), ("truncated", &truncated)] {
        let path = folder.join(name).with_extension("nxi");
        if std::env::var_os("NEXUS_BLESS").is_some() {
            std::fs::write(&path, bytes).expect("writable");
        }
        assert_eq!(&std::fs::read(&path).expect("there"), bytes, "{name}");
    }
}

/// Every node and property of the schema stands in the reference, in the schema's order and words.
#[test]
fn reference_names_every_node() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md");
    let page = std::fs::read_to_string(page).expect("docs/manifest.md");
    let mut rows = Vec::new();
    schema::rows(schema::PROFILE, &mut rows);
    schema::rows(schema::IMAGE, &mut rows);
    let shown: Vec<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
    for (row, shown) in rows.iter().zip(&shown) {
        assert_eq!(shown, row, "left: docs/manifest.md, right: the schema");
    }
    assert_eq!(shown.len(), rows.len(), "docs/manifest.md has another number of rows");
}
