//! What the memory of a stopped machine says: the Boot Error Buffer and RumKV's post-mortem.
use abi::boot::{BEB_MAGIC, Beb, beb};
use abi::hypercall::{POST_MORTEM_MAGIC, PostMortem, cause};

use crate::failure::code;

/// The Boot Error Buffer with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootError {
    /// The head.
    pub head: Beb,
    /// The text after it.
    pub text: String,
}

impl BootError {
    /// Reads the buffer; `None` if nobody wrote one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let head = Beb::decode(bytes).filter(|b| b.magic == BEB_MAGIC)?;
        let end = Beb::SIZE.saturating_add(head.text_len as usize).min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[Beb::SIZE..end]).into_owned();
        Some(Self { head, text })
    }

    /// Name of the state.
    #[must_use]
    pub fn state(&self) -> &'static str {
        (self.head.state as usize)
            .checked_sub(1)
            .and_then(|i| beb::NAMES.get(i))
            .unwrap_or(&"unknown")
    }
}

/// Reads the post-mortems of the cells that ended; none without RumKV.
#[must_use]
pub fn post_mortems(page: &[u8]) -> Vec<PostMortem> {
    let all = page.chunks_exact(PostMortem::SIZE).filter_map(PostMortem::decode);
    all.filter(|p| p.magic == POST_MORTEM_MAGIC).collect()
}

/// Name of a cause.
#[must_use]
pub fn cause_name(cause: u16) -> &'static str {
    (cause as usize).checked_sub(1).and_then(|i| cause::NAMES.get(i)).unwrap_or(&"unknown cause")
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// One of [`code`].
    pub code: u8,
    /// One line for people; empty if all is well.
    pub text: String,
    /// Program counter concerned, for who has the symbols.
    pub pc: Option<u64>,
}

impl Verdict {
    fn new(code: u8, text: impl Into<String>, pc: Option<u64>) -> Self {
        Self { code, text: text.into(), pc }
    }
}

/// Judges a machine that stopped by itself.
///
/// RumKV's word comes first, because a cell that it ended could not write its own buffer; and a
/// cell that says OFF must, under RumKV, have been switched off by RumKV. Of several cells the first
/// one's ill end comes before the others'; a reset that another cell asked for is its end.
#[must_use]
pub fn judge(boot: Option<&BootError>, cells: &[PostMortem], rumkv: bool) -> Verdict {
    if let Some(b) = boot.filter(|b| b.head.state == beb::REFUSED) {
        return Verdict::new(code::REFUSED, b.text.trim_end(), None);
    }
    let post = cells.iter().find(|p| p.cell == 0);
    if let Some(p) = cells.iter().find(|p| p.cause != cause::OFF && p.cause != cause::RESET) {
        let text = format!(
            "RumKV ended cell {}: {} at {:#x}, pc {:#x}, syndrome {:#x}, core {}",
            p.cell,
            cause_name(p.cause),
            p.address,
            p.pc,
            p.syndrome,
            p.core
        );
        return Verdict::new(code::DEAD_CELL, text, Some(p.pc));
    }
    let Some(b) = boot else {
        let text = "the machine stopped, and nobody wrote why (no Boot Error Buffer)";
        return Verdict::new(code::PANIC, text, None);
    };
    match b.head.state {
        beb::OFF if rumkv && post.is_none_or(|p| p.cause != cause::OFF) => {
            let text = "the cell says that it is off, and RumKV's post-mortem does not say so";
            Verdict::new(code::DEAD_CELL, text, None)
        }
        beb::OFF if b.head.code == 0 => Verdict::new(code::OK, "", None),
        beb::OFF => {
            let text = format!("the cell ended with code {}: {}", b.head.code, b.text.trim_end());
            Verdict::new(code::ERROR, text, None)
        }
        // A table that RumKV refuses may be wrong about this very buffer: then only the console
        // tells.
        beb::BOOTING => {
            let text = "the machine stopped before the kernel ran; the console says why";
            Verdict::new(code::REFUSED, text, None)
        }
        beb::RESET => Verdict::new(code::ERROR, "the cell asked for a reset", None),
        beb::NO_SUBJECT => {
            let text = format!("subject zero ended, nothing is left to run: {}", b.text.trim_end());
            Verdict::new(code::PANIC, text, None)
        }
        _ => crash(b),
    }
}

/// PANIC, TRAP, and states that a machine must not stop in.
fn crash(b: &BootError) -> Verdict {
    let what = match b.head.state {
        beb::PANIC => "kernel panic",
        beb::TRAP => "trap to EL2 without RumKV",
        _ => "the machine stopped without saying why",
    };
    let text = format!(
        "{what}: {} (state {}, pc {:#x}, address {:#x}, syndrome {:#x})",
        b.text.trim_end(),
        b.state(),
        b.head.pc,
        b.head.address,
        b.head.syndrome
    );
    Verdict::new(code::PANIC, text, Some(b.head.pc).filter(|&pc| pc != 0))
}
