//! What the kernel counts.
use core::fmt;

use abi::call::meta;
use abi::stats::{
    CLASS_FIBER, CLASS_HEAP, CLASS_POSTMORTEM, CLASS_SYSTEM, FiberEnd, FiberPostMortem, FiberStats,
    Heap, SystemStats, end,
};

use crate::{Error, Result, sys};

/// Version of the contract: (major, minor).
pub fn version() -> Result<(u16, u16)> {
    let value = sys::meta(meta::VERSION, &mut [])?;
    Ok(((value >> 16) as u16, value as u16))
}

/// About the caller.
pub fn own() -> Result<FiberStats> {
    let mut buf = sys::Aligned::<{ FiberStats::SIZE }>::ZERO;
    sys::meta(meta::SELF, &mut *buf)?;
    FiberStats::decode(&*buf).ok_or(Error::NotReady)
}

fn ask<const N: usize>(class: u32, index: u32, buf: &mut sys::Aligned<N>) -> Result {
    buf[..4].copy_from_slice(&class.to_le_bytes());
    buf[4..8].copy_from_slice(&index.to_le_bytes());
    sys::meta(meta::STATS, &mut **buf)
}

/// Where the own domain's heap is; zeros where the manifest gives none.
pub fn heap() -> Result<Heap> {
    let mut buf = sys::Aligned::<128>::ZERO;
    ask(CLASS_HEAP, 0, &mut buf)?;
    Heap::decode(&*buf).ok_or(Error::NotReady)
}

/// About the cell's first core, which is all of a cell with one.
pub fn system() -> Result<SystemStats> {
    core(0)
}

/// About a core; [`Error::NotFound`] where there is none.
pub fn core(index: u32) -> Result<SystemStats> {
    let mut buf = sys::Aligned::<{ SystemStats::SIZE }>::ZERO;
    ask(CLASS_SYSTEM, index, &mut buf)?;
    SystemStats::decode(&*buf).ok_or(Error::NotReady)
}

/// More places than a kernel has: where an asker without AUDIT is told `Denied` instead of the end.
const PLACES_MAX: u32 = 1024;

/// Every fiber there is, in the order of their places; of others only for a domain pledged AUDIT.
pub fn fibers() -> impl Iterator<Item = FiberStats> {
    let mut place = 0;
    core::iter::from_fn(move || {
        while place < PLACES_MAX {
            let mut buf = sys::Aligned::<{ FiberStats::SIZE }>::ZERO;
            let answer = ask(CLASS_FIBER, place, &mut buf);
            place += 1;
            match answer {
                Ok(_) => return FiberStats::decode(&*buf),
                Err(Error::Empty | Error::Denied) => {}
                Err(_) => return None,
            }
        }
        None
    })
}

/// How the last fiber of each place ended; of others only for a domain pledged AUDIT.
pub fn postmortems() -> impl Iterator<Item = FiberPostMortem> {
    let mut place = 0;
    core::iter::from_fn(move || {
        while place < PLACES_MAX {
            let mut buf = sys::Aligned::<{ FiberPostMortem::SIZE }>::ZERO;
            let answer = ask(CLASS_POSTMORTEM, place, &mut buf);
            place += 1;
            match answer {
                Ok(_) => return FiberPostMortem::decode(&*buf),
                Err(Error::Empty | Error::Denied) => {}
                Err(_) => return None,
            }
        }
        None
    })
}

/// How a fiber ended, for people: `exit 3`, `page fault at 0x10`, `killed`.
pub struct Ended<'a>(pub &'a FiberEnd);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let how = self.0;
        let name = end::NAMES.get(how.end as usize).copied().unwrap_or("unknown");
        match how.end {
            end::EXIT => write!(f, "exit {}", how.code),
            end::PAGE_FAULT | end::ALIGNMENT => {
                write!(f, "killed: {name} at {:#x} (pc {:#x})", how.code, how.pc)
            }
            end::ILLEGAL => write!(f, "killed: {name} (pc {:#x})", how.pc),
            end::RUNS | end::KILLED => f.write_str(name),
            _ => write!(f, "killed: {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, FiberEnd, end};

    fn said(end: u8, code: u64, pc: u64) -> String {
        let mut how = FiberEnd::zeroed();
        (how.end, how.code, how.pc) = (end, code, pc);
        Ended(&how).to_string()
    }

    #[test]
    fn an_end_reads_as_what_it_was() {
        assert_eq!(said(end::EXIT, 3, 0), "exit 3");
        assert_eq!(said(end::KILLED, 0, 0), "killed");
        assert_eq!(said(end::PAGE_FAULT, 16, 0x5020), "killed: page fault at 0x10 (pc 0x5020)");
        assert_eq!(said(end::ILLEGAL, 0, 8), "killed: illegal instruction (pc 0x8)");
        assert_eq!(said(end::PLEDGE, 0, 8), "killed: pledge violation");
        assert_eq!(said(77, 0, 0), "killed: unknown");
    }
}
