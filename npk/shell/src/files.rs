//! `ls` and `cat`.
use abi::call::Error;
use abi::vfs::PATH_MAX;
use rt::{console, fs, println};

use crate::command::absolute;
use crate::show::Entry;

fn said(command: &str, path: &str, error: Error) {
    let why = match error {
        // The answer to a path that cannot be one.
        Error::BadCall | Error::TooBig => "not a path",
        Error::BadSlot | Error::Denied => "files are not pledged",
        other => rt::start::describe(other),
    };
    println!("{command}: {path}: {why}");
}

/// Lists a directory, or shows a file's own line.
pub fn list(path: &str) {
    let mut buf = [0; PATH_MAX + 1];
    let path = absolute(path, &mut buf);
    let stat = match fs::stat(path) {
        Ok(stat) => stat,
        Err(e) => return said("ls", path, e),
    };
    if !stat.directory {
        println!("{}", Entry(path, stat));
        return;
    }
    for index in 0.. {
        let mut name = [0; PATH_MAX];
        match fs::list(path, index, &mut name) {
            Ok(Some((name, stat))) => println!("{}", Entry(name, stat)),
            Ok(None) => return,
            Err(e) => return said("ls", path, e),
        }
    }
}

/// Prints a file as it is.
pub fn print(path: &str) {
    let mut buf = [0; PATH_MAX + 1];
    let path = absolute(path, &mut buf);
    if fs::stat(path).is_ok_and(|s| s.directory) {
        println!("cat: {path}: is a directory");
        return;
    }
    let file = match fs::open(path) {
        Ok(file) => file,
        Err(e) => return said("cat", path, e),
    };
    let mut at = 0;
    let mut part = [0; 480];
    loop {
        match file.read(at, &mut part) {
            Ok(0) => return,
            Ok(n) => {
                // A console that is gone has nobody to tell.
                let _ = console::write(&part[..n]);
                at += n as u64;
            }
            Err(e) => return said("cat", path, e),
        }
    }
}
