//! QEMU as a child process, and what ties it to us: control, consoles, signals.
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::qmp::Happening;
use super::{Input, Second, console};
use crate::failure::{Context, Failure};

/// An abstract socket (unix(7)) that QEMU connects to: it exists in no file system.
pub(super) struct Listening {
    /// Its name, for QEMU.
    pub(super) name: String,
    socket: UnixListener,
}

impl Listening {
    pub(super) fn new() -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("nexus-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let make = || UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?);
        let socket = make().context(|| "make a socket for the second console".into())?;
        Ok(Self { name, socket })
    }

    /// QEMU's end; `None` if QEMU ended before it connected. Whoever else connects is sent away.
    pub(super) fn accept(self, child: &mut Child) -> Result<Option<UnixStream>, Failure> {
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
pub(super) fn spawn(
    arguments: &[String],
    control: UnixStream,
    console: UnixStream,
) -> Result<Child, Failure> {
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
pub(super) fn connect(
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

/// Tells of the signals that end a process.
pub(super) fn watch_signals(
    to: Sender<Happening>,
) -> Result<signal_hook::iterator::Handle, Failure> {
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
