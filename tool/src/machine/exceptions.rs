//! Exceptions that the processor took, counted from QEMU's own log (`-d int`): an observer that no
//! guest can fool and that costs no guest an instruction.

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Taken to EL2, of any kind.
    pub to_el2: u64,
    /// Interrupts that EL1 took, physical or virtual, of any source.
    pub interrupts: u64,
}

impl Exceptions {
    /// Counts a log. An exception is a line `Taking exception N [NAME] ...` and, some lines later,
    /// one `...from ELx to ELy`.
    #[must_use]
    pub fn count(log: &str) -> Self {
        let mut out = Self::default();
        let mut interrupt = false;
        for line in log.lines() {
            if line.starts_with("Taking exception ") {
                interrupt = ["[IRQ]", "[FIQ]", "[Virtual IRQ]", "[Virtual FIQ]"]
                    .iter()
                    .any(|name| line.contains(name));
            } else if line.starts_with("...from EL") {
                out.to_el2 += u64::from(line.ends_with("to EL2"));
                out.interrupts += u64::from(interrupt && line.ends_with("to EL1"));
            }
        }
        out
    }
}
