//! Numbers for paths: the kernel asks by number, the volume goes by path. A number lives as long as the kernel remembers it,
//! moves with its file, and outlives it if the file is removed first.
use std::collections::HashMap;

/// Number of the root folder, as FUSE has it.
pub const ROOT: u64 = 1;

struct Known {
    /// None: removed.
    path: Option<String>,
    /// How often the kernel was told of it, less how often it forgot.
    lookups: u64,
}

/// The numbers that the kernel knows.
pub struct Inodes {
    known: HashMap<u64, Known>,
    numbers: HashMap<String, u64>,
    next: u64,
}

impl Default for Inodes {
    fn default() -> Self {
        let root = Known { path: Some(String::new()), lookups: 1 };
        Inodes {
            known: HashMap::from([(ROOT, root)]),
            numbers: HashMap::from([(String::new(), ROOT)]),
            next: ROOT + 1,
        }
    }
}

impl Inodes {
    /// Path of a number; none if it was removed.
    pub fn path(&self, number: u64) -> Option<&str> {
        self.known.get(&number)?.path.as_deref()
    }

    /// The number of a path if it has one.
    pub fn number(&self, path: &str) -> Option<u64> {
        self.numbers.get(path).copied()
    }

    /// The number of a path of which the kernel is told now.
    pub fn tell(&mut self, path: &str) -> u64 {
        let number = self.number(path).unwrap_or_else(|| {
            let number = self.next;
            self.next += 1;
            self.numbers.insert(path.to_owned(), number);
            self.known.insert(number, Known { path: Some(path.to_owned()), lookups: 0 });
            number
        });
        if let Some(known) = self.known.get_mut(&number) {
            known.lookups += 1;
        }
        number
    }

    /// The kernel forgets `times` of what it was told.
    pub fn forget(&mut self, number: u64, times: u64) {
        let Some(known) = self.known.get_mut(&number) else { return };
        known.lookups = known.lookups.saturating_sub(times);
        if known.lookups == 0 && number != ROOT {
            let path = self.known.remove(&number).and_then(|known| known.path);
            path.map(|path| self.numbers.remove(&path));
        }
    }

    /// The path is none any more.
    pub fn gone(&mut self, path: &str) {
        let known = self.numbers.remove(path).and_then(|number| self.known.get_mut(&number));
        if let Some(known) = known {
            known.path = None;
        }
    }

    /// `from` and all below it moved; what was at `to` is gone.
    pub fn moved(&mut self, from: &str, to: &str) {
        self.gone(to);
        let below = format!("{from}/");
        let inside = |path: &str| path == from || path.starts_with(&below);
        let all: Vec<(String, u64)> = self.numbers.extract_if(|path, _| inside(path)).collect();
        for (path, number) in all {
            let path = format!("{to}{}", &path[from.len()..]);
            if let Some(known) = self.known.get_mut(&number) {
                known.path = Some(path.clone());
            }
            self.numbers.insert(path, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_moves_with_its_file_and_outlives_it() {
        let mut inodes = Inodes::default();
        let (folder, file, other) = (inodes.tell("a"), inodes.tell("a/f"), inodes.tell("ab"));
        assert_eq!(inodes.tell("a/f"), file);
        inodes.moved("a", "b/c");
        assert_eq!((inodes.path(folder), inodes.path(file)), (Some("b/c"), Some("b/c/f")));
        assert_eq!((inodes.path(other), inodes.number("a/f")), (Some("ab"), None));
        inodes.moved("ab", "b/c/f");
        assert_eq!((inodes.path(file), inodes.number("b/c/f")), (None, Some(other)));
        inodes.forget(file, 1);
        assert_eq!(inodes.path(other), Some("b/c/f"));
        inodes.forget(file, 1);
        inodes.forget(other, 1);
        assert_eq!(inodes.number("b/c/f"), None);
        assert_ne!(inodes.tell("b/c/f"), other, "a number is not given twice");
    }
}
