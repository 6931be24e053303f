//! `nexus.h` against the crate that it is generated from, and against a compiler for C.
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use abi::call::{self, COST_J, Error, number, op, want};
use abi::cap::{self, Kind, slot, verb};
use abi::{boot, pledge, prov, ring, stats, systable, vfs};
use nexus::header::{self, COMMITTED};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn generated() -> String {
    header::generate(root()).expect("the contract is readable")
}

#[test]
fn the_copy_in_the_tree_is_current() {
    assert!(
        header::is_current(root()).expect("a copy"),
        "{COMMITTED} is not what abi/ says: ./nexus header --output {COMMITTED}"
    );
}

/// The value that the header gives a number.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("#define {name} ")))?;
    let digits = line.trim_end_matches(['u', 'l']);
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

#[test]
fn numbers_are_those_of_the_crate() {
    let text = generated();
    let all: &[(&str, u64)] = &[
        ("NX_CALL_NUMBER_PROV", number::PROV as u64),
        ("NX_CALL_WANT_DEAD", want::DEAD.into()),
        ("NX_CALL_OP_FIBER_RELEASE", op::FIBER_RELEASE as u64),
        ("NX_CALL_ARGS_MAX", call::ARGS_MAX as u64),
        ("NX_CALL_REVOKE", call::REVOKE as u64),
        ("NX_CAP_SLOT_FACTORY", slot::FACTORY.into()),
        ("NX_CAP_VERB_GRANT", verb::GRANT.into()),
        ("NX_CAP_KIND_POWER", Kind::POWER.0.into()),
        ("NX_CAP_NEVER", cap::NEVER),
        ("NX_PLEDGE_AUDIT", pledge::AUDIT),
        ("NX_PLEDGE_BITS", pledge::BITS),
        ("NX_PROV_KIND_APPLICATION", prov::kind::APPLICATION.into()),
        ("NX_RING_WELL_KNOWN_VFS", ring::well_known::VFS.into()),
        ("NX_STATS_END_PANIC", stats::end::PANIC.into()),
        ("NX_SYSTABLE_ADDRESS_AARCH64", systable::ADDRESS_AARCH64),
        ("NX_VFS_OP_LIST", vfs::op::LIST.into()),
        ("NX_BOOT_VIRT_SYSTABLE", boot::virt::SYSTABLE),
        ("NX_BOOT_VIRT_RAM_LEN", boot::virt::RAM_LEN),
        ("NX_BOOT_INDEX_MAGIC", boot::INDEX_MAGIC.into()),
    ];
    for (name, wanted) in all {
        assert_eq!(value(&text, name), Some(*wanted), "{name}");
    }
    for error in Error::ALL {
        assert!(text.contains(&format!(" = {},", error as isize)), "{error:?}");
    }
    assert!(text.contains("    NX_BAD_ADDRESS = -3,"));
    assert_eq!(number::NAMES.len(), COST_J.len());
}

#[test]
fn nothing_of_the_contract_is_left_out() {
    let contract = header::read(root()).expect("the contract is readable");
    // The golden tests of abi count in the same way.
    assert!(contract.numbers.len() > 200, "{}", contract.numbers.len());
    assert!(contract.records.len() >= 36, "{}", contract.records.len());
    assert_eq!(contract.errors.len(), Error::ALL.len());
    let text = generated();
    for name in number::NAMES {
        assert!(text.contains(&format!(" nx_{name}(")), "no function for {name}");
    }
}

/// Compiles `source` with the host's compiler, which has the same sizes; what it says if it refuses.
fn compile(folder: &Path, source: &str) -> Result<(), String> {
    let file = folder.join("t.c");
    std::fs::write(&file, source).expect("a file");
    std::fs::write(folder.join("nexus.h"), generated()).expect("a file");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]);
    let out = command.arg(&file).output().expect("there is a compiler");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    if out.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_compiler_finds_the_layouts_that_it_asserts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut source = String::from("#include \"nexus.h\"\n");
    // Once more from the crate itself, not from the text that the header was made from.
    for (name, record) in [
        ("nx_spawn", call::Spawn::FIELDS),
        ("nx_map_info", call::MapInfo::FIELDS),
        ("nx_fiber_stats", stats::FiberStats::FIELDS),
        ("nx_sys_table", systable::SysTable::FIELDS),
        ("nx_service", boot::Service::FIELDS),
    ] {
        for field in record {
            let (f, at, len) = (field.name, field.offset, field.len);
            let _ = writeln!(
                source,
                "_Static_assert(offsetof(struct {name}, {f}) == {at}, \"\");\n\
                 _Static_assert(sizeof(((struct {name} *)0)->{f}) == {len}, \"\");"
            );
        }
    }
    assert_eq!(compile(folder.path(), &source), Ok(()));
    let wrong = "_Static_assert(sizeof(struct nx_spawn) == 127, \"\");\n";
    compile(folder.path(), &(source + wrong)).expect_err("a size that is wrong is found");
}
