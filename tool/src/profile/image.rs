//! The manifest of an image: KDL text in the ELF section `.nexus.manifest`.
use std::sync::Arc;

use abi::{
    PAGE,
    image::{ImageManifest, KIND_NPK, KIND_NPL, MAGIC, MEMORY_MAX, QuiesceStep},
    pledge::SPECTRUM_SHIFT,
};
use kdl::{KdlDocument, KdlNode};

use super::{
    open, quiesce, read, schema,
    shape::{self, Placed},
};
use crate::report::{Report, Reports, Source, Spanned};

/// Stack of the first fiber unless the manifest says otherwise, bytes.
const STACK: u64 = 64 << 10;
/// Longest stack that the kernel gives, bytes.
pub const STACK_MAX: u64 = 1 << 20;

/// A manifest, and the quiesce steps that follow it in the image.
pub type Compiled = (ImageManifest, Vec<QuiesceStep>);

/// Compiles the manifest text of the image in the file `path` (a name for the messages).
///
/// # Errors
/// Every mistake in it.
pub fn compile(path: &str, text: &str) -> Result<Compiled, Reports> {
    let source = Arc::new(Source { path: path.to_owned(), text: text.to_owned() });
    let nodes = open::parse(&source)?;
    let mut out = Vec::new();
    let start = open::start(&source, &nodes);
    shape::check(&nodes, schema::IMAGE, &start, &mut out);
    Reports(std::mem::take(&mut out)).or(())?;
    let manifest = manifest(&whole(&source, nodes), &mut out)
        .ok_or_else(|| Report::new("the image's manifest does not fit the schema"))?;
    Reports(out).or(manifest)
}

/// The file's nodes as the children of one: what reads a service reads an image too.
fn whole(source: &Arc<Source>, nodes: Vec<Placed>) -> Placed {
    let mut children = KdlDocument::new();
    children.nodes_mut().extend(nodes.into_iter().map(|n| n.node));
    let mut node = KdlNode::new("image");
    node.set_children(children);
    Placed { source: source.clone(), node }
}

fn manifest(node: &Placed, out: &mut Vec<Report>) -> Option<Compiled> {
    let number = |name: &str, default: u64, most: u64, out: &mut Vec<Report>| {
        let value = node.one(name).and_then(|n| n.number());
        bounded(name, value.as_ref(), most, out);
        value.map_or(default, |v| v.value)
    };
    let paged = |name: &str, default: u64, most: u64, out: &mut Vec<Report>| {
        let value = node.one(name).and_then(|n| n.number());
        whole_pages(name, value.as_ref(), most, out);
        value.map_or(default, |v| v.value)
    };
    let budget = read::budget(node);
    let bits = budget.pledges.iter().fold(0, |mask, p| mask | p.value);
    let window = abi::pledge::WINDOW_NS[usize::from(budget.spectrum.value)];
    bounded("energy", Some(&budget.energy), window / 1000, out);
    let driver = node.one("kind")?.text()?.value == "npl";
    let devices = number("devices", 0, 56, out) as u32;
    let steps = quiesce::steps(node, devices, out);
    let manifest = ImageManifest {
        magic: MAGIC,
        version: number("version", 1, u32::MAX.into(), out) as u32,
        name: abi::name(&node.one("name")?.text()?.value),
        kind: if driver { KIND_NPL } else { KIND_NPK },
        policy: read::policy_of(node).map_or(0, |p| p.value),
        pledge: bits | u64::from(budget.spectrum.value) << SPECTRUM_SHIFT,
        energy: budget.energy.value,
        stack: paged("stack", STACK, STACK_MAX, out).max(PAGE as u64),
        heap: paged("heap", 0, MEMORY_MAX, out),
        fibers: number("fibers", 1, 64, out).max(1) as u32,
        devices,
        quiesce: steps.len() as u32,
        channels: number("channels", 0, 56, out) as u32,
        ..ImageManifest::zeroed()
    };
    Some((manifest, steps))
}

/// Reports a value above `most`.
pub fn bounded(name: &str, value: Option<&Spanned<u64>>, most: u64, out: &mut Vec<Report>) {
    if let Some(value) = value.filter(|v| v.value > most) {
        out.push(
            Report::new(format!("`{name}` is {}, and at most {most} is possible", value.value))
                .at(&value.at, "too much")
                .help(format!("choose a value up to {most}")),
        );
    }
}

/// Reports a size that is no multiple of the page, or above `most`.
pub fn whole_pages(name: &str, value: Option<&Spanned<u64>>, most: u64, out: &mut Vec<Report>) {
    let Some(value) = value else { return };
    let page = PAGE as u64;
    if !value.value.is_multiple_of(page) {
        out.push(
            Report::new(format!("`{name}` is no multiple of the page"))
                .at(&value.at, format!("{} bytes", value.value))
                .help(format!(
                    "round up to {}",
                    (value.value / page).saturating_add(1).saturating_mul(page)
                )),
        );
    }
    bounded(name, Some(value), most, out);
}
