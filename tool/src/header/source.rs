//! What the crate `abi` declares, read from its source: numbers, records, errors, with what their comments
//! say. The crate is written in one plain style (one declaration a line), which its own tests rely on, too.
use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::{Context, Failure};

/// A number of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Full name in Rust, `call::want::READABLE`.
    pub path: String,
    /// Its value.
    pub value: u64,
    /// What its comment says, on one line; may be empty.
    pub says: String,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the record's start.
    pub offset: u64,
    /// Its name.
    pub name: String,
    /// Bits of an element, whether it is signed, and how many elements there are if it is an array.
    pub kind: (u32, bool, Option<u64>),
    /// What its comment says.
    pub says: String,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name in Rust.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// What its comment says.
    pub says: String,
}

/// Everything that the contract declares, in the order of its files.
#[derive(Debug, Default)]
pub struct Contract {
    /// Numbers, but for errors.
    pub numbers: Vec<Number>,
    /// Records.
    pub records: Vec<Record>,
    /// Errors: their names in Rust, -1 first.
    pub errors: Vec<(String, String)>,
}

/// Files without a meaning outside Rust.
const LEFT_OUT: [&str; 1] = ["record"];

/// Reads the contract of the tree at `root`.
///
/// # Errors
/// A file that cannot be read, a declaration in another style.
pub fn read(root: &Path) -> Result<Contract, Failure> {
    let mut files = Vec::new();
    collect(&root.join("abi/src"), None, &mut files)?;
    files.sort();
    let mut out = Contract::default();
    for (module, text) in &files {
        let mut reader =
            Reader { module, inner: String::new(), says: String::new(), out: &mut out };
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            reader.line(line, &mut lines).map_err(|why| {
                Failure::new(format!("abi/src: module `{module}`: {why}: {}", line.trim()))
            })?;
        }
    }
    Ok(out)
}

/// A module hands out what lies in its folder as its own.
fn collect(
    folder: &Path,
    module: Option<&str>,
    out: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    let what = || format!("read {}", folder.display());
    for entry in std::fs::read_dir(folder).context(what)? {
        let path = entry.context(what)?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = module.unwrap_or(&stem);
        if path.is_dir() {
            collect(&path, Some(name), out)?;
        } else if !LEFT_OUT.contains(&stem.as_str()) {
            out.push((name.to_owned(), std::fs::read_to_string(&path).context(what)?));
        }
    }
    Ok(())
}

struct Reader<'a> {
    module: &'a str,
    inner: String,
    says: String,
    out: &'a mut Contract,
}

impl Reader<'_> {
    fn line<'t>(
        &mut self,
        line: &'t str,
        rest: &mut impl Iterator<Item = &'t str>,
    ) -> Result<(), String> {
        let plain = line.trim_start();
        if let Some(text) = plain.strip_prefix("///") {
            add(&mut self.says, text);
            return Ok(());
        }
        let says = std::mem::take(&mut self.says);
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(" {")) {
            self.inner = format!("{name}::");
        } else if let Some(name) = line.strip_prefix("impl ").and_then(|l| l.strip_suffix(" {")) {
            self.inner = format!("{name}::");
        } else if line.starts_with('}') {
            self.inner.clear();
        } else if line == "record! {" {
            let record = record(rest)?;
            self.out.records.push(record);
        } else if line == "pub enum Error {" {
            self.errors(rest);
        } else if let Some(constant) = plain.strip_prefix("pub const ") {
            self.number(constant, says)?;
        } else if plain.starts_with("#[") {
            // An attribute stands between the comment and what it is about.
            self.says = says;
        }
        Ok(())
    }

    fn errors<'t>(&mut self, rest: &mut impl Iterator<Item = &'t str>) {
        let mut says = String::new();
        for line in rest.map(str::trim).take_while(|l| *l != "}") {
            if let Some(text) = line.strip_prefix("///") {
                add(&mut says, text);
                continue;
            }
            let name = line.split(' ').next().unwrap_or_default();
            self.out.errors.push((name.to_owned(), std::mem::take(&mut says)));
        }
    }

    /// `NAME: type = value;`; functions, texts and lists are none.
    fn number(&mut self, constant: &str, says: String) -> Result<(), String> {
        let Some((name, kind)) = constant.split_once(": ") else { return Ok(()) };
        let Some((kind, value)) = kind.split_once(" = ") else { return Ok(()) };
        if !["u8", "u16", "u32", "u64", "usize", "Self"].contains(&kind) || name.contains(' ') {
            return Ok(());
        }
        let value = value.trim_end_matches(';');
        let value = value.strip_prefix("Self(").and_then(|v| v.strip_suffix(')')).unwrap_or(value);
        let value = self.evaluate(value).ok_or("a value in another style")?;
        let path = format!("{}::{}{name}", self.module, self.inner);
        self.out.numbers.push(Number { path, value, says });
        Ok(())
    }

    fn evaluate(&self, text: &str) -> Option<u64> {
        if let Some((group, rest)) = text.strip_prefix('(').and_then(|t| t.split_once(") - ")) {
            return self.evaluate(group)?.checked_sub(self.evaluate(rest)?);
        }
        if let Some((base, shift)) = text.split_once(" << ") {
            return self.evaluate(base)?.checked_shl(self.evaluate(shift)? as u32);
        }
        if text.ends_with("::MAX") {
            return Some(u64::MAX);
        }
        let digits = text.replace('_', "");
        match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok().or_else(|| self.known(text)),
        }
    }

    /// A number that was declared before, in this module or, by its full path, in another.
    fn known(&self, text: &str) -> Option<u64> {
        let here = format!("{}::{text}", self.module);
        let path = text.strip_prefix("crate::").unwrap_or(&here);
        let found = self.out.numbers.iter().find(|n| n.path == path);
        found.map(|n| n.value).or_else(|| ADDRESSES.get_key_value(path).map(|(_, v)| *v))
    }
}

/// Numbers used in a file that comes before their own.
static ADDRESSES: std::sync::LazyLock<BTreeMap<&str, u64>> = std::sync::LazyLock::new(|| {
    BTreeMap::from([
        ("systable::MAGIC", u64::from(abi::systable::MAGIC)),
        ("systable::ADDRESS_AARCH64", abi::systable::ADDRESS_AARCH64),
    ])
});

/// Adds a line of a comment; what is a link in Rust's documentation is a plain name in C's.
fn add(says: &mut String, text: &str) {
    if !says.is_empty() {
        says.push(' ');
    }
    let text = text.trim().replace("[`crate::", "[`");
    says.push_str(&text.replace("[`", "").replace("`]", "").replace('`', ""));
}

/// The inside of `record! { ... }`.
fn record<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Result<Record, String> {
    let mut out = Record { name: String::new(), size: 0, fields: Vec::new(), says: String::new() };
    let mut says = String::new();
    for line in lines {
        let plain = line.trim();
        if let Some(text) = plain.strip_prefix("///") {
            add(&mut says, text);
        } else if let Some(head) = plain.strip_suffix(" {") {
            let (name, size) = head.split_once(": ").ok_or("a record without a size")?;
            name.clone_into(&mut out.name);
            out.size = size.parse().map_err(|_| "a size that is no number")?;
            out.says = std::mem::take(&mut says);
        } else if line == "}" {
            return Ok(out);
        } else if let Some(text) = plain.strip_suffix(',') {
            out.fields.push(field(text, std::mem::take(&mut says))?);
        }
    }
    Err("a record without an end".into())
}

/// `0x10 entries: [u64; 13]`.
fn field(text: &str, says: String) -> Result<Field, String> {
    let parts = text.split_once(' ').and_then(|(at, rest)| Some((at, rest.split_once(": ")?)));
    let (offset, (name, kind)) = parts.ok_or("a field in another style")?;
    let offset = match offset.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => offset.parse(),
    };
    let inner = kind.strip_prefix('[').and_then(|k| k.strip_suffix(']'));
    let (element, count) = match inner.and_then(|i| i.split_once("; ")) {
        Some((element, count)) => (element, Some(count.parse().map_err(|_| "a length")?)),
        None => (kind, None),
    };
    let (sign, bits) = element.split_at(1);
    let bits = bits.parse().map_err(|_| "a type of another kind")?;
    let offset = offset.map_err(|_| "an offset that is no number")?;
    Ok(Field { offset, name: name.to_owned(), kind: (bits, sign == "i", count), says })
}
