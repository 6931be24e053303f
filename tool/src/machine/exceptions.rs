//! Exceptions that the processor took, counted from QEMU's own log (`-d int`): an observer that no
//! guest can fool and that costs no guest an instruction.

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Taken to EL2, of any kind.
    pub to_el2: u64,
}

impl Exceptions {
    /// Counts a log. An exception is a line `Taking exception N [NAME] ...` and a line
    /// `...from ELx to ELy`.
    #[must_use]
    pub fn count(log: &str) -> Self {
        let mut out = Self::default();
        for line in log.lines() {
            let target = line.starts_with("...from EL") && line.ends_with("to EL2");
            out.to_el2 += u64::from(target);
        }
        out
    }
}
