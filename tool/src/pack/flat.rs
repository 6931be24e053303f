//! A flat binary: the PT_LOADs of an ELF by physical address.
use super::elf::{Elf, Load};

/// Most bytes that a flat binary may take in memory.
const LONGEST: u64 = 64 << 20;

/// A flat binary and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// Physical address of the first byte.
    pub base_paddr: u64,
    /// Physical address of the first instruction.
    pub entry_paddr: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Bytes in memory; what `bytes` does not fill is zero.
    pub mem_len: u64,
}

/// Flattens RumKV, a kernel or nexus-boot.
///
/// # Errors
/// What is no such ELF, segments that overlap, an entry outside.
pub fn flatten(elf: &[u8]) -> Result<Flat, String> {
    let elf = Elf::open(elf)?;
    let mut loads = elf.loads()?;
    loads.sort_by_key(|l| l.paddr);
    for pair in loads.windows(2) {
        if pair[0].paddr + pair[0].mem_len > pair[1].paddr {
            return Err(format!("two segments overlap at {:#x}", pair[1].paddr));
        }
    }
    let end = |l: &Load| l.paddr + l.mem_len;
    let (first, last) = (loads[0], loads[loads.len() - 1]);
    let mem_len = end(&last) - first.paddr;
    if mem_len > LONGEST {
        return Err(format!("the program takes {mem_len} bytes of memory, most is {LONGEST}"));
    }
    let mut bytes = Vec::new();
    for load in loads.iter().filter(|l| !l.bytes.is_empty()) {
        bytes.resize((load.paddr - first.paddr) as usize, 0);
        bytes.extend_from_slice(load.bytes);
    }
    let entry_paddr = entry(&elf, &loads)?;
    Ok(Flat { base_paddr: first.paddr, entry_paddr, bytes, mem_len })
}

/// The entry is a virtual address of a segment; a kernel that starts with the MMU off may give a
/// physical one.
fn entry(elf: &Elf, loads: &[Load]) -> Result<u64, String> {
    let entry = elf.entry();
    let executable = |l: &&Load| l.perms & u32::from(abi::cap::X) != 0;
    let inside = |base: u64, l: &Load| entry >= base && entry - base < l.bytes.len() as u64;
    let mut code = loads.iter().filter(executable);
    code.clone()
        .find(|l| inside(l.vaddr, l))
        .map(|l| entry - l.vaddr + l.paddr)
        .or_else(|| code.find(|l| inside(l.paddr, l)).map(|_| entry))
        .ok_or_else(|| format!("the entry {entry:#x} lies in no executable segment"))
}
