//! Runs the tests that mutations name, in the copy of the tree, and says what became of each mutation.
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::mutation::Mutation;
use super::{copy, read};
use crate::failure::{Context, Failure, code};

/// What became of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The named test failed.
    Found,
    /// The named test did not come to an end in time, which it does without the mutation.
    Hung,
    /// The named test passed.
    Survived,
    /// It does not compile: nothing was shown.
    NotCompiled,
    /// There is no such test: nothing was shown.
    NoTest,
}

impl Verdict {
    /// Whether the test showed what it claims.
    #[must_use]
    pub fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::Hung)
    }

    /// For the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Hung => "hung",
            Self::Survived => "SURVIVED",
            Self::NotCompiled => "NOT COMPILED",
            Self::NoTest => "NO TEST",
        }
    }
}

/// The copy of the tree.
pub struct Bench {
    /// The person's tree.
    pub from: PathBuf,
    /// The copy.
    pub tree: PathBuf,
    /// Where the copy builds.
    pub target: PathBuf,
    /// Host time that a test may take, and that a build may take.
    pub limits: (Duration, Duration),
    /// Set by a signal.
    pub stop: Arc<AtomicBool>,
}

/// How a command ended, and what it printed.
struct Ended {
    /// `None`: not in time.
    success: Option<bool>,
    text: String,
}

impl Bench {
    /// Whether the tests pass without a mutation, in one run for each test program. What does not is an error.
    pub fn check_unbroken(&self, chosen: &[Mutation]) -> Result<(), Failure> {
        let mut programs: Vec<(&str, &str)> = Vec::new();
        for m in chosen {
            if !programs.contains(&(&m.package, &m.program)) {
                programs.push((&m.package, &m.program));
            }
        }
        for (package, program) in programs {
            let of_it = chosen.iter().filter(|m| m.package == package && m.program == program);
            let names: Vec<&str> = of_it.map(|m| m.test.as_str()).collect();
            eprintln!("nexus: without mutations: {package}/{program}");
            let mut command = self.cargo(package, program);
            command.args(["--", "--exact"]).args(&names);
            let (test, build) = self.limits;
            let ended = self.watch(command, test * names.len() as u32 + build)?;
            if ended.success != Some(true) {
                let what = format!("{package}/{program} does not pass without a mutation");
                return Err(Failure::new(format!("{what}:\n{}", tail(&ended.text))));
            }
        }
        Ok(())
    }

    /// Breaks, tests, mends.
    pub fn judge(&self, mutation: &Mutation) -> Result<Verdict, Failure> {
        // Of the copy: the person may go on working meanwhile.
        let file = self.tree.join(&mutation.file);
        let whole = read(&file)?;
        let broken = mutation.applied(&whole).map_err(Failure::new)?;
        copy::put(&file, broken.as_bytes())?;
        let verdict = self.of_broken(mutation);
        copy::put(&file, whole.as_bytes())?;
        verdict
    }

    fn of_broken(&self, mutation: &Mutation) -> Result<Verdict, Failure> {
        let mut build = self.cargo(&mutation.package, &mutation.program);
        build.arg("--no-run");
        if self.watch(build, self.limits.1)?.success != Some(true) {
            return Ok(Verdict::NotCompiled);
        }
        let mut test = self.cargo(&mutation.package, &mutation.program);
        test.args(["--", "--exact", &mutation.test]);
        let ended = self.watch(test, self.limits.0)?;
        Ok(match ended.success {
            None => Verdict::Hung,
            Some(_) if !ended.text.contains("running 1 test") => Verdict::NoTest,
            Some(true) => Verdict::Survived,
            Some(false) => Verdict::Found,
        })
    }

    fn cargo(&self, package: &str, program: &str) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.tree);
        command.env("NEXUS_ROOT", &self.tree).env("CARGO_TARGET_DIR", &self.target);
        command.args(["test", "--package", package]);
        match program {
            "lib" => command.arg("--lib"),
            name => command.args(["--test", name]),
        };
        command
    }

    /// Runs a command in a process group of its own, so that everything it started ends with it.
    fn watch(&self, mut command: Command, limit: Duration) -> Result<Ended, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command.spawn().context(|| "start cargo".into())?;
        let readers = [reader(child.stdout.take()), reader(child.stderr.take())];
        let until = Instant::now() + limit;
        let success = loop {
            if let Some(status) = child.try_wait().context(|| "wait for cargo".into())? {
                break Some(status.success());
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if stopped || Instant::now() > until {
                end_group(&mut child);
                if stopped {
                    return Err(Failure::with(code::INTERRUPTED, "interrupted"));
                }
                break None;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let text = readers.map(|r| r.join().unwrap_or_default()).concat();
        Ok(Ended { success, text })
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is enough to judge by.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn end_group(child: &mut Child) {
    let group = rustix::process::Pid::from_child(child);
    // It may have ended by itself meanwhile.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _ = child.wait();
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
