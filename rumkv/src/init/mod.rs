//! Init: runs once, decides everything, and is zeroed before the first cell runs.
//!
//! Order of work, each step able to refuse until [`release`](start) (nothing of the machine is
//! changed before the table is known to be good, except RumKV's own memory):
//!
//! 1. `start`: reads handoff and cell table, checks both ([`cells::check`]) and the machine
//!    (`machine`).
//! 2. `cell`: makes the tables that the resident part reads, and the second-stage table (`tables`).
//! 3. `gic`: fixes what cells may not change, hands over their lines disabled.
//!    `smmu`: makes the stream table, gives streams to cells, turns it on.
//! 4. `registers`: writes every EL2 register whole.
//! 5. `secondary`: starts the other cores, each of which does the same for itself; the first core
//!    of another cell also verifies and places that cell's images (`guest`). Then they wait in
//!    resident code.
//! 6. `start`: when all are there, zeroes what nexus-boot left, then init itself, enters cell 0.
//!
//! A refusal (`refuse`) says why on the console and in the Boot Error Buffer and powers the machine
//! off.

mod cell;
mod gic;
mod guest;
mod machine;
mod refuse;
mod registers;
mod secondary;
mod smmu;
mod start;
mod tables;

pub use start::{Choice, start};
