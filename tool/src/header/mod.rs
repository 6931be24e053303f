//! `nexus.h`: the contract for C, generated from the crate `abi`.
//!
//! Names follow one rule, so that whoever knows one side finds the other: a number is its path in Rust in
//! capitals (`call::want::READABLE` is `NX_CALL_WANT_READABLE`), a record its name in small letters
//! (`FiberStats` is `struct nx_fiber_stats`).
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::failure::{Context, Failure};
pub use source::{Contract, Field, Number, Record, read};

/// Where the tree keeps a copy.
pub const COMMITTED: &str = "npk/c/nexus.h";
/// What does not depend on the contract's numbers: includes, types, the 13 calls.
const CALLS: &str = include_str!("calls.h");
/// Columns of a comment.
const WIDTH: usize = 96;

/// The header of the tree at `root`.
///
/// # Errors
/// A contract that cannot be read, or two things of one name.
pub fn generate(root: &Path) -> Result<String, Failure> {
    let contract = read(root)?;
    let (head, tail) = CALLS
        .split_once("/* The numbers and records stand here. */\n")
        .ok_or_else(|| Failure::new("calls.h has no place for numbers and records"))?;
    let mut names = BTreeSet::new();
    let mut out = head.to_owned();
    errors(&mut out, &contract, &mut names);
    for number in &contract.numbers {
        define(&mut out, number, &mut names);
    }
    for record in &contract.records {
        structure(&mut out, record, &mut names);
    }
    out.push_str(tail);
    let count = contract.errors.len() + contract.numbers.len() + contract.records.len();
    if names.len() == count {
        Ok(out)
    } else {
        Err(Failure::new("two things of the contract have one name in C"))
    }
}

/// Whether the tree's copy is what would be generated.
///
/// # Errors
/// As [`generate`], or no copy.
pub fn is_current(root: &Path) -> Result<bool, Failure> {
    let path = root.join(COMMITTED);
    let copy = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    Ok(copy == generate(root)?)
}

/// `WaitEntry` as `wait_entry`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn comment(out: &mut String, indent: &str, says: &str) {
    if says.is_empty() {
        return;
    }
    let mut line = format!("{indent}/* ");
    let mut first = true;
    for word in says.split_whitespace() {
        if !first && line.len() + word.len() + 4 > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = format!("{indent} * ");
        }
        first = false;
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "{line}*/");
}

fn errors(out: &mut String, contract: &Contract, names: &mut BTreeSet<String>) {
    out.push_str(
        "/* Why a call did nothing: the status in struct nx_result. */\nenum nx_error {\n",
    );
    for (i, (name, says)) in contract.errors.iter().enumerate() {
        comment(out, "    ", says);
        let name = format!("NX_{}", snake(name).to_uppercase());
        let _ = writeln!(out, "    {name} = -{},", i + 1);
        names.insert(name);
    }
    out.push_str("};\n\n");
}

fn define(out: &mut String, number: &Number, names: &mut BTreeSet<String>) {
    comment(out, "", &number.says);
    let path = number.path.replace("::", "_");
    let name = format!("NX_{}", path.to_uppercase());
    let value = match number.value {
        small @ 0..0x1_0000 => small.to_string(),
        middle @ 0..0x1_0000_0000 => format!("0x{middle:X}u"),
        large => format!("0x{large:X}ull"),
    };
    let _ = writeln!(out, "#define {name} {value}");
    names.insert(name);
}

fn structure(out: &mut String, record: &Record, names: &mut BTreeSet<String>) {
    let name = format!("nx_{}", snake(&record.name));
    out.push('\n');
    comment(out, "", &record.says);
    let _ = writeln!(out, "struct {name} {{");
    for field in &record.fields {
        let (bits, signed, count) = field.kind;
        comment(out, "    ", &field.says);
        let sign = if signed { "" } else { "u" };
        let array = count.map_or(String::new(), |n| format!("[{n}]"));
        let _ = writeln!(out, "    {sign}int{bits}_t {}{array};", field.name);
    }
    out.push_str("};\n");
    let _ = writeln!(out, "_Static_assert(sizeof(struct {name}) == {}, \"size\");", record.size);
    for Field { name: field, offset, .. } in &record.fields {
        let _ = writeln!(
            out,
            "_Static_assert(offsetof(struct {name}, {field}) == {offset}, \"{field}\");"
        );
    }
    names.insert(name);
}
