//! One terminal for the consoles of two cells: one is shown, what the other prints is kept and shown
//! when it comes to the front (Ctrl-A c). Where nobody types, both are shown, and each line of the
//! second one says whose it is.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How much of a console is kept while the other one is shown.
const KEPT: usize = 64 << 10;

/// The terminal.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Shared>>);

struct Shared {
    out: Box<dyn Write + Send>,
    /// Which console is shown and typed into.
    front: usize,
    kept: [VecDeque<u8>; 2],
}

impl Screen {
    /// A screen on `out`; the first console is at the front.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(Shared { out, front: 0, kept: Default::default() })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which console keys go to.
    #[must_use]
    pub fn front(&self) -> usize {
        self.with(|s| s.front)
    }

    /// Brings the other console to the front.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn switch(&self) -> io::Result<()> {
        self.with(|s| {
            s.front = 1 - s.front;
            let kept: Vec<u8> = s.kept[s.front].drain(..).collect();
            write!(s.out, "\r\n[console {}]\r\n", s.front + 1)?;
            s.out.write_all(&kept)?;
            s.out.flush()
        })
    }

    /// The output of one console.
    #[must_use]
    pub fn view(&self, which: usize) -> View {
        View { screen: self.clone(), which }
    }
}

/// Where one console's bytes go.
pub struct View {
    screen: Screen,
    which: usize,
}

impl Write for View {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.screen.with(|s| {
            if s.front == self.which {
                return s.out.write(bytes);
            }
            let kept = &mut s.kept[self.which];
            kept.extend(bytes);
            let over = kept.len().saturating_sub(KEPT);
            kept.drain(..over);
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.with(|s| s.out.flush())
    }
}

/// Whole lines with a name before each.
pub struct Named {
    out: Box<dyn Write + Send>,
    name: String,
    line: Vec<u8>,
}

impl Named {
    /// Lines of `name` on `out`.
    #[must_use]
    pub fn new(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { out, name: name.to_owned(), line: Vec::new() }
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.out.write_all(&[format!("[{}] ", self.name).as_bytes(), &line].concat())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
