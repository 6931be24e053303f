//! `veiled KIND`: what a domain sees of `/Boot` before and after it unveils; the exit code is the number of the first check
//! that does not hold.
#![no_std]
#![no_main]

use abi::call::Error;
use abi::cap::{R, X};
use rt::object::Wanted;
use rt::{Factory, fs, pledge};

rt::entry!(main, kdl: r#"
name "veiled"
kind "npk"
energy 4000
pledge "STDIO" "RPATH" "EXEC"
stack "16K"
channels 1
"#);

const MOTD: &str = "/Boot/motd";
const OWN: &str = "/Boot/bin/veiled";
const OTHER: &str = "/Boot/bin/touch";

fn main() -> usize {
    match rt::args().next().unwrap_or_default() {
        "itself" => itself(),
        "manifest" => manifest(),
        "child" => child(),
        _ => 100,
    }
}

/// The number of the first check that is false; 0: all hold.
fn first_false(checks: &[bool]) -> usize {
    checks.iter().position(|held| !held).map_or(0, |at| at + 1)
}

fn stat(path: &str) -> Result<(), Error> {
    fs::stat(path).map(drop)
}

fn read(path: &str) -> Result<(), Error> {
    fs::open(path).and_then(|file| file.read(0, &mut [0; 8])).map(drop)
}

/// Whether a directory shows exactly these names.
fn shows(path: &str, names: &[&str]) -> bool {
    let mut buf = [0; 64];
    let mut all = true;
    for index in 0..names.len() as u64 {
        let found = fs::list(path, index, &mut buf);
        all &= matches!(found, Ok(Some((name, _))) if names.contains(&name));
    }
    all && matches!(fs::list(path, names.len() as u64, &mut buf), Ok(None))
}

/// Spawns this program as `child`; its exit code, or what else became of it.
fn code_of_child() -> usize {
    let wanted = Wanted { energy: 200, ..Wanted::default() };
    let child = Factory::OWN.image("veiled", b"child\0", wanted);
    let end = child.and_then(rt::Fiber::end);
    end.map_or(200, |end| if end.end == abi::stats::end::EXIT { end.code as usize } else { 201 })
}

/// A domain that veils itself.
fn itself() -> usize {
    let Ok(kept) = fs::open(MOTD) else { return 50 };
    let Ok(lost) = fs::open(OTHER) else { return 51 };
    let before = first_false(&[
        read(OTHER).is_ok(),
        stat("/Boot/none") == Err(Error::NotFound),
        pledge::unveil(MOTD, R).is_ok(),
        pledge::unveil(OWN, R | X).is_ok(),
    ]);
    if before != 0 {
        return before;
    }
    let mut buf = [0; 8];
    let after = first_false(&[
        kept.read(0, &mut buf).is_ok(),
        lost.read(0, &mut buf) == Err(Error::NotFound),
        read(MOTD).is_ok(),
        read(OTHER) == Err(Error::NotFound),
        stat(OTHER) == Err(Error::NotFound),
        stat("/Boot/none") == Err(Error::NotFound),
        stat("/Boot").is_ok(),
        shows("/", &["Boot"]),
        shows("/Boot", &["motd", "bin"]),
        shows("/Boot/bin", &["veiled"]),
        Factory::OWN.image("touch", &[], Wanted::default()).err() == Some(Error::NotFound),
        code_of_child() == 0,
        pledge::lock().is_ok(),
        pledge::unveil("/", R) == Err(Error::Denied),
        read(OTHER) == Err(Error::NotFound),
    ]);
    if after == 0 { 0 } else { 10 + after }
}

/// A service whose manifest unveils /Boot with R, and hides a part of it again.
fn manifest() -> usize {
    first_false(&[
        read(MOTD).is_ok(),
        read(OTHER) == Err(Error::NotFound),
        shows("/Boot", &["motd"]),
        pledge::unveil("/", R | X).is_ok(),
        read(OTHER) == Err(Error::NotFound),
        Factory::OWN.image("veiled", b"child\0", Wanted::default()).err() == Some(Error::NotFound),
    ])
}

/// What `itself` left to its child.
fn child() -> usize {
    first_false(&[
        read(MOTD).is_ok(),
        read(OTHER) == Err(Error::NotFound),
        pledge::unveil("/", R | X).is_ok(),
        read(MOTD).is_ok(),
        read(OTHER) == Err(Error::NotFound),
        shows("/Boot/bin", &["veiled"]),
        pledge::unveil(MOTD, 0).is_ok(),
        stat(MOTD) == Err(Error::NotFound),
    ])
}
