//! An application cannot tell `core` from `micro`: everything it can observe is the same but for what
//! `masked.txt` lists.
use std::collections::{BTreeMap, BTreeSet};

use system::session::{answers, profile, script};
use system::{Boot, built, expect_exit};

/// Names of what may differ, each with its reason.
const MASKED: &str = include_str!("../masked.txt");
/// Reasons that are allowed.
const REASONS: [&str; 5] = ["wall clock", "random", "counter", "energy", "statistics"];
/// Fewest observations of a whole transcript.
const LEAST: usize = 900;

/// Lines `name = value` in their order.
type Transcript = Vec<(String, String)>;

fn masked() -> BTreeMap<&'static str, &'static str> {
    let lines = MASKED.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    let pairs: Vec<_> = lines.map(|l| l.split_once(' ').expect("a reason")).collect();
    let map: BTreeMap<_, _> = pairs.iter().map(|(name, why)| (*name, why.trim())).collect();
    assert_eq!(map.len(), pairs.len(), "a name stands there twice");
    map
}

/// What the probe printed on a machine; its own lines only.
fn transcript(name: &str) -> Transcript {
    let typed = script(["run probe one two=2", "poweroff"]);
    let outcome = Boot::of(&built(&profile(name))).counted().script(typed).run();
    expect_exit(&outcome, 0);
    let all = answers(&outcome);
    let lines = &all[0].lines;
    let own = lines.iter().position(|l| l == "end = 1");
    let own = own.unwrap_or_else(|| panic!("the probe ended before its end: {lines:#?}"));
    assert_eq!(lines[own + 1..], ["probe: exit 0"]);
    lines[..own]
        .iter()
        .map(|l| l.split_once(" = ").unwrap_or_else(|| panic!("no observation: `{l}`")))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Every difference but those in `masked`.
fn differences(one: &Transcript, other: &Transcript, masked: &BTreeSet<&str>) -> Vec<String> {
    let same = |left: &(String, String), right: &(String, String)| {
        left.0 == right.0 && (left.1 == right.1 || masked.contains(left.0.as_str()))
    };
    let mut found = Vec::new();
    for at in 0..one.len().max(other.len()) {
        match (one.get(at), other.get(at)) {
            (Some(left), Some(right)) if same(left, right) => {}
            (left, right) => found.push(format!("{at}: {left:?}, {right:?}")),
        }
    }
    found
}

#[test]
fn an_application_cannot_tell_core_from_micro() {
    let masked = masked();
    for (name, why) in &masked {
        assert!(REASONS.contains(why), "`{name}`: `{why}` is no reason");
    }
    let (core, micro) = (transcript("probe-core"), transcript("probe-micro"));
    let names: BTreeSet<&str> = core.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), core.len(), "a name stands there twice");
    assert!(core.len() >= LEAST, "only {} observations", core.len());
    for name in masked.keys() {
        assert!(names.contains(name), "`{name}` is masked and never observed");
    }
    let table: usize = core
        .iter()
        .filter(|(name, _)| name.starts_with("systable.") && name != "systable.address")
        .map(|(_, value)| value.len() / 2)
        .sum();
    assert_eq!(table, abi::systable::SysTable::SIZE, "bytes of the SysTable");
    let masked = masked.into_keys().collect();
    let found = differences(&core, &micro, &masked);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_difference_is_found_unless_it_is_masked() {
    let pairs = |all: &[(&str, &str)]| -> Transcript {
        all.iter().map(|(n, v)| ((*n).to_string(), (*v).to_string())).collect()
    };
    let masked = BTreeSet::from(["time.now"]);
    let a = pairs(&[("time.now", "1"), ("self.fiber", "3")]);
    assert!(differences(&a, &a, &masked).is_empty());
    let later = pairs(&[("time.now", "2"), ("self.fiber", "3")]);
    assert!(differences(&a, &later, &masked).is_empty());
    assert_eq!(differences(&a, &later, &BTreeSet::new()).len(), 1);
    let other = pairs(&[("time.now", "1"), ("self.fiber", "4")]);
    assert_eq!(differences(&a, &other, &masked).len(), 1);
    let renamed = pairs(&[("time.then", "1"), ("self.fiber", "3")]);
    assert_eq!(differences(&a, &renamed, &masked).len(), 1);
    assert_eq!(differences(&a, &a[..1].to_vec(), &masked).len(), 1);
    assert_eq!(differences(&a[..1].to_vec(), &a, &masked).len(), 1);
}
