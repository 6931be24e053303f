//! RumKV, the hypervisor: it partitions a machine into cells and then gets out of the way.
//!
//! There are two programs in the image, and the linker keeps them apart (`link.ld`):
//!
//! - [`init`] runs once. It checks the cell table against itself and against the machine, refuses
//!   to boot with a reason rather than guess, builds the tables that the hardware walks, writes
//!   every EL2 register whole, and at last is zeroed together with everything that nexus-boot left
//!   behind.
//! - [`resident`] is what remains: exception vectors and a handler for each of the few things that
//!   a cell cannot do by itself. It has no heap, no run loop, no loop without a constant bound,
//!   prints nothing and maps nothing.
//!
//! To follow one trap: `resident/vectors.rs` saves the registers, `resident/trap.rs` reads the
//! syndrome and asks one of `hypercall`, `firmware`, `distributor`, `sysreg`, and the vectors
//! return. To follow the boot: `init/start.rs`.
//!
//! Every image is a main file in `src/bin` that chooses values for [`image!`]; there are no cargo
//! features.
#![no_std]
#![cfg(target_os = "none")]
#![allow(
    clippy::inline_always,
    reason = "resident code must not call out of its part of the image"
)]

pub mod init;
pub mod memory;
pub mod resident;
pub mod system;

/// Declares an image: the handler that the vectors enter, and what init is to do differently in a
/// test image.
///
/// `count_tlb`: TLB maintenance of the cell traps and is counted. `expose`: RumKV's own memory is
/// mapped into the cell, `open_sgi`: its SGIs go where it says; only for the attacks that must then be
/// seen to succeed.
#[macro_export]
macro_rules! image {
    (count_tlb: $count_tlb:literal, expose: $expose:literal, open_sgi: $open_sgi:literal) => {
        /// What the vectors enter for a synchronous exception of the cell.
        // SAFETY: the name is the vectors' and is defined once per image, here.
        #[unsafe(no_mangle)]
        extern "C" fn resident_sync(frame: &mut $crate::resident::Frame) -> ! {
            $crate::resident::synchronous::<$count_tlb, $open_sgi>(frame)
        }

        /// What `_start` enters, with the address of the handoff.
        // SAFETY: the name is `_start`'s and is defined once per image, here.
        #[unsafe(no_mangle)]
        extern "C" fn init_main(handoff: u64) -> ! {
            $crate::init::start(
                handoff,
                $crate::init::Choice { count_tlb: $count_tlb, expose: $expose },
            )
        }
    };
}
