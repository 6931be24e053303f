//! A million calls from EL0, valid ones and ones with a field changed, judged by the program that makes them.
use std::collections::BTreeMap;
use std::time::Duration;

use abi::call::Error;
use system::session::profile;
use system::{Boot, built, expect_exit};

/// Calls of the profile.
const CALLS: u64 = 1_000_000;
/// How often each error must come.
const EACH: u64 = 100;
/// The one that a cell with one core has no cause for: what is not built between cores.
const SELDOM: Error = Error::Unsupported;

/// The numbers that the fuzzer printed: errors by name, and (calls, succeeded) of its last line.
#[derive(Debug, Default)]
struct Tally {
    errors: BTreeMap<String, u64>,
    sum: (u64, u64),
}

impl Tally {
    fn read(text: &str) -> Self {
        let mut tally = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |word: &str| word.parse().unwrap_or(0);
            match words[..] {
                ["fuzz:", "error", name, count] => {
                    tally.errors.insert(name.into(), number(count));
                }
                ["fuzz:", "seed", _, "calls", calls, "succeeded", ok] => {
                    tally.sum = (number(calls), number(ok));
                }
                _ => {}
            }
        }
        tally
    }

    /// What is missing of a run that tried everything.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for error in Error::ALL.iter().filter(|&&error| error != SELDOM) {
            let name = format!("{error:?}");
            let count = self.errors.get(&name).copied().unwrap_or(0);
            if count < EACH {
                missing.push(format!("{name} came {count} times"));
            }
        }
        let (calls, succeeded) = self.sum;
        if calls != CALLS || succeeded * 100 < calls * 30 {
            missing.push(format!("{succeeded} of {calls} calls succeeded"));
        }
        missing
    }
}

#[test]
fn a_million_calls_do_nothing_but_what_the_contract_says() {
    let timeout = Duration::from_mins(8);
    let outcome = Boot::of(&built(&profile("fuzz"))).counted().timeout(timeout).run();
    expect_exit(&outcome, 0);
    let text = outcome.text().replace('\r', "");
    println!("{text}");
    assert!(text.contains("init: fuzz-syscalls: exit 0"), "{text}");
    let missing = Tally::read(&text).missing();
    assert!(missing.is_empty(), "{missing:?}\n{text}");
}

#[test]
fn a_run_that_did_not_try_everything_is_found() {
    let errors = Error::ALL.map(|e| format!("fuzz: error {e:?} 100\n"));
    let mut text = errors.concat();
    text += "fuzz: seed 1 calls 1000000 succeeded 300000\n";
    assert!(Tally::read(&text).missing().is_empty());
    let fewer = text.replace("Revoked 100", "Revoked 99");
    assert_eq!(Tally::read(&fewer).missing(), ["Revoked came 99 times"]);
    assert_eq!(Tally::read(&text.replace("300000", "299999")).missing().len(), 1);
    assert_eq!(Tally::read("").missing().len(), Error::ALL.len());
}
