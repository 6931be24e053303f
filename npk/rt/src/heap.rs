//! The heap that the manifest gives (`heap "64K"`), as a global allocator: `alloc` for those who want it.
//!
//! ```ignore
//! extern crate alloc;
//! rt::heap!();
//!
//! let mut list = alloc::vec::Vec::new();
//! list.try_reserve(1 << 20).map_err(|_| rt::Error::NoMemory)?;
//! ```
//!
//! TLSF (Masmano, Ripoll, Crespo, Real: TLSF, a new dynamic memory allocator for real-time systems, ECRTS
//! 2004) in the crate `rlsf`: allocating and freeing take constant time, whatever came before, so that a
//! fiber of a high spectrum may do both. The extent is fixed at birth: when it is used up an allocation
//! fails, which `try_reserve` tells and `push` turns into a panic.
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use rlsf::Tlsf;

use crate::{Result, stats};

/// Blocks of 32 bytes to 64 MB, the most that a manifest can give, in 16 classes for each power of two.
type Classes = Tlsf<'static, u32, u16, 22, 16>;

/// The allocator; [`heap!`](crate::heap!) declares it.
pub struct Heap {
    /// Whether somebody is inside, and whether the extent was found.
    busy: AtomicBool,
    begun: AtomicBool,
    classes: UnsafeCell<Classes>,
}

// SAFETY: `enter` lets one in at a time. Fibers of a domain share one core and change places only inside
// calls, so that nobody is ever found inside but by the allocator itself.
unsafe impl Sync for Heap {}

impl Heap {
    /// An allocator that asks for its extent at the first allocation.
    pub const fn new() -> Self {
        Self {
            busy: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            classes: UnsafeCell::new(Classes::new()),
        }
    }

    /// Runs `f` on the classes; `None` if somebody is inside already.
    fn enter<T>(&self, f: impl FnOnce(&mut Classes) -> T) -> Option<T> {
        if self.busy.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: `busy` was clear: nobody else has the reference.
        let classes = unsafe { &mut *self.classes.get() };
        let value = f(classes);
        self.busy.store(false, Ordering::Release);
        Some(value)
    }

    /// Asks the kernel where the heap is. Once: what has no heap now never gets one.
    fn begin(&self) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Ok(extent) = extent() {
            self.enter(|classes| {
                // SAFETY: the kernel gave the extent to this domain for its life, and nothing else in it
                // knows the address.
                unsafe { classes.insert_free_block_ptr(extent) }
            });
        }
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

fn extent() -> Result<NonNull<[u8]>> {
    let heap = stats::heap()?;
    let base = core::ptr::with_exposed_provenance_mut::<u8>(heap.base as usize);
    let base = NonNull::new(base).ok_or(crate::Error::NoMemory)?;
    Ok(NonNull::slice_from_raw_parts(base, heap.len as usize))
}

// SAFETY: TLSF gives out disjoint blocks of its pool with the layout asked for; a failure is null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.begin();
        let block = self.enter(|classes| classes.allocate(layout)).flatten();
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else { return };
        self.enter(|classes| {
            // SAFETY: by the caller's promise the block came from `alloc` with this layout.
            unsafe { classes.deallocate(block, layout.align()) }
        });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let wanted = Layout::from_size_align(size, layout.align()).ok().zip(NonNull::new(block));
        let grown = wanted.and_then(|(wanted, block)| {
            self.enter(|classes| {
                // SAFETY: as for `dealloc`; the alignment is the block's own.
                unsafe { classes.reallocate(block, wanted) }
            })
        });
        grown.flatten().map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }
}

/// Makes the manifest's heap the program's global allocator.
#[macro_export]
macro_rules! heap {
    () => {
        #[global_allocator]
        static NEXUS_HEAP: $crate::heap::Heap = $crate::heap::Heap::new();
    };
}

#[cfg(test)]
mod tests {
    use super::{GlobalAlloc, Heap, Layout};
    use crate::fake::kernel;

    /// A heap of `len` bytes, which the kernel tells of.
    fn with(len: usize) -> Heap {
        let memory: &'static mut [u64] = Vec::leak(vec![0; len / 8]);
        let base = memory.as_mut_ptr().expose_provenance() as u64;
        kernel(|k| k.heap = (base, len as u64));
        Heap::new()
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    fn take(heap: &Heap, layout: Layout) -> *mut u8 {
        // SAFETY: no layout here is of zero bytes.
        unsafe { heap.alloc(layout) }
    }

    fn give(heap: &Heap, block: *mut u8, layout: Layout) {
        // SAFETY: taken from this heap with this layout, and given once.
        unsafe { heap.dealloc(block, layout) }
    }

    #[test]
    fn it_is_used_up_and_then_whole_again() {
        let heap = with(64 << 10);
        let (start, len) = kernel(|k| k.heap);
        let block = layout(1000, 8);
        for _ in 0..3 {
            let taken: Vec<_> = std::iter::repeat_with(|| take(&heap, block))
                .take_while(|b| !b.is_null())
                .collect();
            assert!((50..=65).contains(&taken.len()), "{} of 1000 bytes", taken.len());
            let mut at: Vec<u64> = taken.iter().map(|b| b.addr() as u64).collect();
            at.sort_unstable();
            assert!(at.windows(2).all(|p| p[0] + 1000 <= p[1]), "none lies in another");
            assert!(at[0] >= start && at[at.len() - 1] + 1000 <= start + len);
            for b in taken {
                give(&heap, b, block);
            }
        }
        let most = layout(60 << 10, 8);
        let whole = take(&heap, most);
        assert!(!whole.is_null(), "what was given back is one again");
        give(&heap, whole, most);
    }

    #[test]
    fn a_block_grows_and_keeps_what_it_holds() {
        let heap = with(16 << 10);
        let small = layout(64, 64);
        let block = take(&heap, small);
        assert!(block.addr().is_multiple_of(64));
        // SAFETY: 64 bytes of the block's own.
        unsafe { block.write_bytes(7, 64) };
        // SAFETY: the block is the heap's, with this layout.
        let grown = unsafe { heap.realloc(block, small, 4096) };
        // SAFETY: at least 4096 bytes of the block's own, the first 64 written.
        let kept = unsafe { core::slice::from_raw_parts(grown, 64) };
        assert_eq!(kept, [7; 64]);
        // SAFETY: as above.
        let too_big = unsafe { heap.realloc(grown, layout(4096, 64), 1 << 20) };
        assert!(too_big.is_null());
        give(&heap, grown, layout(4096, 64));
    }

    #[test]
    fn without_a_heap_there_is_nothing_to_give() {
        kernel(|k| k.heap = (0, 0));
        assert!(take(&Heap::new(), layout(8, 8)).is_null());
    }
}
