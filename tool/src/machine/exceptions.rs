//! Exceptions that the processor took, counted from QEMU's own log (`-d int`): an observer that no
//! guest can fool and that costs no guest an instruction.

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Taken to EL2, of any kind.
    pub to_el2: u64,
    /// Of these, TLB maintenance instructions (HCR_EL2.TTLB, which `rumkv-count-tlb` sets).
    pub tlb_maintenance: u64,
}

/// What QEMU calls the exception of an instruction that traps.
const TRAPPED: &str = "[Undefined Instruction]";
/// ESR_ELx of a trapped MSR, MRS or SYS: the exception class (D24.2.40, ISS encoding for EC 0x18).
const SYSTEM_REGISTER: &str = "0x18";
/// Op0, CRn and direction in its ISS.
const SPACE: u64 = 0b11 << 20 | 0b1111 << 10 | 1;
/// Those of every TLBI: op0 1, CRn 8, a write.
const TLBI: u64 = 1 << 20 | 8 << 10;

impl Exceptions {
    /// Counts a log. An exception is a line `Taking exception N [NAME] ...` and a line
    /// `...from ELx to ELy`, then a line `...with ESR CLASS/ESR`: an old
    /// syndrome if it is an interrupt.
    #[must_use]
    pub fn count(log: &str) -> Self {
        let mut out = Self::default();
        let (mut trapped, mut to_el2) = (false, false);
        for line in log.lines() {
            if line.starts_with("Taking exception ") {
                trapped = line.contains(TRAPPED);
            } else if line.starts_with("...from EL") {
                to_el2 = line.ends_with("to EL2");
                out.to_el2 += u64::from(to_el2);
            } else if let Some(syndrome) = line.strip_prefix("...with ESR ") {
                out.tlb_maintenance += u64::from(trapped && to_el2 && is_tlbi(syndrome));
            }
        }
        out
    }
}

/// Whether a syndrome as QEMU writes it, class and whole register, is that of a trapped TLBI.
fn is_tlbi(syndrome: &str) -> bool {
    let Some((class, esr)) = syndrome.split_once("/0x") else { return false };
    let esr = u64::from_str_radix(esr.trim_end(), 16);
    class == SYSTEM_REGISTER && esr.is_ok_and(|esr| esr & SPACE == TLBI)
}
