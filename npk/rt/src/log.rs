//! Lines for people, with a level: to the console, and nowhere where there is none.
//!
//! ```no_run
//! rt::info!("listening on channel {:#x}", 0x10001);
//! rt::log::set_level(rt::log::Level::Debug);
//! rt::debug!("shown now");
//! ```
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::{Clock, console};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something went wrong, and what was asked for is not done.
    Error = 1,
    /// Something is odd; it goes on.
    Warn = 2,
    /// What an operator wants to know. The level at start.
    Info = 3,
    /// What its author wants to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// The level called `name`, in small letters, as [`fmt::Display`] writes it.
    ///
    /// ```
    /// use rt::log::Level;
    /// assert_eq!(Level::named("warn"), Some(Level::Warn));
    /// assert!(Level::Error < Level::Trace);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|l| l.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Shows lines up to `level` from now on, in the whole domain.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Whether lines of `level` are shown.
pub fn enabled(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// What [`log!`](crate::log!) does with a line that is shown.
#[cold]
pub fn write(level: Level, module: &str, text: fmt::Arguments) {
    let now = Clock::OWN.now() / 1000;
    let (s, us) = (now / 1_000_000, now % 1_000_000);
    console::print_line(format_args!("[{s:4}.{us:06}] {level:5} {module}: {text}"));
}

/// Writes a line of a [`Level`] if it is shown: time since boot, level, module, text. What the text is made
/// from is computed only then.
#[macro_export]
macro_rules! log {
    ($level:expr, $($text:tt)*) => {{
        let level: $crate::log::Level = $level;
        if $crate::log::enabled(level) {
            $crate::log::write(level, module_path!(), format_args!($($text)*));
        }
    }};
}

/// [`log!`] at [`log::Level::Error`](crate::log::Level::Error).
#[macro_export]
macro_rules! error {
    ($($text:tt)*) => { $crate::log!($crate::log::Level::Error, $($text)*) };
}

/// [`log!`] at [`log::Level::Warn`](crate::log::Level::Warn).
#[macro_export]
macro_rules! warn {
    ($($text:tt)*) => { $crate::log!($crate::log::Level::Warn, $($text)*) };
}

/// [`log!`] at [`log::Level::Info`](crate::log::Level::Info).
#[macro_export]
macro_rules! info {
    ($($text:tt)*) => { $crate::log!($crate::log::Level::Info, $($text)*) };
}

/// [`log!`] at [`log::Level::Debug`](crate::log::Level::Debug).
#[macro_export]
macro_rules! debug {
    ($($text:tt)*) => { $crate::log!($crate::log::Level::Debug, $($text)*) };
}

/// [`log!`] at [`log::Level::Trace`](crate::log::Level::Trace).
#[macro_export]
macro_rules! trace {
    ($($text:tt)*) => { $crate::log!($crate::log::Level::Trace, $($text)*) };
}
