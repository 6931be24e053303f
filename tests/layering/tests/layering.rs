//! The tree against the table, and the table's own teeth.
use cargo_metadata::{Metadata, MetadataCommand};
use layering::{Table, unforbidden, violations};

fn metadata() -> Metadata {
    let here = env!("CARGO_MANIFEST_DIR");
    MetadataCommand::new().current_dir(here).no_deps().exec().expect("cargo metadata")
}

fn table() -> Table {
    toml::from_str(include_str!("../allowed.toml")).expect("allowed.toml")
}

#[test]
fn dependencies_are_those_of_the_table() {
    assert_eq!(violations(&table(), &metadata()), Vec::<String>::new());
}

#[test]
fn unsafe_code_is_forbidden_where_it_is_not_listed() {
    assert_eq!(unforbidden(&table(), &metadata()).expect("sources"), Vec::<String>::new());
}

#[test]
fn a_dependency_that_is_not_allowed_is_found() {
    let mut table = table();
    table.get_mut("shell").expect("shell").ours.remove("rt");
    let found = violations(&table, &metadata());
    assert_eq!(found, ["shell may not depend on rt"]);
}

#[test]
fn a_package_without_a_rule_and_a_rule_without_a_package_are_found() {
    let mut table = table();
    let rule = table.remove("abi").expect("abi");
    table.insert("nothing".into(), rule);
    let found = violations(&table, &metadata());
    assert_eq!(found, ["nothing: no such package", "abi: not in the table"]);
}
