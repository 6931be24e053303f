//! `unveil "PATH" "rwx"`: what a service sees of the files, from its text to the compiled list.
//!
//! The kernel's own table, crate `veil`, decides whether a list fits, so that what passes here is taken at spawn.
use abi::{
    cap::{R, W, X},
    vfs::PATH_MAX,
};
use veil::{PATHS, TEXT, Veil};

use super::shape::Placed;
use crate::report::{Report, Spanned};

/// One path and its permissions, as they stand there.
#[derive(Clone, Debug)]
pub struct Unveil {
    /// Absolute path.
    pub path: Spanned<String>,
    /// Letters of `rwx`; none hides the path.
    pub perms: Spanned<String>,
}

/// The unveils of a service.
pub fn read(node: &Placed) -> Vec<Unveil> {
    let one = |n: &Placed| {
        let [path, perms]: [_; 2] = n.texts().try_into().ok()?;
        Some(Unveil { path, perms })
    };
    node.all("unveil").iter().filter_map(one).collect()
}

/// The path as the kernel compares it: without the slash it starts with, and one at its end.
fn inner(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    let fine = path.len() <= PATH_MAX && (rest.is_empty() || rest.split('/').all(plain));
    fine.then_some(rest)
}

/// R/W/X of [`abi::cap`]; `None` for another letter, or one twice.
fn bits(letters: &str) -> Option<u8> {
    letters.chars().try_fold(0, |bits, letter| {
        let bit = match letter {
            'r' => R,
            'w' => W,
            'x' => X,
            _ => return None,
        };
        (bits & bit == 0).then_some(bits | bit)
    })
}

/// The compiled list, as [`Veil::narrow`] reads it; what [`check`] reports is left out.
pub fn encode(list: &[Unveil]) -> Vec<u8> {
    let one = |u: &Unveil| {
        let (path, perms) = (inner(&u.path.value)?, bits(&u.perms.value)?);
        Some([&[perms, path.len() as u8], path.as_bytes()].concat())
    };
    list.iter().filter_map(one).flatten().collect()
}

/// Reports paths that are none, letters that mean nothing, and a list without room.
pub fn check(list: &[Unveil], out: &mut Vec<Report>) {
    for (i, unveil) in list.iter().enumerate() {
        let path = inner(&unveil.path.value);
        if path.is_none() {
            out.push(
                Report::new(format!("`{}` is no path that can be unveiled", unveil.path.value))
                    .at(&unveil.path.at, "not a path")
                    .help("write an absolute path of at most 255 bytes without `.` and `..`"),
            );
        }
        if bits(&unveil.perms.value).is_none() {
            out.push(
                Report::new(format!("`{}` are no permissions", unveil.perms.value))
                    .at(&unveil.perms.at, "each of r, w and x at most once")
                    .help("write for example \"r\" or \"rx\", or \"\" to hide the path"),
            );
        }
        let first = list[..i].iter().find(|u| path.is_some() && inner(&u.path.value) == path);
        if let Some(first) = first {
            out.push(
                Report::new(format!("`{}` is unveiled twice", unveil.path.value))
                    .at(&unveil.path.at, "again here")
                    .note(&first.path.at, "first here")
                    .help("leave one of them out"),
            );
        }
        if Veil::new().narrow(&encode(&list[..=i])).is_err() {
            out.push(
                Report::new("more is unveiled than a table holds")
                    .at(&unveil.path.at, "one too many")
                    .help(format!("at most {PATHS} paths, of {TEXT} bytes together")),
            );
            return;
        }
    }
}
