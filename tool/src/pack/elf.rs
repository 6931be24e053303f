//! Opens an ELF (System V gABI, and the ELF for the Arm 64-bit Architecture supplement).
use object::{
    Endianness,
    elf::{EM_AARCH64, FileHeader64, PF_R, PF_W, PF_X, PT_LOAD, ProgramHeader64},
    read::elf::{FileHeader, ProgramHeader},
};

/// A 64-bit little-endian ELF for aarch64.
pub struct Elf<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// Its header.
    pub header: &'a FileHeader64<Endianness>,
    /// Byte order.
    pub endian: Endianness,
    /// Its program headers.
    pub programs: &'a [ProgramHeader64<Endianness>],
}

/// One PT_LOAD.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Virtual address.
    pub vaddr: u64,
    /// Physical address.
    pub paddr: u64,
    /// Bytes in memory; what `bytes` does not fill is zero.
    pub mem_len: u64,
    /// Contents.
    pub bytes: &'a [u8],
    /// Permissions, bits of `abi::cap`.
    pub perms: u32,
}

impl<'a> Elf<'a> {
    /// Opens `bytes`.
    ///
    /// # Errors
    /// What is no ELF of this kind.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let no = |e| format!("no 64-bit ELF: {e}");
        let header = FileHeader64::<Endianness>::parse(bytes).map_err(no)?;
        let endian = header.endian().map_err(no)?;
        if endian != Endianness::Little || header.e_machine(endian) != EM_AARCH64 {
            return Err("the ELF is not for aarch64, little-endian".to_owned());
        }
        let programs = header.program_headers(endian, bytes).map_err(no)?;
        Ok(Self { bytes, header, endian, programs })
    }

    /// Its PT_LOADs that take memory.
    ///
    /// # Errors
    /// Contents outside the file, and addresses that wrap.
    pub fn loads(&self) -> Result<Vec<Load<'a>>, String> {
        let endian = self.endian;
        let mut out = Vec::new();
        for (number, program) in self.programs.iter().enumerate() {
            if program.p_type(endian) != PT_LOAD || program.p_memsz(endian) == 0 {
                continue;
            }
            let bytes = program
                .data(endian, self.bytes)
                .map_err(|()| format!("segment {number} lies outside the file"))?;
            let flags = program.p_flags(endian);
            let bit = |flag, bit: u8| if flags & flag == flag { u32::from(bit) } else { 0 };
            let load = Load {
                vaddr: program.p_vaddr(endian),
                paddr: program.p_paddr(endian),
                mem_len: program.p_memsz(endian),
                bytes,
                perms: bit(PF_R, abi::cap::R) | bit(PF_W, abi::cap::W) | bit(PF_X, abi::cap::X),
            };
            let wraps = |base: u64| base.checked_add(load.mem_len).is_none();
            if bytes.len() as u64 > load.mem_len || wraps(load.vaddr) || wraps(load.paddr) {
                return Err(format!("segment {number} has impossible lengths"));
            }
            out.push(load);
        }
        if out.is_empty() { Err("the ELF loads nothing".to_owned()) } else { Ok(out) }
    }

    /// Address of the first instruction, as linked.
    pub fn entry(&self) -> u64 {
        self.header.e_entry(self.endian)
    }
}
