//! The allowed layering as a table, and what violates it.
#![forbid(unsafe_code)]
use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package};
use serde::Deserialize;

/// What a package may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Packages of the workspace it may use.
    pub ours: BTreeSet<String>,
    /// Packages from outside it may use.
    pub foreign: BTreeSet<String>,
    /// It runs on the host and may use anything from outside.
    pub host: bool,
    /// It may hold unsafe code.
    #[serde(rename = "unsafe")]
    pub may_be_unsafe: bool,
}

/// Rules by package.
pub type Table = BTreeMap<String, Rule>;

/// Each violation as one line; empty if the tree is as the table says.
#[must_use]
pub fn violations(table: &Table, metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let names: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let gone = table.keys().filter(|name| !names.contains(name.as_str()));
    let mut out: Vec<String> = gone.map(|name| format!("{name}: no such package")).collect();
    for package in &packages {
        match table.get(package.name.as_str()) {
            None => out.push(format!("{}: not in the table", package.name)),
            Some(rule) => out.extend(of_package(rule, package, &names)),
        }
    }
    out
}

fn of_package(rule: &Rule, package: &Package, ours: &BTreeSet<&str>) -> Vec<String> {
    let mut out = Vec::new();
    for dependency in &package.dependencies {
        let name = &dependency.name;
        let allowed = if ours.contains(name.as_str()) {
            rule.ours.contains(name)
        } else {
            rule.host || rule.foreign.contains(name)
        };
        if dependency.kind != DependencyKind::Development && !allowed {
            out.push(format!("{} may not depend on {name}", package.name));
        }
    }
    for feature in package.features.keys().filter(|_| !rule.host) {
        out.push(format!("{}: feature `{feature}`; variation is another program", package.name));
    }
    out
}

/// Root files of libraries and programs that ought to forbid unsafe code and do not.
///
/// # Errors
/// A root file that cannot be read.
pub fn unforbidden(table: &Table, metadata: &Metadata) -> std::io::Result<Vec<String>> {
    let mut out = Vec::new();
    for package in metadata.workspace_packages() {
        if table.get(package.name.as_str()).is_some_and(|r| r.may_be_unsafe) {
            continue;
        }
        for target in package.targets.iter().filter(|t| t.is_lib() || t.is_bin()) {
            let text = std::fs::read_to_string(&target.src_path)?;
            if !text.contains("#![forbid(unsafe_code)]") {
                out.push(format!("{} does not forbid unsafe code", target.src_path));
            }
        }
    }
    Ok(out)
}
