//! From the kernel's entry to `main`, and out again.
use core::fmt::Write as _;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use abi::call::ARGS_MAX;
pub use abi::stats::LAST_WORDS_MAX;
use abi::systable::SysTable;

use crate::{Error, console, sys};

static ARGS: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static ARGS_LEN: AtomicUsize = AtomicUsize::new(0);

/// What `main` may return.
pub trait Termination {
    /// The exit code.
    fn code(self) -> usize;
}
impl Termination for () {
    fn code(self) -> usize {
        0
    }
}
impl Termination for usize {
    fn code(self) -> usize {
        self
    }
}
impl Termination for crate::Result<()> {
    fn code(self) -> usize {
        match self {
            Ok(()) => 0,
            Err(e) => {
                crate::println!("error: {e:?}");
                1
            }
        }
    }
}
impl Termination for core::convert::Infallible {
    fn code(self) -> usize {
        match self {}
    }
}

/// Runs `main` as a fiber was entered, and exits with what it returns.
///
/// # Safety
/// The arguments are those that the kernel entered the fiber with: a readable block of `len` bytes
/// and the SysTable, both unchanging for the fiber's life.
pub unsafe fn enter<T: Termination>(
    args: *const u8,
    len: usize,
    table: *const SysTable,
    main: fn() -> T,
) -> ! {
    // SAFETY: the caller's promise.
    if !unsafe { sys::install(table) } {
        sys::halt()
    }
    ARGS.store(args.cast_mut(), Ordering::Relaxed);
    ARGS_LEN.store(if args.is_null() { 0 } else { len.min(ARGS_MAX) }, Ordering::Relaxed);
    sys::exit(main().code())
}

/// The argument block as it came; empty where there is none.
pub fn raw_args() -> &'static [u8] {
    let at = ARGS.load(Ordering::Relaxed).cast_const();
    match ARGS_LEN.load(Ordering::Relaxed) {
        0 => &[],
        // SAFETY: `enter` was promised that the block is readable and unchanging.
        len => unsafe { core::slice::from_raw_parts(at, len) },
    }
}

/// The arguments: words that end with a zero byte, or, where there is none, words between blanks.
/// A word that is not UTF-8 reads `?`.
pub fn args() -> impl Iterator<Item = &'static str> {
    words(raw_args())
}

fn words(block: &[u8]) -> impl Iterator<Item = &str> {
    let zeros = block.contains(&0);
    block
        .strip_suffix(&[0])
        .unwrap_or(block)
        .split(move |&b| if zeros { b == 0 } else { b.is_ascii_whitespace() })
        .filter(move |w| zeros || !w.is_empty())
        .map(|w| core::str::from_utf8(w).unwrap_or("?"))
}

/// What a panic does: the message to the console as far as it goes, then its beginning to the kernel
/// through `trap`, which ends the domain with [`abi::stats::end::PANIC`]: a fault like any other, so that
/// the policy in the manifest decides what comes next.
pub fn panicked(info: &PanicInfo, trap: fn(&[u8]) -> !) -> ! {
    let _ = writeln!(console::Out::new(), "{info}");
    let mut words = LastWords { bytes: [0; LAST_WORDS_MAX], len: 0 };
    if let Some(at) = info.location() {
        let _ = write!(words, "{}:{}: ", at.file(), at.line());
    }
    let _ = write!(words, "{}", info.message());
    trap(&words.bytes[..words.len])
}

/// The beginning of a message; what is more is cut.
struct LastWords {
    bytes: [u8; LAST_WORDS_MAX],
    len: usize,
}

impl core::fmt::Write for LastWords {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        for (place, &byte) in self.bytes[self.len..].iter_mut().zip(s.as_bytes()) {
            *place = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// `Error` as a word for people.
pub fn describe(error: Error) -> &'static str {
    match error {
        Error::BadCall => "bad call",
        Error::BadSlot => "no such slot",
        Error::BadAddress => "bad address",
        Error::Denied => "denied",
        Error::Revoked => "revoked",
        Error::Pledge => "beyond the pledge",
        Error::NotFound => "not found",
        Error::Full => "full",
        Error::Empty => "empty",
        Error::TooBig => "too big",
        Error::TimedOut => "timed out",
        Error::NoEnergy => "not enough energy",
        Error::NoMemory => "not enough memory",
        Error::Exists => "exists",
        Error::Gone => "gone",
        Error::NotReady => "not ready",
        Error::Unsupported => "not supported",
    }
}

/// Makes a binary an image: `_start`, the panic handler and the manifest's text.
///
/// `entry!(main, "../manifest.kdl")` takes the manifest from a file beside the source,
/// `entry!(main, kdl: "name \"x\"\n...")` from text; `main` is a `fn()` of a [`Termination`].
#[macro_export]
macro_rules! entry {
    ($main:path, kdl: $text:expr) => {
        $crate::entry!(@parts $main, $text.as_bytes());
    };
    ($main:path, $file:literal) => {
        $crate::entry!(@parts $main, include_bytes!($file));
    };
    (@parts $main:path, $bytes:expr) => {
        /// The manifest for the host tool; not loaded.
        #[used]
        #[unsafe(link_section = ".nexus.manifest")]
        static NEXUS_MANIFEST: [u8; $bytes.len()] = {
            let from: &[u8] = $bytes;
            let mut to = [0; $bytes.len()];
            let mut i = 0;
            while i < to.len() {
                to[i] = from[i];
                i += 1;
            }
            to
        };

        /// Where the kernel enters.
        ///
        /// # Safety
        /// Only the kernel calls it, as the contract says.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text._start")]
        pub unsafe extern "C" fn _start(
            args: *const u8,
            len: usize,
            table: *const $crate::abi::systable::SysTable,
        ) -> ! {
            // SAFETY: the kernel's own arguments.
            unsafe { $crate::enter(args, len, table, $main) }
        }

        #[panic_handler]
        fn panicked(info: &core::panic::PanicInfo) -> ! {
            // Here and not in the runtime, which is also built for the host, by whom its users are tested.
            fn trap(words: &[u8]) -> ! {
                // SAFETY: the kernel ends the domain; it only reads the two registers.
                unsafe {
                    core::arch::asm!(
                        "brk #{trap}",
                        trap = const $crate::abi::stats::PANIC_TRAP,
                        in("x0") words.as_ptr(),
                        in("x1") words.len(),
                        options(noreturn, nostack, readonly),
                    )
                }
            }
            $crate::start::panicked(info, trap)
        }
    };
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::{LAST_WORDS_MAX, LastWords, words};

    #[test]
    fn last_words_are_cut_not_refused() {
        let mut last = LastWords { bytes: [0; LAST_WORDS_MAX], len: 0 };
        write!(last, "{}{}", "a".repeat(100), "b".repeat(100)).unwrap();
        assert_eq!(last.len, LAST_WORDS_MAX);
        assert_eq!(&last.bytes[99..101], b"ab");
    }

    fn all(block: &[u8]) -> Vec<&str> {
        words(block).collect()
    }

    #[test]
    fn arguments_end_with_zeros_or_stand_between_blanks() {
        assert_eq!(all(b"one two\0three\0"), ["one two", "three"]);
        assert_eq!(all(b"one\0\0two"), ["one", "", "two"]);
        assert_eq!(all(b" one  two\n"), ["one", "two"]);
        assert!(all(b"").is_empty());
        assert_eq!(all(b"\0"), [""]);
        assert_eq!(all(&[0xFF, b' ', b'x']), ["?", "x"]);
    }
}
