//! Capabilities that travel: the guest `grants` and its puppets do what the contract allows and what it forbids; each line
//! of theirs is one of its sentences.
use system::session::profile;
use system::{Boot, built, expect_exit, folder};

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

/// The same guest on several cores, where its puppets run on others than itself. Not counted: the cores run side by side.
fn judge_on(cores: usize) {
    let cell = std::fs::read_to_string(profile("cells/grants")).expect("the cell");
    let numbers = ["0 1", "0 1 2 3"][cores / 4];
    let cell = cell.replacen("    core 0\n", &format!("    core {numbers}\n"), 1);
    let cell = cell.replacen("        energy 4000\n", "        energy 4000\n        core 0\n", 1);
    let machine = format!("machine \"qemu-virt-aarch64\" {{ ram \"512M\"; cores {cores}; }}\n");
    let folder = folder();
    let path = folder.path().join(format!("grants-{cores}.kdl"));
    std::fs::write(&path, machine + &cell).expect("a profile");
    let outcome = Boot::of(&built(&path.to_string_lossy())).run();
    let text = outcome.text().replace('\r', "");
    for scene in SCENES {
        assert!(text.contains(&format!("grants: {scene}: ok\n")), "{scene}\n{text}");
    }
    expect_exit(&outcome, 0);
    assert!(text.contains("init: grants: exit 0"), "{text}");
    // The program itself is where the services are, on core 0.
    let homes = if cores == 2 { "0b10" } else { "0b1110" };
    assert!(text.contains(&format!("grants: puppets ran on cores {homes}\n")), "{text}");
}

#[test]
fn capabilities_travel_between_two_cores() {
    judge_on(2);
}

#[test]
fn capabilities_travel_between_four_cores() {
    judge_on(4);
}

#[test]
fn the_figures_are_read_where_they_stand() {
    let line = "init: x\ngrants: revoke: 812 ns with 1 copy, 815 ns with 64\n";
    assert_eq!(revokes(line), Some((812, 815)));
    assert_eq!(revokes("grants: revoke: none"), None);
}
