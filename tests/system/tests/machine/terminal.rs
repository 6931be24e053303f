//! `./nexus run` at a terminal: keys go to the machine, Ctrl-A x leaves, the terminal is as before.
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use system::command::{descendants, nexus, runs};

/// A pseudo-terminal: our end, and the end that a program takes for its terminal.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&ours).expect("grant it");
    unlockpt(&ours).expect("unlock it");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    let theirs = OpenOptions::new().read(true).write(true).open(path).expect("its other end");
    (File::from(ours), theirs)
}

fn await_text(terminal: &mut File, text: &str) {
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let n = terminal.read(&mut buffer).expect("what it shows");
        seen.extend_from_slice(&buffer[..n]);
    }
}

#[test]
fn ctrl_c_goes_to_the_machine_and_ctrl_a_x_leaves() {
    let (mut ours, theirs) = terminal();
    let modes = || tcgetattr(&theirs).expect("modes").local_modes;
    let before = modes();
    let share = || theirs.try_clone().expect("another handle");
    let mut command = nexus(&["run", "micro"]);
    command.stdin(share()).stdout(share()).stderr(share());
    let mut child = command.spawn().expect("start ./nexus");
    await_text(&mut ours, "> ");
    assert!(!modes().intersects(LocalModes::ISIG | LocalModes::ICANON | LocalModes::ECHO));
    let processes = descendants(child.id());
    // Ctrl-C does not end it: the command after it is answered.
    ours.write_all(b"\x03echo still here\r").expect("keys");
    await_text(&mut ours, "\nstill here");
    ours.write_all(b"\x01h").expect("keys");
    await_text(&mut ours, "Ctrl-A x  leave the machine");
    ours.write_all(b"\x01x").expect("keys");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    assert_eq!(modes(), before);
    assert!(!processes.is_empty() && processes.iter().all(|&p| !runs(p)), "{processes:?}");
}
