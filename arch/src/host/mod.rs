//! A machine in ordinary memory.
