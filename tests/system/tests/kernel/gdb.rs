//! As much of GDB's Remote Serial Protocol (GDB manual, appendix E) as sets a register of a machine that waits.
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Number of the program counter among AArch64's registers, as QEMU's `gdb-xml/aarch64-core.xml` counts them.
const PC: u8 = 32;
/// Of the processor's state.
const PSTATE: u8 = 33;

/// A connection to QEMU's gdb server. The machine stands still from here on until it is dropped.
pub struct Gdb(UnixStream);

impl Gdb {
    /// The server at the socket `path`, which QEMU makes when it starts.
    pub fn connect(path: &Path) -> Self {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            match UnixStream::connect(path) {
                Ok(socket) => {
                    socket.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
                    return Self(socket);
                }
                Err(e) => assert!(Instant::now() < deadline, "no gdb server: {e}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a packet; the payload of the answer.
    fn ask(&mut self, packet: &str) -> String {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        write!(self.0, "${packet}#{sum:02x}").expect("QEMU listens");
        let mut answer = Vec::new();
        let mut byte = [0];
        // `+` acknowledges; then `$payload#` and two digits.
        while byte != *b"$" {
            self.0.read_exact(&mut byte).expect("an answer");
        }
        loop {
            self.0.read_exact(&mut byte).expect("an answer");
            if byte == *b"#" {
                break;
            }
            answer.push(byte[0]);
        }
        self.0.read_exact(&mut [0; 2]).expect("a checksum");
        self.0.write_all(b"+").expect("QEMU listens");
        String::from_utf8(answer).expect("text")
    }

    /// Makes the core go on at `pc` if it is in the kernel, and lets the machine run; whether it was.
    pub fn go_on_at(mut self, pc: u64) -> bool {
        // Little-endian digits; bits 3:2 of the first byte are the exception level.
        let state = self.ask(&format!("p{PSTATE:x}"));
        let level = u8::from_str_radix(&state[..2], 16).expect("digits") >> 2 & 3;
        if level == 1 {
            let digits = format!("{:016x}", pc.swap_bytes());
            assert_eq!(self.ask(&format!("P{PC:x}={digits}")), "OK");
        }
        assert_eq!(self.ask("D"), "OK");
        level == 1
    }
}
