//! The compiler's counters (LLVM, SanitizerCoverage, "Inline 8bit-counters"): one byte for each edge of the program.
//!
//! Each module of an instrumented program calls [`__sanitizer_cov_8bit_counters_init`] before `main`. In a program without
//! instrumentation nobody does, and every input counts as nothing new.
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Counters of one module.
struct Module(&'static [AtomicU8]);

static MODULES: Mutex<Vec<Module>> = Mutex::new(Vec::new());

/// Called by the compiler's constructor of each module.
///
/// # Safety
/// `start` to `stop` are bytes that live as long as the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let len = (stop as usize).saturating_sub(start as usize);
    // SAFETY: the caller's promise; atomics, as other threads of the program count meanwhile.
    let counters = unsafe { core::slice::from_raw_parts(start.cast::<AtomicU8>(), len) };
    let mut modules = MODULES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if len != 0 && modules.iter().all(|m| m.0.as_ptr() != counters.as_ptr()) {
        modules.push(Module(counters));
    }
}

/// Where the counted edges are: of no use here, and asked for by the pass.
#[unsafe(no_mangle)]
pub extern "C" fn __sanitizer_cov_pcs_init(_: *const usize, _: *const usize) {}

/// What was reached so far: of each counter the magnitudes seen, one bit each (as AFL does: 1, 2, 3, 4 to 7, ...).
pub struct Coverage {
    seen: Vec<u8>,
}

impl Coverage {
    pub fn new() -> Self {
        let modules = MODULES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Self { seen: vec![0; modules.iter().map(|m| m.0.len()).sum()] }
    }

    /// Begins anew.
    pub fn clear() {
        let modules = MODULES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        modules.iter().flat_map(|m| m.0).for_each(|counter| counter.store(0, Relaxed));
    }

    /// Whether something was reached since [`Self::clear`] that never was before; notes it.
    pub fn is_new(&mut self) -> bool {
        let modules = MODULES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut new = false;
        for (seen, counter) in self.seen.iter_mut().zip(modules.iter().flat_map(|m| m.0)) {
            let bit = magnitude(counter.load(Relaxed));
            new |= *seen | bit != *seen;
            *seen |= bit;
        }
        new
    }

    /// Edges reached, and all that there are.
    pub fn reached(&self) -> (usize, usize) {
        (self.seen.iter().filter(|&&seen| seen != 0).count(), self.seen.len())
    }
}

fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        _ => 128,
    }
}
