//! Capabilities that travel: the guest `grants` and its puppets do what the contract allows and what it forbids; each line
//! of theirs is one of its sentences.
use system::session::profile;
use system::{Boot, built, expect_exit};

/// Scenarios of the guest, by what it calls them.
const SCENES: [&str; 9] = [
    "given, used and revoked",
    "forged and refused",
    "the fifth waits for room",
    "four hops and no more",
    "beyond the pledge",
    "an expiry while it is mapped",
    "an end of another's channel",
    "nine domains",
    "sixty-four copies",
];
/// Instructions by which two revokes may differ, whatever the number of copies: the two reads of the clock around them.
const SAME: u64 = 200;

/// Boots a profile of the guest, counted, and judges what it printed.
fn judge(name: &str) {
    let outcome = Boot::of(&built(&profile(name))).counted().run();
    expect_exit(&outcome, 0);
    let text = outcome.text().replace('\r', "");
    for scene in SCENES {
        assert!(text.contains(&format!("grants: {scene}: ok\n")), "{scene}\n{text}");
    }
    assert!(text.contains("init: grants: exit 0"), "{text}");
    let (one, many) = revokes(&text).unwrap_or_else(|| panic!("no figures\n{text}"));
    println!("{name}: revoke: {one} instructions with 1 copy, {many} with 64");
    assert!(one.abs_diff(many) <= SAME, "{one} with one copy, {many} with 64");
}

/// The figures of the line `grants: revoke: N ns with 1 copy, M ns with 64`.
fn revokes(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("grants: revoke: "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    Some((words.first()?.parse().ok()?, words.get(5)?.parse().ok()?))
}

#[test]
fn capabilities_travel_and_end_as_the_contract_says() {
    judge("grants-micro");
}

#[test]
fn capabilities_travel_and_end_under_rumkv() {
    judge("grants-core");
}

#[test]
fn the_figures_are_read_where_they_stand() {
    let line = "init: x\ngrants: revoke: 812 ns with 1 copy, 815 ns with 64\n";
    assert_eq!(revokes(line), Some((812, 815)));
    assert_eq!(revokes("grants: revoke: none"), None);
}
