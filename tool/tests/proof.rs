//! What is claimed fits the tree: each mutation's text and test are there, each sentence has a test or a limit.
#![forbid(unsafe_code)]
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use nexus::proof::mutation::{self, Mutation};
use nexus::proof::random::Random;
use nexus::proof::table::{self, Shown};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn packages() -> Vec<(String, PathBuf)> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().expect("metadata");
    let folder = |p: &cargo_metadata::Package| {
        p.manifest_path.parent().map(|f| f.as_std_path().to_path_buf()).unwrap_or_default()
    };
    metadata.packages.iter().map(|p| (p.name.to_string(), folder(p))).collect()
}

#[test]
fn every_mutation_fits_the_tree() {
    let all = mutation::load(&root()).expect("the lists");
    let packages = packages();
    let problems: Vec<String> = all.iter().flat_map(|m| m.problems(&root(), &packages)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for (i, m) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|n| n.what != m.what), "twice: {}", m.what);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let good = Mutation {
        what: "an example".into(),
        file: "rumpk/cap/src/space.rs".into(),
        find: "pub const fn new() -> Self {".into(),
        with: "pub const fn newer() -> Self {".into(),
        package: "nexus".into(),
        program: "proof".into(),
        test: "what_does_not_fit_is_said".into(),
        guest: false,
    };
    let packages = packages();
    let problems = |m: &Mutation| m.problems(&root(), &packages).len();
    assert_eq!(problems(&good), 0);
    assert_eq!(problems(&Mutation { find: "no such text".into(), ..good.clone() }), 1);
    assert_eq!(problems(&Mutation { find: "pub fn".into(), ..good.clone() }), 1, "many places");
    assert_eq!(problems(&Mutation { with: good.find.clone(), ..good.clone() }), 1);
    assert_eq!(problems(&Mutation { file: "no/such/file".into(), ..good.clone() }), 1);
    assert_eq!(problems(&Mutation { package: "nobody".into(), ..good.clone() }), 1);
    assert_eq!(problems(&Mutation { test: "a_test_that_is_not".into(), ..good.clone() }), 1);
    assert_eq!(problems(&Mutation { program: "lib".into(), ..good.clone() }), 1, "not in src");
}

#[test]
fn every_sentence_has_a_test_or_a_limit() {
    let (sentences, mut problems) = table::load(&root()).expect("the pages");
    problems.extend(table::problems(&root(), &sentences).expect("limits"));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for page in ["abi", "rumpk"] {
        assert!(sentences.iter().filter(|s| s.page == page).count() > 50, "{page} is whole");
    }
}

#[test]
fn a_row_that_shows_nothing_is_said() {
    let read = |row: &str| {
        let (mut out, mut problems) = (Vec::new(), Vec::new());
        table::parse("page", row, &mut out, &mut problems);
        problems.extend(table::problems(&root(), &out).expect("limits"));
        (out, problems)
    };
    let (out, problems) =
        read("## Part\n| 1 | says | `tool/tests/proof.rs` `a_row_that_shows_nothing_is_said` |");
    assert_eq!((out.len(), problems), (1, Vec::new()));
    assert_eq!((out[0].section.as_str(), out[0].number.as_str()), ("Part", "1"));
    assert!(matches!(out[0].shown[..], [Shown::Test(..)]));
    let rows = [
        "| 1 | says |  |",
        "| 1 | says | somewhere |",
        "| 1 | says | `tool/tests/proof.rs` `no_such_test` |",
        "| 1 | says | `tool/tests/proof.rs` `root` |",
        "| 1 | says | limit: \"words that no limits have\" |",
        "| 1 | says | limit: none |",
        "| 1 | says |",
    ];
    for row in rows {
        assert_eq!(read(row).1.len(), 1, "{row}");
    }
    let twice = "| 1 | says | limit: \"Limits\" |";
    assert_eq!(read(&format!("{twice}\n{twice}")).1.len(), 1);
}

#[test]
fn a_seed_chooses_the_same_each_time_and_nothing_twice() {
    let choose = |seed| Random(seed).choose((0..100).collect::<Vec<u32>>(), 20);
    assert_eq!(choose(7), choose(7));
    assert_ne!(choose(7), choose(8));
    let mut sorted = choose(7);
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 20);
    assert_eq!(Random(1).choose(vec![1, 2], 5).len(), 2);
}

#[test]
fn every_fuzz_target_exists() {
    for target in &nexus::fuzz::TARGETS {
        let shown = Mutation {
            what: target.name.into(),
            file: "Cargo.toml".into(),
            find: "[workspace]\n".into(),
            with: String::new(),
            package: target.package.into(),
            program: target.program.into(),
            test: target.test.into(),
            guest: false,
        };
        assert_eq!(shown.problems(&root(), &packages()), Vec::<String>::new());
    }
}
