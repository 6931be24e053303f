//! The kernel's entries. What takes addresses is given slices here, so that the kernel never writes
//! to memory that the caller does not own exclusively. Records have to be [`Aligned`].
use core::sync::atomic::{AtomicUsize, Ordering};

use abi::call::{MapInfo, Range, WaitEntry, number, op};
use abi::systable::{ABI_MAJOR, MAGIC, SysTable};

use crate::{Error, Result};

/// What an entry returns in the first two return registers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0, or a negative [`Error`].
    pub status: isize,
    /// By call.
    pub value: usize,
}

/// Bytes of a record as the kernel takes them: aligned to 8, else [`Error::BadAddress`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aligned<const N: usize>(pub [u8; N]);

impl<const N: usize> Aligned<N> {
    /// Zeros.
    pub const ZERO: Self = Self([0; N]);
}

impl<const N: usize> core::ops::Deref for Aligned<N> {
    type Target = [u8; N];
    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> core::ops::DerefMut for Aligned<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

/// An entry of the SysTable.
pub type Entry = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> Answer;

/// Address of the SysTable, 0 before [`install`].
static TABLE: AtomicUsize = AtomicUsize::new(0);

/// Remembers the SysTable; `false` if it is not one that this program understands.
///
/// # Safety
/// `table` is null or points to memory that reads as a SysTable and never changes.
#[must_use]
pub(crate) unsafe fn install(table: *const SysTable) -> bool {
    if !table.is_aligned() {
        return false;
    }
    // SAFETY: aligned, and by the caller's promise null or a readable, unchanging record.
    let Some(found) = (unsafe { table.as_ref() }) else { return false };
    let fits = found.magic == MAGIC
        && found.abi_major == ABI_MAJOR
        && found.size as usize >= SysTable::SIZE
        && found.entries.iter().all(|&e| e != 0);
    if fits {
        TABLE.store(table.expose_provenance(), Ordering::Relaxed);
    }
    fits
}

/// The SysTable; `None` before the program was entered.
pub fn table() -> Option<&'static SysTable> {
    let at = core::ptr::with_exposed_provenance::<SysTable>(TABLE.load(Ordering::Relaxed));
    // SAFETY: null or what `install` checked; the kernel maps it read-only for the fiber's life.
    unsafe { at.as_ref() }
}

/// Calls entry `n` with six raw arguments. Without a SysTable or such an entry: `BadCall`.
///
/// # Safety
/// Memory that the arguments tell the kernel to write to is not in use by anything else.
pub unsafe fn raw(n: usize, args: [usize; 6]) -> Answer {
    let none = Answer { status: Error::BadCall as isize, value: 0 };
    let Some(&address) = table().and_then(|t| t.entries.get(n)) else { return none };
    // SAFETY: the table was checked: its entries are functions of this signature.
    let entry = unsafe { core::mem::transmute::<usize, Entry>(address as usize) };
    let [a0, a1, a2, a3, a4, a5] = args;
    // SAFETY: the contract of the entry; what it writes to is the caller's promise.
    unsafe { entry(a0, a1, a2, a3, a4, a5) }
}

/// As [`raw`], the status decoded.
///
/// # Safety
/// As for [`raw`].
pub unsafe fn call(n: usize, args: [usize; 6]) -> Result {
    // SAFETY: the caller's promise is this function's own.
    let answer = unsafe { raw(n, args) };
    match answer.status {
        0 => Ok(answer.value),
        // A status above the list comes from a kernel that knows more than this program.
        s => Err(Error::from_status(s).unwrap_or(Error::Unsupported)),
    }
}

fn write_to(buf: &mut [u8]) -> usize {
    buf.as_mut_ptr().expose_provenance()
}

fn read_from(buf: &[u8]) -> usize {
    buf.as_ptr().expose_provenance()
}

/// `meta`: `buf` holds the query's input in its first 8 bytes and receives the answer.
pub fn meta(query: usize, buf: &mut [u8]) -> Result {
    // SAFETY: the kernel writes only to `buf`, which is borrowed exclusively.
    unsafe { call(number::META, [query, write_to(buf), buf.len(), 0, 0, 0]) }
}

/// `exit`: ends the fiber.
pub fn exit(code: usize) -> ! {
    // SAFETY: the kernel writes nothing.
    let _ = unsafe { raw(number::EXIT, [code, 0, 0, 0, 0, 0]) };
    halt()
}

/// The end when there is no kernel to tell: a page fault at an address that nobody has.
pub(crate) fn halt() -> ! {
    loop {
        let nowhere = core::ptr::without_provenance::<u64>(8);
        // SAFETY: outside every Rust allocation; the fault that ends the domain is the purpose.
        let _ = unsafe { nowhere.read_volatile() };
    }
}

/// `yield`: lets others of the own domain and of the same spectrum run.
pub fn yield_() {
    // SAFETY: the kernel writes nothing.
    let _ = unsafe { call(number::YIELD, [0; 6]) };
}

/// `wait` until an entry of `list` is ready or the absolute `deadline` (ns) has passed
/// ([`Error::TimedOut`]); the value is how many are ready. `None`: no deadline.
pub fn wait(list: &mut [WaitEntry], deadline: Option<u64>) -> Result {
    let at = deadline.as_ref().map_or(0, |d| core::ptr::from_ref(d).expose_provenance());
    let entries = list.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes only to `list`, which is borrowed exclusively.
    unsafe { call(number::WAIT, [entries, list.len(), at, 0, 0, 0]) }
}

/// `spawn` from an encoded [`abi::call::Spawn`] and the argument block after it.
///
/// # Safety
/// For `SPAWN_FIBER` the entry is a function of the own image that never returns.
pub unsafe fn spawn(factory: u8, desc: &[u8]) -> Result {
    let args = [factory as usize, read_from(desc), desc.len(), 0, 0, 0];
    // SAFETY: the kernel only reads `desc`; what runs then is the caller's promise.
    unsafe { call(number::SPAWN, args) }
}

/// `send` of one message of 16 to 64 bytes.
pub fn send(slot: u8, message: &[u8]) -> Result {
    // SAFETY: the kernel only reads `message`.
    unsafe { call(number::SEND, [slot as usize, read_from(message), message.len(), 0, 0, 0]) }
}

/// `send` of an operation number ([`abi::call::op`]).
pub fn operate(slot: u8, operation: usize) -> Result {
    // SAFETY: with length 0 no memory is concerned.
    unsafe { call(number::SEND, [slot as usize, operation, 0, 0, 0, 0]) }
}

/// Rings the doorbell of a channel.
pub fn doorbell(slot: u8) -> Result {
    operate(slot, op::DOORBELL)
}

/// `recv` of one message into `buf`; the value is its length.
pub fn recv(slot: u8, buf: &mut [u8]) -> Result {
    recv_into(slot, buf, 0)
}

/// `recv` of the parked capability into the free slot `into`; `buf` gets an
/// [`abi::call::Landed`]. `into` 0 receives a message.
pub fn recv_into(slot: u8, buf: &mut [u8], into: u8) -> Result {
    let args = [slot as usize, write_to(buf), buf.len(), into as usize, 0, 0];
    // SAFETY: the kernel writes only to `buf`, which is borrowed exclusively.
    unsafe { call(number::RECV, args) }
}

/// `map` of the object in `slot`, `len` bytes from `offset` (0, 0: all of it) with `perms`; the
/// value is the address. With `perms` 0 the object is unmapped.
pub fn map(slot: u8, offset: usize, len: usize, perms: u8) -> Result<(usize, MapInfo)> {
    let mut rec = Aligned::<{ MapInfo::SIZE }>::ZERO;
    let args = [slot as usize, offset, len, perms as usize, write_to(&mut *rec), 0];
    // SAFETY: the kernel writes only to `rec`; mapping changes no memory that Rust knows of.
    let address = unsafe { call(number::MAP, args) }?;
    Ok((address, MapInfo::decode(&*rec).unwrap_or_else(MapInfo::zeroed)))
}

/// `mask`: narrows the capability in `slot`; verbs 0 drop it.
pub fn mask(slot: u8, verbs: u8, perms: u8, range: Option<&Range>) -> Result {
    let range = range.map_or(0, |r| core::ptr::from_ref(r).expose_provenance());
    let args = [slot as usize, verbs as usize, perms as usize, range, 0, 0];
    // SAFETY: the kernel only reads `range`.
    unsafe { call(number::MASK, args) }
}

/// `grant` of a narrowed copy through the channel in slot `via`, until the absolute `expiry` (ns).
pub fn grant(slot: u8, via: u8, verbs: u8, perms: u8, expiry: Option<u64>) -> Result {
    let at = expiry.as_ref().map_or(0, |e| core::ptr::from_ref(e).expose_provenance());
    let args = [slot as usize, via as usize, verbs as usize, perms as usize, at, 0];
    // SAFETY: the kernel only reads the expiry.
    unsafe { call(number::GRANT, args) }
}

/// `grant` with `via` = all ones: voids every copy of the capability in `slot`.
pub fn revoke(slot: u8) -> Result {
    let args = [slot as usize, abi::call::REVOKE, 0, 0, 0, 0];
    // SAFETY: no memory is concerned.
    unsafe { call(number::GRANT, args) }
}

/// `pledge` with one of [`abi::call::pledge_op`] and its record.
pub fn pledge(operation: usize, record: &[u8]) -> Result {
    // SAFETY: the kernel only reads `record`.
    unsafe { call(number::PLEDGE, [operation, read_from(record), record.len(), 0, 0, 0]) }
}

/// `tick` with one of [`abi::call::tick_op`]; `record` is as long as the longest record there is.
pub fn tick(
    clock: u8,
    operation: usize,
    record: &mut Aligned<{ abi::call::Energy::SIZE }>,
) -> Result {
    let args = [clock as usize, operation, write_to(&mut **record), 0, 0, 0];
    // SAFETY: the kernel writes at most 32 bytes, to `record`, which is borrowed exclusively.
    unsafe { call(number::TICK, args) }
}

/// `prov` with one of [`abi::call::prov_op`]; READ and LOAD write to `buf`.
pub fn prov(slot: u8, operation: usize, buf: &mut [u8]) -> Result {
    let args = [slot as usize, operation, write_to(buf), buf.len(), 0, 0];
    // SAFETY: the kernel writes only to `buf`, which is borrowed exclusively.
    unsafe { call(number::PROV, args) }
}
