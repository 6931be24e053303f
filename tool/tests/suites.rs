//! The suites of `nexus test` name what is there.
#![forbid(unsafe_code)]
use std::path::Path;

use nexus::suite::{self, SUITES};
use nexus::workspace::Workspace;

fn workspace() -> Workspace {
    Workspace::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("the tree")
}

#[test]
fn what_a_suite_names_exists() {
    let workspace = workspace();
    for suite in &SUITES {
        for folder in suite.folders {
            let held = workspace.folders.values().any(|f| Path::new(f).starts_with(folder));
            assert!(held, "{}: no host package under {folder}", suite.name);
        }
        for name in suite.system {
            let tests = workspace.root.join("tests/system/tests");
            let there = tests.join(name).with_extension("rs").is_file()
                || tests.join(name).join("main.rs").is_file();
            assert!(there, "{}: no system test {name}", suite.name);
        }
        assert_eq!(suite::find(suite.name), Some(suite));
    }
    assert_eq!(suite::find("kernel_"), None);
}

#[test]
fn every_crate_below_rumpk_is_in_the_suite_kernel() {
    let workspace = workspace();
    let kernel = suite::find("kernel").expect("there is one");
    for name in ["rumpk", "cap", "sched", "ring", "arch"] {
        assert!(kernel.holds(&workspace.folders[name]), "{name}");
    }
    assert!(!kernel.holds(&workspace.folders["bundle"]));
    assert!(!kernel.holds("rumpkin"), "a folder is a whole part of the path");
}
