//! QEMU Machine Protocol: JSON lines over a socket (QEMU documentation, "QMP Protocol Specification").
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::failure::Failure;

/// What can happen while a machine runs.
#[derive(Debug)]
pub enum Happening {
    /// A line of the control channel.
    Control(Value),
    /// QEMU closed the control channel: it is gone.
    Gone,
    /// A signal asks us to end.
    Signal(i32),
    /// The person at the terminal typed Ctrl-A x.
    Leave,
    /// Nobody reads our output any more.
    OutputClosed,
}

/// Reads the control channel until it ends.
pub fn listen(socket: UnixStream, to: &Sender<Happening>) {
    let mut lines = BufReader::new(socket).lines();
    while let Some(Ok(line)) = lines.next() {
        let Ok(value) = serde_json::from_str(&line) else { continue };
        if to.send(Happening::Control(value)).is_err() {
            return;
        }
    }
    let _ = to.send(Happening::Gone);
}

/// How long QEMU may take for an answer; it answers at once unless the host is badly overloaded.
const PATIENCE: Duration = Duration::from_mins(1);

/// Our end of the control channel.
pub struct Control {
    socket: UnixStream,
    inbox: Receiver<Happening>,
    /// What came while an answer was awaited.
    early: VecDeque<Happening>,
}

impl Control {
    /// Makes the end from the socket and what [`listen`] sends.
    pub fn new(socket: UnixStream, inbox: Receiver<Happening>) -> Self {
        Self { socket, inbox, early: VecDeque::new() }
    }

    /// Next thing that happens; `None` once `deadline` has passed.
    pub fn next(&mut self, deadline: Option<Instant>) -> Option<Happening> {
        if let Some(h) = self.early.pop_front() {
            return Some(h);
        }
        match deadline {
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())).ok(),
            None => Some(self.inbox.recv().unwrap_or(Happening::Gone)),
        }
    }

    /// Sends a command without waiting for its answer.
    pub fn send(&mut self, command: &str, arguments: &Value) -> Result<(), Failure> {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.socket.write_all(line.as_bytes()).map_err(|e| lost(command, &e.to_string()))
    }

    /// Sends a command and waits for what it returns; other happenings are kept for [`Self::next`].
    pub fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value, Failure> {
        self.send(command, arguments)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Happening::Control(v)) if v.get("return").is_some() => {
                    return Ok(v["return"].clone());
                }
                Ok(Happening::Control(v)) if v.get("error").is_some() => {
                    return Err(lost(command, &v["error"]["desc"].to_string()));
                }
                Ok(Happening::Gone) => {
                    self.early.push_back(Happening::Gone);
                    return Err(lost(command, "QEMU is gone"));
                }
                Ok(other) => self.early.push_back(other),
                Err(e) => return Err(lost(command, &e.to_string())),
            }
        }
    }
}

fn lost(command: &str, why: &str) -> Failure {
    Failure::machine(format!("QEMU did not answer `{command}`: {why}"))
}
