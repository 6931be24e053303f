//! Small ELF files made by hand: what the tests pack and flatten instead of compiled programs.
#![allow(dead_code, reason = "every test file uses its own part")]

/// A segment to be.
#[derive(Clone)]
pub struct Segment {
    /// Virtual address.
    pub vaddr: u64,
    /// Physical address.
    pub paddr: u64,
    /// `p_flags`: 4 R, 2 W, 1 X.
    pub flags: u32,
    /// Contents.
    pub bytes: Vec<u8>,
    /// Bytes in memory.
    pub mem_len: u64,
    /// `p_type`: 1 PT_LOAD, 2 PT_DYNAMIC.
    pub kind: u32,
}

impl Segment {
    /// A PT_LOAD at the same physical and virtual address.
    pub fn load(addr: u64, flags: u32, bytes: Vec<u8>) -> Self {
        let mem_len = bytes.len() as u64;
        Self { vaddr: addr, paddr: addr, flags, bytes, mem_len, kind: 1 }
    }
}

/// An ELF to be.
#[derive(Clone)]
pub struct Elf {
    /// `e_type`: 2 ET_EXEC, 3 ET_DYN.
    pub kind: u16,
    /// `e_machine`: 183 aarch64.
    pub machine: u16,
    /// Entry.
    pub entry: u64,
    /// Segments.
    pub segments: Vec<Segment>,
    /// Text of `.nexus.manifest`.
    pub manifest: Option<String>,
}

fn u64s(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

impl Elf {
    /// A kernel, or anything else that is loaded by physical address.
    pub fn program(base: u64) -> Self {
        let code = 0xd503_207f_u32.to_le_bytes().repeat(16); // wfi
        let segments = vec![Segment::load(base, 5, code)];
        Self { kind: 2, machine: 183, entry: base, segments, manifest: None }
    }

    /// An image with text, data, one RELATIVE relocation at 0x2000 to 0x10, and `manifest`.
    pub fn image(manifest: &str) -> Self {
        let code = 0xd503_207f_u32.to_le_bytes().repeat(16);
        let relas = u64s(&[0x2000, 1027, 0x10]);
        // DT_RELA, DT_RELASZ, DT_RELAENT, DT_NULL
        let dynamic = u64s(&[7, 0x1000, 8, 24, 9, 24, 0, 0]);
        let mut data = Segment::load(0x2000, 6, u64s(&[0, 0x1122]));
        data.mem_len = 0x1800;
        let table = Segment { kind: 2, ..Segment::load(0x1100, 4, dynamic.clone()) };
        let mut rodata = relas;
        rodata.resize(0x100, 0);
        rodata.extend(dynamic);
        let segments =
            vec![Segment::load(0, 5, code), Segment::load(0x1000, 4, rodata), data, table];
        let manifest = Some(manifest.to_owned());
        Self { kind: 3, machine: 183, entry: 0, segments, manifest }
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let names = b"\0.nexus.manifest\0.shstrtab\0";
        let mut offset = 64 + 56 * self.segments.len();
        let mut programs = Vec::new();
        let mut body = Vec::new();
        for s in &self.segments {
            programs.extend(s.kind.to_le_bytes());
            programs.extend(s.flags.to_le_bytes());
            let len = s.bytes.len() as u64;
            programs.extend(u64s(&[offset as u64, s.vaddr, s.paddr, len, s.mem_len, 8]));
            body.extend(&s.bytes);
            body.resize(body.len().next_multiple_of(8), 0);
            offset = 64 + 56 * self.segments.len() + body.len();
        }
        let text = self.manifest.clone().unwrap_or_default();
        let (text_at, names_at) = (offset as u64, (offset + text.len()) as u64);
        body.extend(text.as_bytes());
        body.extend(names);
        let sections_at = 64 + 56 * self.segments.len() + body.len();
        let section = |name: u32, kind: u32, at: u64, len: u64| {
            let mut out: Vec<u8> =
                name.to_le_bytes().into_iter().chain(kind.to_le_bytes()).collect();
            out.extend(u64s(&[0, 0, at, len, 0, 1, 0]));
            out
        };
        let name = u32::from(self.manifest.is_some());
        let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        out.extend(self.kind.to_le_bytes());
        out.extend(self.machine.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(u64s(&[self.entry, 64, sections_at as u64]));
        out.extend(0_u32.to_le_bytes());
        for half in [64, 56, self.segments.len() as u16, 64, 3, 2] {
            out.extend(half.to_le_bytes());
        }
        out.extend(programs);
        out.extend(body);
        out.extend([0; 64]);
        out.extend(section(name, 1, text_at, text.len() as u64));
        out.extend(section(17, 3, names_at, names.len() as u64));
        out
    }
}

/// A manifest that fits every service of the tests.
pub fn manifest(name: &str, kind: &str) -> String {
    format!(
        "name \"{name}\"\nkind \"{kind}\"\nspectrum \"photon\"\nenergy 2000\n\
         pledge \"STDIO\" \"RPATH\" \"EXEC\" \"DEVICE\" \"AUDIT\"\n\
         policy \"restart\"\nstack \"16K\"\nheap \"64K\"\ndevices 8\nchannels 8\n"
    )
}
