//! The same bytes in every folder.
use std::path::{Path, PathBuf};
use std::process::Command;

use system::{folder, workspace};

/// A clone of the committed tree with what is not committed yet: only tracked files.
fn clone(to: &Path) -> PathBuf {
    let root = &workspace().root;
    let files = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git ls-files");
    let tree = to.join("tree");
    for file in files.stdout.split(|&b| b == 0).filter(|f| !f.is_empty()) {
        let file = std::str::from_utf8(file).expect("a name");
        let Ok(bytes) = std::fs::read(root.join(file)) else { continue };
        let copy = tree.join(file);
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        std::fs::write(copy, bytes).expect("a copy");
    }
    tree
}

/// Builds a profile of the tree at `root` with this test's own host tool, everything else its own.
fn bundle(root: &Path, profile: &str) -> Vec<u8> {
    let workspace = nexus::workspace::Workspace::at(root).expect("a workspace");
    let workspace = workspace.with_target(root.join("build"));
    let signing = nexus::assembly::Signing::development(&workspace).expect("a key");
    let path = nexus::assembly::profile_path(&workspace, profile);
    nexus::assembly::build(&workspace, &path, &signing).expect("a bundle").bundle
}

/// Position and surroundings of the first difference, for who must find it.
fn difference(a: &[u8], b: &[u8]) -> Option<String> {
    let at = a.iter().zip(b).position(|(x, y)| x != y).or((a.len() != b.len()).then_some(0))?;
    let near = |s: &[u8]| {
        String::from_utf8_lossy(&s[at.saturating_sub(32)..(at + 32).min(s.len())]).into_owned()
    };
    Some(format!("{} and {} bytes, first at {at}: {:?} {:?}", a.len(), b.len(), near(a), near(b)))
}

#[test]
fn clones_in_different_folders_build_the_same_bundle() {
    let (here, there) = (folder(), folder());
    let longer = there.path().join("a much longer name");
    let trees = [clone(here.path()), clone(&longer)];
    for profile in ["core", "unikernel"] {
        let [a, b] = [&trees[0], &trees[1]].map(|tree| bundle(tree, profile));
        assert_eq!(difference(&a, &b), None, "{profile}");
        for tree in &trees {
            let name = tree.to_string_lossy();
            let inside = a.windows(name.len()).any(|w| w == name.as_bytes());
            assert!(!inside, "{profile} contains the folder's name");
        }
    }
}
