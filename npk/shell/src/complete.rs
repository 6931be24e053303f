//! The tab key: the first word is a command, what follows `run` an image, anything else a path.
use abi::vfs::PATH_MAX;
use line::Completer;
use rt::fs;

use crate::command::{COMMANDS, absolute};

/// Directory of the images.
const IMAGES: &str = "/Boot/bin";

/// Completes from the list of commands and the files there are.
pub struct Names;

impl Completer for Names {
    fn complete(&mut self, before: &str, each: &mut dyn FnMut(&str)) -> usize {
        let start = before.rfind([' ', '\t']).map_or(0, |at| at + 1);
        let (first, word) = (before[..start].trim(), &before[start..]);
        match first {
            "" => starting(COMMANDS.iter().map(|c| c.name), word, each),
            "help" => starting(COMMANDS.iter().map(|c| c.name), word, each),
            "run" if !word.contains('/') => paths(IMAGES, "", word, each),
            _ => {
                let cut = word.rfind('/').map_or(0, |at| at + 1);
                paths(&word[..cut], &word[..cut], &word[cut..], each);
            }
        }
        start
    }
}

fn starting<'a>(names: impl Iterator<Item = &'a str>, word: &str, each: &mut dyn FnMut(&str)) {
    for name in names.filter(|n| n.starts_with(word)) {
        each(name);
    }
}

/// Entries of `directory` that begin with `word`, written as `shown` and the name.
fn paths(directory: &str, shown: &str, word: &str, each: &mut dyn FnMut(&str)) {
    let mut buf = [0; PATH_MAX + 1];
    let directory = absolute(if directory.is_empty() { "/" } else { directory }, &mut buf);
    for index in 0.. {
        let mut name = [0; PATH_MAX];
        let Ok(Some((name, stat))) = fs::list(directory, index, &mut name) else { return };
        if !name.starts_with(word) {
            continue;
        }
        let mut whole = [0; 2 * PATH_MAX];
        let parts = [shown, name, if stat.directory { "/" } else { "" }];
        let mut len = 0;
        for part in parts {
            let Some(to) = whole.get_mut(len..len + part.len()) else { return };
            to.copy_from_slice(part.as_bytes());
            len += part.len();
        }
        if let Ok(whole) = core::str::from_utf8(&whole[..len]) {
            each(whole);
        }
    }
}
