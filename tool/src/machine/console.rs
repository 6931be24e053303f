//! The console's bytes: from an input to the machine, from the machine to an output. Nothing is
//! buffered on the way out, and nothing is lost on the way in: the socket holds what the UART's
//! FIFO has no room for, and our write waits.
use std::io::{IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use rustix::termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};

use super::escape::{Escape, HELP, Key};
use super::qmp::Happening;
use super::screen::Screen;

/// End of transmission: Ctrl-D.
const EOT: u8 = 0x04;

/// A UART drops what it holds when its driver switches the FIFO on. Input therefore starts with the first output
/// of a kernel, or after this time for a machine that is silent until it is spoken to.
const SILENCE: Duration = Duration::from_secs(5);

/// Copies what the machine prints to `output` until the machine is gone; answers all of it.
///
/// # Panics
/// Never: a lock is not involved, and a failed write ends the machine through `to`.
pub fn listen(
    mut socket: UnixStream,
    mut output: Box<dyn Write + Send>,
    first: &Sender<()>,
    to: &Sender<Happening>,
) -> Vec<u8> {
    let mut transcript = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = match socket.read(&mut buffer) {
            Ok(0) => return transcript,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return transcript,
        };
        transcript.extend_from_slice(&buffer[..n]);
        if transcript.split(|&byte| byte == b'\n').any(is_of_a_kernel) {
            let _ = first.send(());
        }
        if output.write_all(&buffer[..n]).and_then(|()| output.flush()).is_err() {
            let _ = to.send(Happening::OutputClosed);
            output = Box::new(std::io::sink());
        }
    }
}

/// Whether a line, or what there is of it, comes from a kernel: what RumKV's init says comes before any driver.
fn is_of_a_kernel(line: &[u8]) -> bool {
    const INIT: &[u8] = b"rumkv: ";
    !line.starts_with(INIT) && !INIT.starts_with(line)
}

/// Feeds a script: all bytes, a newline if the last line lacks one, then Ctrl-D.
pub fn feed(mut socket: UnixStream, mut input: Box<dyn Read + Send>, first: &Receiver<()>) {
    let _ = first.recv_timeout(SILENCE);
    let mut buffer = [0; 4096];
    let mut last = b'\n';
    loop {
        let n = match input.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        if n == 0 {
            break;
        }
        last = buffer[n - 1];
        // An error means that the machine is gone, which others notice and report.
        if socket.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
    let end: &[u8] = if last == b'\n' { &[EOT] } else { &[b'\n', EOT] };
    let _ = socket.write_all(end);
}

/// Passes keys of a terminal on to the console that `screen` shows, but for those behind Ctrl-A.
pub fn type_keys(
    mut sockets: Vec<UnixStream>,
    screen: &Screen,
    mut input: impl Read,
    to: &Sender<Happening>,
) {
    let mut escape = Escape::default();
    let mut buffer = [0; 256];
    while let Ok(n) = input.read(&mut buffer) {
        if n == 0 {
            break;
        }
        for &byte in &buffer[..n] {
            match escape.key(byte) {
                Key::Byte(b) => {
                    let shown = sockets.get_mut(screen.front());
                    if shown.is_some_and(|socket| socket.write_all(&[b]).is_err()) {
                        return;
                    }
                }
                Key::Switch if sockets.len() > 1 => {
                    let _ = screen.switch();
                }
                Key::Switch | Key::Nothing => {}
                Key::Help => eprint!("{HELP}"),
                Key::Leave => {
                    let _ = to.send(Happening::Leave);
                    return;
                }
            }
        }
    }
    let _ = to.send(Happening::Leave);
}

/// Our terminal in raw mode; dropping it restores what was.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Every key goes to the machine. Output modes stay, so that a bare newline still returns.
    /// `None` if standard input is no terminal.
    #[must_use]
    pub fn enter() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.output_modes = before.output_modes | OutputModes::OPOST;
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
