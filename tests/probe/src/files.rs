//! What the VFS shows.
use abi::vfs::PATH_MAX;
use rt::{Result, fs, println, sys};

/// Offset basis of FNV-1a, 64 bits.
const BASIS: u64 = 0xCBF2_9CE4_8422_2325;
/// Prime of FNV-1a, 64 bits.
const PRIME: u64 = 0x0100_0000_01B3;

/// All below `path`, with kind, size and a hash of the contents.
pub fn walk(path: &str) {
    for index in 0.. {
        let mut name = [0; PATH_MAX];
        match fs::list(path, index, &mut name) {
            Ok(Some((name, stat))) => {
                let mut buf = [0; PATH_MAX];
                let Some(below) = joined(&mut buf, path, name) else {
                    return println!("file.{path}.{index} = too long");
                };
                if stat.directory {
                    println!("file.{below} = directory {}", stat.size);
                    walk(below);
                } else {
                    println!("file.{below} = {} {:x?}", stat.size, hash(below));
                }
            }
            end => return println!("file.{path}.entries = {index} {:?}", end.map(drop)),
        }
    }
}

fn joined<'a>(buf: &'a mut [u8], path: &str, name: &str) -> Option<&'a str> {
    let mut at = 0;
    for part in [path, "/", name] {
        buf.get_mut(at..at + part.len())?.copy_from_slice(part.as_bytes());
        at += part.len();
    }
    core::str::from_utf8(&buf[..at]).ok()
}

/// FNV-1a of a file's contents.
fn hash(path: &str) -> Result<u64> {
    let file = fs::open(path)?;
    let (mut part, mut at, mut hash) = ([0; 1024], 0, BASIS);
    loop {
        let n = file.read(at, &mut part)?;
        if n == 0 {
            return Ok(hash);
        }
        for &byte in &part[..n] {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        at += n as u64;
        // Who computes longer than its energy lasts is throttled for it, not struck.
        sys::yield_();
    }
}
