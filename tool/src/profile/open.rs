//! Opens KDL files: UTF-8, syntax, `include`.
use std::{path::Path, sync::Arc};

use kdl::{KdlDocument, KdlError};

use super::shape::Placed;
use crate::report::{Report, Reports, Source, Spot};

/// Longest manifest in bytes.
const LONGEST: u64 = 1 << 20;
/// Most files one inside the other.
const DEEPEST: usize = 8;

/// The start of the file at `path` and its nodes, with those of the files it includes in their
/// places.
///
/// # Errors
/// A file that cannot be read, is no UTF-8 or no KDL, or includes itself.
pub fn with_includes(path: &Path) -> Result<(Spot, Vec<Placed>), Reports> {
    let source = read(path, None)?;
    let mut out = Vec::new();
    let nodes = parse(&source)?;
    let start = start(&source, &nodes);
    expand(nodes, &[source], &mut out)?;
    Ok((start, out))
}

/// Where a document begins: its first node, or the first byte of an empty one.
pub fn start(source: &Arc<Source>, nodes: &[Placed]) -> Spot {
    let empty = || Spot { source: source.clone(), range: 0..0 };
    nodes.first().map_or_else(empty, Placed::spot)
}

fn expand(nodes: Vec<Placed>, open: &[Arc<Source>], out: &mut Vec<Placed>) -> Result<(), Reports> {
    for node in nodes {
        let Some(name) = (node.name() == "include").then(|| node.text()).flatten() else {
            out.push(node);
            continue;
        };
        let folder = Path::new(&node.source.path).parent().unwrap_or(Path::new(""));
        let source = read(&folder.join(&name.value), Some(&name.at))?;
        let same = |s: &&Arc<Source>| s.text == source.text && same_file(&s.path, &source.path);
        if open.iter().any(|s| same(&s)) || open.len() > DEEPEST {
            return Err(Report::new(format!("`{}` includes itself", name.value))
                .at(&name.at, "the circle closes here")
                .help("take this `include` away")
                .into());
        }
        let open: Vec<_> = open.iter().cloned().chain([source.clone()]).collect();
        expand(parse(&source)?, &open, out)?;
    }
    Ok(())
}

fn same_file(a: &str, b: &str) -> bool {
    match (Path::new(a).canonicalize(), Path::new(b).canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// The path for messages: relative to the current folder where it lies below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|h| path.strip_prefix(h).ok().map(Path::to_owned));
    below.unwrap_or_else(|| path.to_owned()).display().to_string()
}

/// The profiles in the folder where `path` would be, as the end of a sentence.
fn beside(path: &Path) -> String {
    let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let kdl = files.filter(|p| p.extension().is_some_and(|e| e == "kdl"));
    let mut names: Vec<String> =
        kdl.filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    if names.is_empty() { String::new() } else { format!("; there is: {}", names.join(", ")) }
}

fn read(path: &Path, from: Option<&Spot>) -> Result<Arc<Source>, Reports> {
    let shown = shown(path);
    let fail = |why: &dyn std::fmt::Display| {
        let report = Report::new(format!("cannot read {shown}: {why}"));
        Reports::from(match from {
            Some(spot) => report.at(spot, "named here").help("paths are relative to this file"),
            None => report.help(format!(
                "name a profile of `profiles/`, or the path of a KDL file{}",
                beside(path)
            )),
        })
    };
    let about = std::fs::metadata(path).map_err(|e| fail(&e))?;
    if !about.is_file() || about.len() > LONGEST {
        return Err(fail(&"it is no file of at most 1 MB"));
    }
    let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
    text(shown, bytes).map(Arc::new)
}

/// The file as a source; refuses what is not UTF-8, with the place.
fn text(path: String, bytes: Vec<u8>) -> Result<Source, Reports> {
    String::from_utf8(bytes).map(|text| Source { path: path.clone(), text }).map_err(|e| {
        let start = e.utf8_error().valid_up_to();
        let byte = e.as_bytes()[start];
        let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
        // Up to the first bad byte both texts are the same; there the shown one has U+FFFD.
        let range = start..start + char::REPLACEMENT_CHARACTER.len_utf8();
        let spot = Spot { source: Arc::new(Source { path, text }), range };
        Report::new("the file is not UTF-8")
            .at(&spot, format!("byte {byte:#04x} does not belong here"))
            .help("save the file as UTF-8")
            .into()
    })
}

/// The nodes of one file.
///
/// # Errors
/// What is no KDL.
pub fn parse(source: &Arc<Source>) -> Result<Vec<Placed>, Reports> {
    let document = KdlDocument::parse_v2(&source.text).map_err(|e| syntax(&e, source))?;
    let place = |node| Placed { source: source.clone(), node };
    Ok(document.nodes().iter().cloned().map(place).collect())
}

fn syntax(error: &KdlError, source: &Arc<Source>) -> Reports {
    let report = |d: &kdl::KdlDiagnostic| {
        let start = d.span.offset();
        // A caret needs a byte to stand under.
        let range = start..start + d.span.len().max(1);
        let spot = Spot { source: source.clone(), range };
        let message = d.message.clone().unwrap_or_else(|| "this is not KDL".to_owned());
        Report::new(message.trim_end_matches('.'))
            .at(&spot, d.label.clone().unwrap_or_else(|| "here".to_owned()))
            .help(d.help.clone().unwrap_or_else(|| {
                "nodes are `name values name=value { ... }`, texts stand in quotes".to_owned()
            }))
    };
    let mut reports: Vec<Report> = error.diagnostics.iter().map(report).collect();
    if reports.is_empty() {
        reports.push(Report::new(format!("{} is not KDL", source.path)));
    }
    Reports(reports)
}
