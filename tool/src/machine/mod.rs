//! A machine in QEMU: started, watched, and read when it stopped.
//!
//! Images go in, and memory comes out, through anonymous files (memfd), and both channels are
//! socket pairs: nothing is left behind, however we end. QEMU itself dies with the thread that
//! started it (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG).
pub mod arguments;
mod attach;
pub mod console;
pub mod escape;
pub mod exceptions;
pub mod log;
pub mod qmp;
pub mod remark;
pub mod screen;
pub mod stretch;
pub mod verdict;

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use abi::boot::virt;
use abi::hypercall::PostMortem;
use serde_json::json;

use crate::failure::{Context, Failure, code};
use arguments::{Board, arguments};
use attach::{Listening, connect, spawn, watch_signals};
use log::{Log, Seen, Watch, anonymous, path, whole};
use qmp::{Control, Happening};
use screen::Screen;
use verdict::{BootError, Verdict, judge, post_mortems};

/// Where the console's bytes come from and go to.
pub enum Input {
    /// This process's terminal: keys, with Ctrl-A, go to the console that the screen shows; signals
    /// end the machine.
    Terminal(Screen),
    /// This process's standard input, then Ctrl-D; signals end the machine.
    Standard,
    /// These bytes, then Ctrl-D.
    Script(Vec<u8>),
    /// Nothing, not even Ctrl-D.
    None,
}

/// What the second console is given and gives, besides the keys of a terminal.
pub struct Second {
    /// Typed into it, and nothing after.
    pub script: Option<Vec<u8>>,
    /// Where its output also goes.
    pub output: Box<dyn Write + Send>,
}

/// What to boot and how.
pub struct Options {
    /// The machine.
    pub board: Board,
    /// nexus-boot as a flat image, key and floor in it.
    pub loader: Vec<u8>,
    /// The bundle, byte for byte.
    pub bundle: Vec<u8>,
    /// Whether the bundle starts RumKV: a cell must then have a post-mortem.
    pub rumkv: bool,
    /// The console's input.
    pub input: Input,
    /// Where the console's output also goes, besides the transcript.
    pub output: Box<dyn Write + Send>,
    /// Host time after which the machine counts as hung.
    pub timeout: Option<Duration>,
    /// What QEMU's log is asked for.
    pub watch: Watch,
    /// How often a machine that stopped is reset, as a watchdog would: it boots again, and RAM keeps what was in it.
    pub resets: u32,
    /// The second console, if the board has two and somebody wants it.
    pub second: Option<Second>,
}

/// How QEMU's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The machine stopped by itself.
    Stopped,
    /// Nothing stopped it in time.
    TimedOut,
    /// Ctrl-A x or a signal.
    Left,
    /// Our output has no reader any more.
    OutputClosed,
    /// QEMU ended without being told to.
    Died,
}

/// What a boot left.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything the console printed.
    pub transcript: Vec<u8>,
    /// Everything the second console printed.
    pub second: Vec<u8>,
    /// RumKV's post-mortem of each cell that ended.
    pub cells: Vec<PostMortem>,
    /// The Boot Error Buffer of cell 0.
    pub beb: Option<BootError>,
    /// RumKV's post-mortem of cell 0.
    pub post_mortem: Option<PostMortem>,
    /// The audit chain of cell 0, from the memory of a machine that stopped.
    pub audit: Option<Vec<u8>>,
    /// What was seen from outside.
    pub seen: Seen,
    /// How QEMU's run ended.
    pub end: End,
    /// What to tell a person and a script.
    pub exit: Verdict,
}

impl Outcome {
    /// The second console's transcript as text.
    #[must_use]
    pub fn second_text(&self) -> String {
        String::from_utf8_lossy(&self.second).into_owned()
    }

    /// The transcript as text, for tests and figures.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.transcript).into_owned()
    }
}

/// Boots and waits for the end.
///
/// # Errors
/// QEMU could not be started or did not answer; the end of the machine itself, however bad, is an
/// [`Outcome`].
pub fn boot(options: Options) -> Result<Outcome, Failure> {
    let rumkv = options.rumkv;
    let mut machine = Machine::start(options)?;
    let end = machine.wait();
    let memory = match end {
        End::Stopped | End::TimedOut => machine.read_ends(end == End::TimedOut)?,
        _ => Ends::default(),
    };
    let log = std::mem::replace(&mut machine.log, Log::None);
    let (transcript, second, complaint) = machine.finish();
    let seen = log.finish()?;
    let mut exit = match end {
        End::Stopped => judge(memory.beb.as_ref(), &memory.cells, rumkv),
        End::TimedOut => hung(&memory),
        End::Left => plain(code::INTERRUPTED, "left before the machine switched itself off"),
        End::OutputClosed => plain(code::ERROR, "standard output was closed"),
        End::Died => plain(code::MACHINE, "QEMU ended by itself"),
    };
    if end == End::Died && !complaint.is_empty() {
        exit.text = format!("{}: {}", exit.text, complaint.trim_end());
    }
    let Ends { beb, cells, audit, .. } = memory;
    let post_mortem = cells.iter().find(|p| p.cell == 0).copied();
    Ok(Outcome { transcript, second, cells, beb, post_mortem, audit, seen, end, exit })
}

fn plain(code: u8, text: &str) -> Verdict {
    Verdict { code, text: text.into(), pc: None }
}

fn hung(memory: &Ends) -> Verdict {
    let state = memory.beb.as_ref().map_or("none written", BootError::state);
    let at = memory.pc.map_or(String::new(), |pc| format!(", pc {pc:#x}"));
    let text = format!("the machine did not stop in time (boot state: {state}{at})");
    Verdict { code: code::MACHINE, text, pc: memory.pc }
}

/// What is read from a machine's memory.
#[derive(Default)]
struct Ends {
    beb: Option<BootError>,
    cells: Vec<PostMortem>,
    audit: Option<Vec<u8>>,
    /// Of a machine that had to be stopped.
    pc: Option<u64>,
}

struct Machine {
    child: Child,
    control: Control,
    deadline: Option<Instant>,
    resets: u32,
    listeners: Vec<JoinHandle<Vec<u8>>>,
    complaints: Option<JoinHandle<String>>,
    /// Our ends of the consoles, to be shut when the machine is gone, so that a feeder ends.
    consoles: Vec<UnixStream>,
    log: Log,
    signals: Option<signal_hook::iterator::Handle>,
    _raw: Option<console::Raw>,
    _files: [File; 2],
}

impl Machine {
    fn start(options: Options) -> Result<Self, Failure> {
        let loader = anonymous("loader", &options.loader)?;
        let bundle = anonymous("bundle", &options.bundle)?;
        let (control, control_far) = UnixStream::pair().context(|| "make a socket".into())?;
        let (console, console_far) = UnixStream::pair().context(|| "make a socket".into())?;
        let second = match options.board.consoles {
            2 => Some(Listening::new()?),
            _ => None,
        };
        let name = second.as_ref().map(|s| s.name.as_str());
        let mut arguments = arguments(&options.board, &path(&loader), &path(&bundle), name);
        let (log, more) = Log::start(options.watch)?;
        arguments.extend(more);
        let mut child = spawn(&arguments, control_far, console_far)?;

        let (tell, inbox) = channel();
        let signals = match options.input {
            Input::Terminal(_) | Input::Standard => Some(watch_signals(tell.clone())?),
            _ => None,
        };
        let reader = control.try_clone().context(|| "share a socket".into())?;
        let control = Control::new(control, inbox);
        let to = tell.clone();
        std::thread::spawn(move || qmp::listen(reader, &to));
        let complaints = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = stderr.read_to_string(&mut text);
                text
            })
        });
        let mut consoles = vec![console];
        consoles.extend(second.map(|s| s.accept(&mut child)).transpose()?.flatten());
        let raw = matches!(options.input, Input::Terminal(_)).then(console::Raw::enter).flatten();
        let output = (options.output, options.second);
        let listeners = connect(&consoles, options.input, output, &tell)?;
        let mut machine = Self {
            child,
            control,
            deadline: options.timeout.map(|t| Instant::now() + t),
            resets: options.resets,
            listeners,
            complaints,
            consoles,
            log,
            signals,
            _raw: raw,
            _files: [loader, bundle],
        };
        // Without this QEMU takes no other command; a QEMU that refuses its arguments is found
        // dead here, and `wait` says so.
        let _ = machine.control.ask("qmp_capabilities", &json!({}));
        Ok(machine)
    }

    fn wait(&mut self) -> End {
        // A debugger also stops the machine; only a machine that is shut down has ended.
        let mut shut = false;
        loop {
            match self.control.next(self.deadline) {
                None => return End::TimedOut,
                Some(Happening::Control(v)) => {
                    shut |= v["event"] == "SHUTDOWN";
                    if shut && v["event"] == "STOP" {
                        if self.resets == 0 || !self.reset() {
                            return End::Stopped;
                        }
                        (shut, self.resets) = (false, self.resets - 1);
                    }
                }
                Some(Happening::Gone) => return End::Died,
                Some(Happening::Signal(_) | Happening::Leave) => return End::Left,
                Some(Happening::OutputClosed) => return End::OutputClosed,
            }
        }
    }

    /// Lets a machine that stopped boot again; `false`: QEMU does not.
    fn reset(&mut self) -> bool {
        let act = |what: &str| json!({ "reboot": what });
        // A reset that the machine asks for ends it, and QEMU takes ours for the same.
        let set = self.control.ask("set-action", &act("reset"));
        if set.is_err() || self.control.ask("system_reset", &json!({})).is_err() {
            return false;
        }
        // The answer only says that it was asked for; before the event QEMU refuses to go on.
        loop {
            match self.control.next(self.deadline) {
                Some(Happening::Control(v)) if v["event"] == "RESET" => break,
                Some(Happening::Control(_)) => {}
                _ => return false,
            }
        }
        let set = self.control.ask("set-action", &act("shutdown"));
        set.is_ok() && self.control.ask("cont", &json!({})).is_ok()
    }

    fn read_ends(&mut self, running: bool) -> Result<Ends, Failure> {
        let mut pc = None;
        if running {
            self.control.ask("stop", &json!({}))?;
            let command = json!({ "command-line": "info registers" });
            let registers = self.control.ask("human-monitor-command", &command)?;
            pc = registers.as_str().and_then(program_counter);
        }
        let beb = self.memory(virt::BEB, virt::BEB_LEN)?;
        let post = self.memory(virt::POST_MORTEM, abi::PAGE as u64)?;
        let ring = self.memory(virt::PROVCHAIN, virt::PROVCHAIN_LEN)?;
        let audit = Some(crate::audit::of_memory(&ring));
        Ok(Ends { beb: BootError::decode(&beb), cells: post_mortems(&post), audit, pc })
    }

    /// Physical memory of the stopped machine.
    fn memory(&mut self, address: u64, len: u64) -> Result<Vec<u8>, Failure> {
        let file = anonymous("memory", &[])?;
        let arguments = json!({ "val": address, "size": len, "filename": path(&file) });
        self.control.ask("pmemsave", &arguments)?;
        whole(file)
    }

    /// Ends QEMU; answers the transcripts and what QEMU complained about.
    fn finish(mut self) -> (Vec<u8>, Vec<u8>, String) {
        let _ = self.control.send("quit", &json!({}));
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What QEMU wrote before it ended is still to be read; what we would write is lost.
        for console in &self.consoles {
            let _ = console.shutdown(Shutdown::Write);
        }
        let mut listeners = std::mem::take(&mut self.listeners).into_iter();
        let mut next = || listeners.next().and_then(|t| t.join().ok()).unwrap_or_default();
        let (transcript, second) = (next(), next());
        let complaints = self.complaints.take().and_then(|t| t.join().ok()).unwrap_or_default();
        (transcript, second, complaints)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(signals) = &self.signals {
            signals.close();
        }
    }
}

/// Finds the program counter in QEMU's register dump.
fn program_counter(registers: &str) -> Option<u64> {
    let digits = registers.split("PC=").nth(1)?.split_whitespace().next()?;
    u64::from_str_radix(digits, 16).ok()
}
