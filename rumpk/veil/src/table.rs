//! The table of one domain.
use abi::call::Error;
use abi::cap::{R, W, X};
use abi::vfs::PATH_MAX;

/// Most paths of a domain, the inherited ones included.
pub const PATHS: usize = 16;
/// Most bytes of all its paths together.
pub const TEXT: usize = 1024;

/// Permissions that nobody narrowed.
const ALL: u8 = R | W | X;

/// One path. All zeros is an empty place.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the path begins in the text.
    start: u16,
    len: u8,
    perms: u8,
    /// Of the bound, not unveiled by the domain itself.
    bound: bool,
    /// Both lists leave a permission here: what lies above is shown so that one can get here.
    live: bool,
}

/// What one domain sees. A path is without its first slash, as the kernel's path check leaves it: parts between single
/// slashes, the root is the empty path.
#[derive(Clone, Debug)]
pub struct Veil {
    text: [u8; TEXT],
    used: u16,
    count: u8,
    /// A bound was inherited: what it does not name is hidden.
    bound: bool,
    /// The domain unveiled something itself: what it did not name is hidden.
    own: bool,
    locked: bool,
    entries: [Entry; PATHS],
}

impl Default for Veil {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `path` is `above` or lies below it, part by part.
fn covers(above: &[u8], path: &[u8]) -> bool {
    let ends = above.is_empty() || matches!(path.get(above.len()), None | Some(b'/'));
    ends && path.starts_with(above)
}

impl Veil {
    /// Nothing is veiled. All zeros, so that a table of them costs no image.
    #[must_use]
    pub const fn new() -> Self {
        const EMPTY: Entry = Entry { start: 0, len: 0, perms: 0, bound: false, live: false };
        Self {
            text: [0; TEXT],
            used: 0,
            count: 0,
            bound: false,
            own: false,
            locked: false,
            entries: [EMPTY; PATHS],
        }
    }

    fn entries(&self) -> &[Entry] {
        &self.entries[..usize::from(self.count) % (PATHS + 1)]
    }

    fn path(&self, entry: Entry) -> &[u8] {
        let start = usize::from(entry.start);
        self.text.get(start..start + usize::from(entry.len)).unwrap_or_default()
    }

    /// Whether everything is visible that the pledge allows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.bound && !self.own
    }

    /// What one of the two lists gives `path`: the permissions of the longest path in it that covers it.
    fn given(&self, bound: bool, path: &[u8]) -> u8 {
        let of = self.entries().iter().filter(|e| e.bound == bound);
        let nearest = of.filter(|e| covers(self.path(**e), path)).max_by_key(|e| e.len);
        nearest.map_or(0, |e| e.perms)
    }

    /// R/W/X of [`abi::cap`] that the domain has on `path`; 0: it does not see it, but for what [`Self::shows`].
    #[must_use]
    pub fn perms(&self, path: &str) -> u8 {
        self.both(path.as_bytes())
    }

    fn both(&self, path: &[u8]) -> u8 {
        let bound = if self.bound { self.given(true, path) } else { ALL };
        let own = if self.own { self.given(false, path) } else { ALL };
        bound & own
    }

    /// Whether `path` is there at all for the domain: it has a permission on it, or on something below it.
    #[must_use]
    pub fn shows(&self, path: &str) -> bool {
        let path = path.as_bytes();
        let leads = |e: &Entry| e.live && covers(path, self.path(*e));
        self.is_open() || self.both(path) != 0 || self.entries().iter().any(leads)
    }

    /// Shows `path` with `perms`; the first one hides everything else. The same path again replaces its permissions.
    /// `Denied` after [`Self::lock`], `BadCall` for other bits than R/W/X, `TooBig` for a path above 255 bytes, `Full`
    /// without room for another path; then nothing changed.
    pub fn unveil(&mut self, path: &str, perms: u8) -> Result<(), Error> {
        if self.locked {
            return Err(Error::Denied);
        }
        self.add(path.as_bytes(), perms, false)?;
        self.own = true;
        self.settle();
        Ok(())
    }

    /// Ends unveiling for the domain's life.
    pub fn lock(&mut self) {
        self.locked = true;
    }

    /// What the domain was born with: what it unveiled itself, and its lock, are gone.
    #[must_use]
    pub fn reborn(&self) -> Self {
        let mut born = Self::new();
        born.bound = self.bound;
        for &entry in self.entries().iter().filter(|e| e.bound) {
            // They fitted before.
            let _ = born.add(self.path(entry), entry.perms, true);
        }
        born.settle();
        born
    }

    /// What a child begins with: it sees no more than this domain, and may unveil inside of it.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let mut child = Self::new();
        self.bequeath(&mut child);
        child
    }

    /// The same where the child's table lies, whatever was in it.
    pub fn bequeath(&self, child: &mut Self) {
        *child = Self::new();
        child.bound = !self.is_open();
        for &entry in self.entries() {
            let path = self.path(entry);
            // Paths of one table fit into another one, and those in both lists need one place only.
            let _ = child.add(path, self.both(path), true);
        }
        child.settle();
    }

    /// Narrows the bound by a manifest's list: for each path a byte of permissions, a byte with the path's length, and the
    /// path. An empty list narrows nothing. `BadCall` for what is no such list, and errors of [`Self::unveil`].
    pub fn narrow(&mut self, list: &[u8]) -> Result<(), Error> {
        if list.is_empty() {
            return Ok(());
        }
        let mut narrower = self.inherited();
        let mut rest = list;
        while let [perms, len, tail @ ..] = rest {
            let path = tail.get(..usize::from(*len)).ok_or(Error::BadCall)?;
            let path = core::str::from_utf8(path).map_err(|_| Error::BadCall)?;
            narrower.unveil(path, *perms)?;
            rest = &tail[usize::from(*len)..];
        }
        if !rest.is_empty() {
            return Err(Error::BadCall);
        }
        *self = narrower.inherited();
        Ok(())
    }

    /// Adds a path to one of the lists, or changes it there.
    fn add(&mut self, path: &[u8], perms: u8, bound: bool) -> Result<(), Error> {
        if perms & !ALL != 0 {
            return Err(Error::BadCall);
        }
        if path.len() > PATH_MAX {
            return Err(Error::TooBig);
        }
        let same = |e: &Entry| e.bound == bound && self.path(*e) == path;
        if let Some(at) = self.entries().iter().position(same) {
            self.entries[at].perms = perms;
            return Ok(());
        }
        let (at, start) = (usize::from(self.count), usize::from(self.used));
        let text = self.text.get_mut(start..start + path.len()).ok_or(Error::Full)?;
        let place = self.entries.get_mut(at).ok_or(Error::Full)?;
        text.copy_from_slice(path);
        *place = Entry { start: self.used, len: path.len() as u8, perms, bound, live: false };
        self.used += path.len() as u16;
        self.count += 1;
        Ok(())
    }

    /// Finds out which paths lead somewhere, once, so that looking at a folder's entries stays cheap.
    fn settle(&mut self) {
        for at in 0..usize::from(self.count) {
            let entry = self.entries[at];
            self.entries[at].live = self.both(self.path(entry)) != 0;
        }
    }
}
