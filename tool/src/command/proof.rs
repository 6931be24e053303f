//! `test --table` and `test --mutate`.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::{Context, Failure};
use crate::proof::judge::{Bench, Verdict};
use crate::proof::mutation::{self, Mutation};
use crate::proof::random::Random;
use crate::proof::{copy, table};
use crate::workspace::Workspace;

/// Host time that a test of a mutation may take: on the host, in QEMU.
const TEST_LIMITS: [Duration; 2] = [Duration::from_mins(4), Duration::from_mins(15)];
/// Host time that a build may take.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// Prints the sentences of the specification beside what shows them.
pub fn table(workspace: &Workspace) -> Result<u8, Failure> {
    let (sentences, mut problems) = table::load(&workspace.root)?;
    super::print(table::print(&workspace.root, &sentences))?;
    problems.extend(table::problems(&workspace.root, &sentences)?);
    if problems.is_empty() { Ok(0) } else { Err(Failure::new(problems.join("\n"))) }
}

/// Breaks `count` places, chosen by `seed`, one after the other: each named test must fail.
pub fn mutate(
    workspace: &Workspace,
    count: usize,
    seed: Option<u64>,
    part: Option<&str>,
    guests: bool,
) -> Result<u8, Failure> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    let seed = seed.unwrap_or(clock);
    let mut all = mutation::load(&workspace.root)?;
    all.retain(|m| (guests || !m.guest) && part.is_none_or(|p| is_about(m, p)));
    let known = all.len();
    let chosen = Random(seed).choose(all, count);
    eprintln!("nexus: {} of {known} mutations, --seed {seed}", chosen.len());
    let bench = bench(workspace, guests)?;
    copy::sync(&bench.from, &bench.tree)?;
    bench.check_unbroken(&chosen)?;
    let mut bad = Vec::new();
    for (i, m) in chosen.iter().enumerate() {
        let start = Instant::now();
        let verdict = bench.judge(m)?;
        let took = start.elapsed().as_secs();
        let place = format!("[{}/{}]", i + 1, chosen.len());
        super::print(format!("{place:8}{:12} {took:4} s  {}\n", verdict.word(), m.what))?;
        super::print(format!("{:27}{} by {}\n", "", m.file.display(), m.name()))?;
        if !verdict.is_found() {
            bad.push((m, verdict));
        }
    }
    if bad.is_empty() {
        eprintln!("nexus: every named test found its mutation");
        return Ok(0);
    }
    let line = |(m, v): &(&Mutation, Verdict)| format!("{}: {} ({})", v.word(), m.what, m.name());
    Err(Failure::new(bad.iter().map(line).collect::<Vec<_>>().join("\n")))
}

/// Whether a word of the command line means this mutation.
fn is_about(m: &Mutation, part: &str) -> bool {
    let file = m.file.to_string_lossy();
    m.what.contains(part) || m.name().contains(part) || file.contains(part)
}

/// The copy lies with what is built: nobody's files are touched, and what stays is as disposable as a build.
fn bench(workspace: &Workspace, guests: bool) -> Result<Bench, Failure> {
    let folder: PathBuf = workspace.target.join("mutants");
    let tree = folder.join("tree");
    std::fs::create_dir_all(&tree).context(|| format!("make {}", tree.display()))?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let flag = Arc::clone(&stop);
        signal_hook::flag::register(signal, flag).context(|| "watch for signals".into())?;
    }
    Ok(Bench {
        from: workspace.root.clone(),
        tree,
        target: folder.join("build"),
        limits: (TEST_LIMITS[usize::from(guests)], BUILD_LIMIT),
        stop,
    })
}
