//! `new` and `header`: what authors of applications begin with.
use super::{print, write};
use crate::app::{Language, new as template};
use crate::cli::{Header, Lang, New};
use crate::failure::{Context, Failure};
use crate::header as generator;
use crate::workspace::Workspace;

/// Makes the folder, and says what comes next.
pub fn new(a: &New) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let here = std::env::current_dir().context(|| "find the current folder".into())?;
    let language = match a.lang {
        Lang::Rust => Language::Rust,
        Lang::C => Language::C,
    };
    for file in template::create(&workspace, &here, &a.name, language)? {
        let shown = file.strip_prefix(&here).unwrap_or(&file).to_owned();
        print(format_args!("{}\n", shown.display()))?;
    }
    print(format_args!("\nto boot it:\n  nexus run {}\n", a.name))?;
    Ok(0)
}

/// Writes the header for C.
pub fn header(a: &Header) -> Result<u8, Failure> {
    let text = generator::generate(&Workspace::find()?.root)?;
    match &a.output {
        Some(path) => write(path, text.as_bytes())?,
        None => print(text)?,
    }
    Ok(0)
}
