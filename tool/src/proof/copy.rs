//! A copy of the tree to break things in: the person's own files are never touched.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Context, Failure};

/// Makes `to` hold exactly the files of the tree at `from` that git knows or would take. Files that are the same keep their
/// time, so that what was built from them stays good.
pub fn sync(from: &Path, to: &Path) -> Result<(), Failure> {
    let wanted = tracked(from)?;
    for relative in &wanted {
        let bytes = std::fs::read(from.join(relative))
            .context(|| format!("read {}", from.join(relative).display()))?;
        put(&to.join(relative), &bytes)?;
        let mode = std::fs::metadata(from.join(relative)).map(|m| m.permissions());
        if let Ok(mode) = mode {
            let what = || format!("set the permissions of {}", to.join(relative).display());
            std::fs::set_permissions(to.join(relative), mode).context(what)?;
        }
    }
    prune(to, to, &wanted)
}

/// Writes a file if it is not like that already.
pub fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let what = || format!("write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(what)?;
    }
    std::fs::write(path, bytes).context(what)
}

/// Files that git tracks, or would with the next `git add`, and that are there.
fn tracked(root: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let out = git.output().context(|| "run git".into())?;
    if !out.status.success() {
        return Err(Failure::new("git ls-files failed: is this a clone?"));
    }
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let names = text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    Ok(names.filter(|name| root.join(name).is_file()).collect())
}

/// Removes what is not wanted.
fn prune(folder: &Path, root: &Path, wanted: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    let what = || format!("tidy {}", folder.display());
    for entry in std::fs::read_dir(folder).context(what)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            prune(&path, root, wanted)?;
        } else if !path.strip_prefix(root).is_ok_and(|relative| wanted.contains(relative)) {
            std::fs::remove_file(&path).context(what)?;
        }
    }
    Ok(())
}
