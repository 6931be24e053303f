//! The longest that the kernel runs with preemption off, from QEMU's log of the blocks that it executes (`-d exec`): every
//! instruction of the kernel is seen, whatever brought the processor there, and the kernel itself is the one that is shipped.
//!
//! A stretch begins where the vectors are entered, by a call, a fault or an interrupt, and where the scheduler takes what
//! interrupted meanwhile: after each step of a job and after a sleep. It ends where the next one begins. A block that a fault
//! leaves in its midst counts whole.
use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol};

use crate::failure::{Context, Failure};

/// Slots of the vectors that a fiber comes in by (D1.3.1.5), and what they are for.
const ENTRIES: [(u64, &str); 4] =
    [(0x000, "call"), (0x400, "call or fault"), (0x480, "interrupt"), (0x580, "error")];

/// Addresses of a kernel that say where a stretch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    vectors: u64,
    /// Where the scheduler takes what interrupted.
    look: u64,
    /// Of the kernel's instructions: from, bytes.
    text: (u64, u64),
}

impl Marks {
    /// Those of the kernel `elf`.
    pub fn of(elf: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(elf).context(|| format!("read {}", elf.display()))?;
        let file = object::File::parse(&*bytes).context(|| "read the kernel's ELF".into())?;
        let found = |end: &str| {
            let named = |s: &object::Symbol| s.name().is_ok_and(|n| plain(n).ends_with(end));
            let symbol = file.symbols().find(named);
            symbol.ok_or_else(|| Failure::new(format!("the kernel has no symbol `{end}`")))
        };
        let text = file.section_by_name(".text");
        let text = text.ok_or_else(|| Failure::new("the kernel has no text"))?;
        Ok(Self {
            vectors: found("arch_vectors")?.address(),
            look: found("::interrupts")?.address(),
            text: (text.address(), text.size()),
        })
    }

    /// QEMU's arguments for a log of these instructions in `file`. Blocks are not chained, as who goes from one straight to the
    /// next says nothing.
    #[must_use]
    pub fn arguments(&self, file: &str) -> Vec<String> {
        let range = format!("{:#x}+{:#x}", self.text.0, self.text.1);
        ["-d", "in_asm,exec,nochain", "-dfilter", &range, "-D", file].map(String::from).into()
    }
}

/// A mangled name without the hash at its end.
fn plain(symbol: &str) -> String {
    let name = addr2line::demangle_auto(symbol.into(), None).into_owned();
    match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 => name.into(),
        _ => name,
    }
}

/// One stretch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Its length.
    pub instructions: u64,
    /// What began it.
    pub cause: &'static str,
    /// Its blocks in order: address, instructions.
    pub blocks: Vec<(u64, u64)>,
}

/// Reads a log while it is written.
pub struct Reader {
    marks: Marks,
    /// Instructions of each translated block, by where QEMU has it.
    sizes: HashMap<u64, u64>,
    /// Instructions of the block that the log shows, until it is executed.
    shown: Option<u64>,
    /// An interrupt came in by the vectors: that it is looked at begins nothing.
    interrupted: bool,
    now: Stretch,
    longest: Stretch,
}

impl Reader {
    /// At the start of a log.
    #[must_use]
    pub fn new(marks: Marks) -> Self {
        let (now, longest) = (Stretch { cause: "boot", ..Stretch::default() }, Stretch::default());
        Self { marks, sizes: HashMap::new(), shown: None, interrupted: false, now, longest }
    }

    /// Reads to the end; the longest stretch but boot's, before which no fiber waits.
    pub fn read(mut self, mut log: impl BufRead) -> Stretch {
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            match line[0] {
                b'I' => self.shown = Some(0),
                b'0' => self.shown = self.shown.map(|n| n + 1),
                b'T' => self.executes(&line),
                _ => {}
            }
            line.clear();
        }
        self.ends("");
        self.longest
    }

    /// `Trace 0: 0x7f0123456789 [flags/address/flags/flags] name`.
    fn executes(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split([' ', '/']).skip(2);
        let number =
            |word: Option<&str>| u64::from_str_radix(word?.trim_start_matches("0x"), 16).ok();
        let (Some(block), Some(at)) = (number(words.next()), number(words.nth(1))) else { return };
        if let Some(size) = self.shown.take() {
            self.sizes.insert(block, size);
        }
        let slot = ENTRIES.iter().find(|(offset, _)| at == self.marks.vectors + offset);
        if let Some((_, cause)) = slot {
            self.ends(cause);
            self.interrupted = *cause == "interrupt";
        } else if at == self.marks.look && !std::mem::take(&mut self.interrupted) {
            self.ends("step or wake");
        }
        let size = self.sizes.get(&block).copied().unwrap_or(0);
        self.now.instructions += size;
        self.now.blocks.push((at, size));
    }

    /// The stretch is over; another one begins by `cause`.
    fn ends(&mut self, cause: &'static str) {
        if self.now.instructions > self.longest.instructions && self.now.cause != "boot" {
            std::mem::swap(&mut self.now, &mut self.longest);
        }
        self.now.instructions = 0;
        self.now.blocks.clear();
        self.now.cause = cause;
    }
}

impl Stretch {
    /// The addresses in it by the instructions spent there, the most first: `name` says whose an address is.
    #[must_use]
    pub fn places(&self, name: impl Fn(u64) -> String) -> Vec<(String, u64)> {
        let mut sums: HashMap<u64, u64> = HashMap::new();
        for (at, size) in &self.blocks {
            *sums.entry(*at).or_default() += size;
        }
        let mut named: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
        for (at, size) in sums {
            *named.entry(name(at)).or_default() += size;
        }
        let mut out: Vec<_> = named.into_iter().collect();
        out.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Marks, Reader, Stretch};

    const MARKS: Marks = Marks { vectors: 0x1000, look: 0x2000, text: (0x1000, 0x2000) };

    /// A log of blocks: where QEMU has it, address, instructions of one that is translated now.
    fn longest(blocks: &[(u64, u64, u64)]) -> Stretch {
        let mut log = String::new();
        for (block, at, size) in blocks {
            if *size != 0 {
                log += "----------------\nIN: \n";
                for i in 0..*size {
                    let _ = writeln!(log, "{:#018x}:  d503201f  nop", at + 4 * i);
                }
                log += "\n";
            }
            let _ = writeln!(log, "Trace 0: {block:#x} [00104404/{at:016x}/00001121/ff022200] ");
        }
        Reader::new(MARKS).read(log.as_bytes())
    }

    #[test]
    fn a_stretch_goes_from_entry_to_entry() {
        let call = [(1, 0x1400, 3), (2, 0x1800, 10), (2, 0x1800, 0), (1, 0x1400, 0)];
        let found = longest(&call);
        assert_eq!((found.instructions, found.cause), (23, "call or fault"));
        assert_eq!(found.places(|at| format!("{at:x}"))[0], ("1800".into(), 20));
    }

    #[test]
    fn boot_is_none() {
        assert_eq!(longest(&[(2, 0x1800, 100), (1, 0x1400, 3)]).instructions, 3);
    }

    #[test]
    fn a_step_of_a_job_ends_one_and_the_look_at_an_interrupt_does_not() {
        let call = [(1, 0x1400, 3), (2, 0x1800, 10), (3, 0x2000, 5), (2, 0x1800, 0)];
        assert_eq!(longest(&call).instructions, 15);
        let interrupt = [(1, 0x1480, 3), (2, 0x1800, 10), (3, 0x2000, 5), (2, 0x1800, 0)];
        assert_eq!(longest(&interrupt).instructions, 28);
    }

    #[test]
    fn the_same_address_translated_again_has_another_length() {
        let cut = [(1, 0x1400, 3), (2, 0x1800, 10), (4, 0x1800, 4), (2, 0x1800, 0)];
        assert_eq!(longest(&cut).instructions, 27);
    }
}
