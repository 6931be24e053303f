//! A machine in QEMU: started, watched, and read when it stopped.
//!
//! Images go in, and memory comes out, through anonymous files (memfd), and both channels are
//! socket pairs: nothing is left behind, however we end. QEMU itself dies with the thread that
//! started it (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG).
pub mod arguments;
pub mod console;
pub mod escape;
pub mod exceptions;
pub mod qmp;
pub mod remark;
pub mod screen;
pub mod verdict;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use abi::boot::virt;
use abi::hypercall::PostMortem;
use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::json;

use crate::failure::{Context, Failure, code};
use arguments::{Board, arguments};
use exceptions::Exceptions;
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
    /// Count the exceptions that the processor takes (slow).
    pub count_exceptions: bool,
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
    /// The exceptions that the processor took, if they were to be counted.
    pub exceptions: Option<Exceptions>,
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
    let log = machine.log.take();
    let (transcript, second, complaint) = machine.finish();
    let log = log.map(whole).transpose()?;
    let exceptions = log.map(|log| Exceptions::count(&String::from_utf8_lossy(&log)));
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
    Ok(Outcome { transcript, second, cells, beb, post_mortem, audit, exceptions, end, exit })
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
    /// QEMU's log of exceptions.
    log: Option<File>,
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
        let log = options.count_exceptions.then(|| anonymous("log", &[])).transpose()?;
        if let Some(log) = &log {
            arguments.extend(["-d".into(), "int".into(), "-D".into(), path(log)]);
        }
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

/// An abstract socket (unix(7)) that QEMU connects to: it exists in no file system.
struct Listening {
    name: String,
    socket: UnixListener,
}

impl Listening {
    fn new() -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("nexus-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let make = || UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?);
        let socket = make().context(|| "make a socket for the second console".into())?;
        Ok(Self { name, socket })
    }

    /// QEMU's end; `None` if QEMU ended before it connected. Whoever else connects is sent away.
    fn accept(self, child: &mut Child) -> Result<Option<UnixStream>, Failure> {
        let what = || "wait for the second console".into();
        self.socket.set_nonblocking(true).context(what)?;
        loop {
            match self.socket.accept() {
                Ok((socket, _)) => {
                    let peer = rustix::net::sockopt::socket_peercred(&socket).context(what)?;
                    if peer.pid.as_raw_nonzero().get().cast_unsigned() == child.id() {
                        socket.set_nonblocking(false).context(what)?;
                        return Ok(Some(socket));
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    if matches!(child.try_wait(), Ok(Some(_))) {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(e) => return Err(e).context(what),
            }
        }
    }
}

/// Starts QEMU in a process group of its own, so that a Ctrl-C meant for us reaches it through us.
fn spawn(arguments: &[String], control: UnixStream, console: UnixStream) -> Result<Child, Failure> {
    let program = std::env::var("NEXUS_QEMU").unwrap_or_else(|_| "qemu-system-aarch64".into());
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", &program])
        .args(arguments)
        .stdin(OwnedFd::from(control))
        .stdout(OwnedFd::from(console))
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| {
            Failure::machine(format!("cannot start {program} through setpriv (util-linux): {e}"))
        })
}

/// Starts the threads that move the consoles' bytes.
fn connect(
    consoles: &[UnixStream],
    input: Input,
    (output, second): (Box<dyn Write + Send>, Option<Second>),
    tell: &Sender<Happening>,
) -> Result<Vec<JoinHandle<Vec<u8>>>, Failure> {
    let share = |s: &UnixStream| s.try_clone().context(|| "share a socket".into());
    let (script, more) = second.map_or((None, None), |s| (s.script, Some(s.output)));
    let mut outputs = vec![output, more.unwrap_or_else(|| Box::new(std::io::sink()))].into_iter();
    let (mut listeners, mut heard) = (Vec::new(), Vec::new());
    for console in consoles {
        let (first, when) = channel();
        heard.push(when);
        let (socket, to) = (share(console)?, tell.clone());
        let output = outputs.next().unwrap_or_else(|| Box::new(std::io::sink()));
        let listen = move || console::listen(socket, output, &first, &to);
        listeners.push(std::thread::spawn(listen));
    }
    if let (Some(bytes), Some(console)) = (script, consoles.get(1)) {
        let (socket, heard) = (share(console)?, heard.remove(1));
        let script = Box::new(std::io::Cursor::new(bytes));
        std::thread::spawn(move || console::feed(socket, script, &heard));
    }
    let to = tell.clone();
    let mut feed = |input: Box<dyn Read + Send>| -> Result<(), Failure> {
        let (socket, heard) = (share(&consoles[0])?, heard.remove(0));
        std::thread::spawn(move || console::feed(socket, input, &heard));
        Ok(())
    };
    match input {
        Input::Terminal(screen) => {
            let sockets = consoles.iter().map(share).collect::<Result<_, _>>()?;
            let keys = move || console::type_keys(sockets, &screen, std::io::stdin(), &to);
            std::thread::spawn(keys);
        }
        Input::Standard => feed(Box::new(std::io::stdin()))?,
        Input::Script(bytes) => feed(Box::new(std::io::Cursor::new(bytes)))?,
        Input::None => {}
    }
    Ok(listeners)
}

fn watch_signals(to: Sender<Happening>) -> Result<signal_hook::iterator::Handle, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .context(|| "watch for signals".into())?;
    let handle = signals.handle();
    std::thread::spawn(move || {
        for signal in &mut signals {
            let _ = to.send(Happening::Signal(signal));
        }
    });
    Ok(handle)
}

/// A file without a name that holds `bytes`.
fn anonymous(name: &str, bytes: &[u8]) -> Result<File, Failure> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC).context(|| "make an anonymous file".into())?;
    let mut file = File::from(fd);
    file.write_all(bytes).context(|| format!("hold the {name} in memory"))?;
    Ok(file)
}

/// All of a file, whatever its position is.
fn whole(mut file: File) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).context(|| "read what QEMU wrote".into())?;
    file.read_to_end(&mut bytes).context(|| "read what QEMU wrote".into())?;
    Ok(bytes)
}

/// Under what name QEMU, our child, can open it.
fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// Finds the program counter in QEMU's register dump.
fn program_counter(registers: &str) -> Option<u64> {
    let digits = registers.split("PC=").nth(1)?.split_whitespace().next()?;
    u64::from_str_radix(digits, 16).ok()
}
