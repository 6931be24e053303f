//! The engine finds what is easy to find, says how to find it again, and is the same for the same seed.
#![forbid(unsafe_code)]
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a target that fails says.
fn failure(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) -> Option<String> {
    let caught = catch_unwind(AssertUnwindSafe(|| fuzz::run(name, seeds, target)));
    caught.err().and_then(|payload| payload.downcast_ref::<String>().cloned())
}

#[test]
fn a_planted_bug_is_found_and_its_input_saved() {
    // A length that is trusted: found by any change of the second byte.
    let parse = |bytes: &[u8]| {
        if let [b'N', len, rest @ ..] = bytes {
            let _ = &rest[..usize::from(*len)];
        }
    };
    let said = failure("planted", &[b"N\x02ab".to_vec()], parse).expect("it is found");
    let path = said.rsplit(' ').next().expect("a path");
    let input = std::fs::read(path).expect("saved");
    assert!(catch_unwind(|| parse(&input)).is_err(), "the saved input fails again");
    std::fs::remove_file(path).expect("tidy");
}

#[test]
fn inputs_differ_and_stay_short() {
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    fuzz::run("nothing", &[vec![0; 100]], |bytes| {
        assert!(bytes.len() <= 4096);
        if seen.borrow().len() < 10_000 {
            seen.borrow_mut().insert(bytes.to_vec());
        }
    });
    assert!(seen.borrow().len() > 5_000, "{}", seen.borrow().len());
}

#[test]
fn an_empty_seed_can_be_changed() {
    fuzz::run("empty", &[], |_| ());
}
