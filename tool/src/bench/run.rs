//! What one machine measured, and figures that follow from several.
use std::collections::BTreeMap;

use abi::hypercall::{PostMortem, cause};

use super::parse;
use crate::budget::Figure;
use crate::failure::Failure;
use crate::machine::Outcome;
use crate::machine::exceptions::Exceptions;

/// One machine after its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// Figures that its guest named.
    pub figures: Vec<Figure>,
    /// Lines `name ticks` of a test kernel.
    pub notes: BTreeMap<String, u64>,
    /// Scratch words of a test kernel.
    pub scratch: [u64; 2],
    /// Ticks when RumKV had ended its cell; `None` if it did not.
    pub dead: Option<u64>,
    /// What the processor took.
    pub exceptions: Option<Exceptions>,
}

impl Run {
    /// Takes everything that is a figure out of an outcome.
    pub fn of(outcome: &Outcome) -> Result<Self, Failure> {
        let mut run = Self { exceptions: outcome.seen.exceptions, ..Self::default() };
        run.figures = parse(&outcome.text())?;
        run.dead = outcome.post_mortem.filter(died).map(|p| p.time);
        if let Some(b) = &outcome.beb {
            run.figures.extend(parse(&b.text)?);
            run.scratch = b.head.scratch;
            run.notes = b.text.lines().filter_map(note).collect();
        }
        Ok(run)
    }
}

fn died(post: &PostMortem) -> bool {
    post.cause != cause::OFF && post.cause != cause::RESET
}

fn note(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.trim().split_once(' ')?;
    Some((name.into(), value.parse().ok()?))
}

/// Runs by the name of their profile.
pub type Runs = BTreeMap<String, Run>;

/// Figures of RumKV that the kernel `el1-figures` notes under these names; the dearest counts.
const NOTES: [(&str, &[&str]); 4] = [
    ("hypercall", &["hypercall-version"]),
    ("gicd-read", &["distributor-read-ctlr", "distributor-read-typer"]),
    ("gicd-write", &["distributor-enable-write", "distributor-disable-write"]),
    ("sgi-self", &["sgi-to-self"]),
];

/// All figures of all runs, those that follow from test kernels and from pairs included.
///
/// # Errors
/// Two machines that name the same figure and do not agree.
pub fn figures(runs: &Runs) -> Result<Vec<Figure>, Failure> {
    let mut out: Vec<Figure> = Vec::new();
    let named = runs.values().flat_map(|r| r.figures.iter().cloned());
    for figure in named.chain(derived(runs)) {
        match out.iter().find(|f| f.name == figure.name) {
            None => out.push(figure),
            Some(f) if *f == figure => {}
            Some(f) => {
                let text = format!("{} is {} and {}", f.name, f.value, figure.value);
                return Err(Failure::new(text));
            }
        }
    }
    Ok(out)
}

fn derived(runs: &Runs) -> Vec<Figure> {
    let mut out = Vec::new();
    let mut add = |name: &str, value: Option<u64>, unit: &str| {
        out.extend(value.map(|value| Figure { name: name.into(), value, unit: unit.into() }));
    };
    for (name, notes) in NOTES {
        let run = runs.get("el1-figures");
        let values = run.map(|r| notes.iter().filter_map(|n| r.notes.get(*n).copied()));
        add(name, values.and_then(Iterator::max), "instructions");
    }
    // The kernel leaves the counter in scratch word 0, then faults; RumKV's post-mortem has the time
    // when the cell was dead.
    let fault = runs.get("el1-fault-dies");
    let to_dead = fault.and_then(|r| r.dead?.checked_sub(r.scratch[0]));
    add("stage2-fault-to-dead", to_dead, "instructions");
    // Scratch word 1 is the greatest latency of the timer's interrupt.
    let latency = |name| runs.get(name).map(|r: &Run| r.scratch[1]);
    let share = latency("el1-interrupt")
        .zip(latency("el1-interrupt-bare"))
        .and_then(|(with, without)| with.checked_sub(without));
    add("interrupt-share", share, "instructions");
    // Two machines that differ in nothing but how long they idle: one minute and two. Each has one
    // wake, so that the wake's own interrupt and trap cancel out.
    let exceptions = |name| runs.get(name).and_then(|r: &Run| r.exceptions);
    if let Some((one, two)) = exceptions("idle-1").zip(exceptions("idle-2")) {
        add("idle-traps", Some(two.to_el2.abs_diff(one.to_el2)), "traps");
    }
    out
}
