//! What the crate declares, read from its source, so that a test list that forgets something fails.
use std::{fs, path::Path};

/// Text of each source file with the name of its module; a module hands out what lies in its folder as its own.
fn files() -> Vec<(String, String)> {
    let mut out = files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None);
    out.retain(|(module, _)| module != "record");
    out.sort();
    out
}

fn files_in(dir: &Path, module: Option<&str>) -> Vec<(String, String)> {
    let paths = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("readable").path());
    paths
        .flat_map(|path| {
            let stem = path.file_stem().and_then(|s| s.to_str()).expect("ASCII name");
            let name = module.unwrap_or(if stem == "lib" { "abi" } else { stem });
            if path.is_dir() {
                return files_in(&path, Some(name));
            }
            vec![(name.to_owned(), fs::read_to_string(&path).expect("UTF-8"))]
        })
        .collect()
}

/// The word at the start of `s`, up to the first character that no identifier has.
fn word(s: &str) -> &str {
    s.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("")
}

/// Full names of all public integer constants (`call::number::META`) outside `impl` blocks.
pub fn constants() -> Vec<String> {
    let mut out = Vec::new();
    for (file, text) in files() {
        let mut inner = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("pub mod ").filter(|r| r.ends_with('{')) {
                inner = format!("{}::", word(rest));
            } else if line.starts_with("impl ") {
                inner = String::from("impl ");
            } else if line.starts_with('}') {
                inner.clear();
            }
            let Some(rest) = line.trim_start().strip_prefix("pub const ") else { continue };
            let (name, kind) = rest.split_once(": ").unwrap_or(("", ""));
            if ["u8", "u16", "u32", "u64", "usize"].contains(&word(kind))
                && word(name) == name
                && inner != "impl "
            {
                out.push(format!("{file}::{inner}{name}"));
            }
        }
    }
    out
}

/// Full names of all records (`systable::SysTable`).
pub fn records() -> Vec<String> {
    let mut out = Vec::new();
    for (file, text) in files() {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "record! {" {
                let head = lines.by_ref().find(|l| !l.trim_start().starts_with("//"));
                out.push(format!("{file}::{}", word(head.expect("a name follows").trim_start())));
            }
        }
    }
    out
}
