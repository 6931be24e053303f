//! From a document that fits the schema to the model. Values that are not there get their defaults.
use std::path::{Path, PathBuf};

use abi::{
    boot::{SERVICE_AUTO, SERVICE_FIRST, SERVICE_INIT},
    cap::slot,
    image::policy,
    pledge,
    ring::well_known,
};

use super::{
    board,
    model::{
        BootFile, Cell, Channel, Children, Device, Guest, ImageRef, Machine, Profile, Ram, Region,
        Service,
    },
    shape::Placed,
    unveil,
};
use crate::report::{Report, Spanned, Spot};

/// Reads the profile called `name`; `None` only for a document that does not fit the schema.
pub fn profile(nodes: &[Placed], name: &str) -> Option<Profile> {
    let find = |name: &str| nodes.iter().find(|n| n.name() == name);
    let cells = nodes.iter().filter(|n| n.name() == "cell").map(cell).collect::<Option<_>>()?;
    let rumkv = find("rumkv").map(|node| match node.text() {
        Some(text) => image(node, text),
        None => Spanned { value: ImageRef::BuiltIn("rumkv".to_owned()), at: node.spot() },
    });
    Some(Profile { name: name.to_owned(), machine: machine(find("machine")?)?, rumkv, cells })
}

fn machine(node: &Placed) -> Option<Machine> {
    let ram = node.one("ram")?.number()?;
    let cpu = node.one("cpu").and_then(|n| n.text()).map_or("max".to_owned(), |t| t.value);
    let cores = node.one("cores")?.number()?;
    let board = board::find(&node.text()?.value)?;
    Some(Machine {
        board,
        ram: ram.value,
        cores: cores.value,
        cpu,
        ram_at: ram.at,
        cores_at: cores.at,
    })
}

/// Folder of the file that `node` stands in: what its paths are relative to.
fn folder(node: &Placed) -> PathBuf {
    Path::new(&node.source.path).parent().unwrap_or(Path::new("")).to_owned()
}

fn image(node: &Placed, text: Spanned<String>) -> Spanned<ImageRef> {
    Spanned { value: ImageRef::parse(&text.value, &folder(node)), at: text.at }
}

fn path(node: &Placed, text: Spanned<String>) -> Spanned<PathBuf> {
    Spanned { value: folder(node).join(&text.value), at: text.at }
}

/// The number of `word` in a list of names that the schema compared it with.
fn number_of(word: &str, names: &[&str]) -> usize {
    names.iter().position(|n| *n == word).unwrap_or(0)
}

fn map<T, U>(from: Spanned<T>, change: impl FnOnce(T) -> U) -> Spanned<U> {
    Spanned { value: change(from.value), at: from.at }
}

fn cell(node: &Placed) -> Option<Cell> {
    let device = |n: &Placed| {
        let class = n.text_of("class")?;
        Some(Device {
            name: n.text()?,
            class: map(class, |c| 1 << number_of(&c, &pledge::hard::NAMES)),
            at: n.number_of("at")?,
            len: n.number_of("len")?,
            irq: n.number_of("irq").map(|i| map(i, |i| u32::try_from(i).unwrap_or(u32::MAX))),
        })
    };
    let file = |n: &Placed| {
        let name = map(n.text()?, |t| t.trim_start_matches('/').to_owned());
        Some(BootFile { name, from: path(n, n.text_of("from")?) })
    };
    let ram = |n: &Placed| Some(Ram { at: n.number_of("at")?, len: n.number()? });
    let kernel = node.one("kernel").and_then(|n| Some(image(&n, n.text()?)));
    let guest = node.one("linux").and_then(|n| guest(&n));
    let services = node.all("service").into_iter().chain(node.all("application"));
    Some(Cell {
        name: node.text()?,
        cores: node.all("core").iter().flat_map(Placed::numbers).collect(),
        ram: node.all("ram").iter().map(ram).collect::<Option<_>>()?,
        pledges: bits(node, &pledge::hard::NAMES)
            .into_iter()
            .map(|b| map(b, |b| b as u32))
            .collect(),
        devices: node.all("device").iter().map(device).collect::<Option<_>>()?,
        kernel,
        guest,
        boot: node.one("boot").and_then(|n| Some(path(&n, n.text()?))),
        files: node.all("file").iter().map(file).collect::<Option<_>>()?,
        images: node.all("image").iter().filter_map(|n| Some(image(n, n.text()?))).collect(),
        services: services.map(|n| service(&n)).collect::<Option<_>>()?,
    })
}

fn guest(node: &Placed) -> Option<Guest> {
    let initrd = node.text_of("initrd").map(|t| path(node, t));
    Some(Guest { image: path(node, node.text()?), initrd, args: node.text_of("args") })
}

/// The words of the node's `pledge` as bits of `names`.
fn bits(node: &Placed, names: &[&str]) -> Vec<Spanned<u64>> {
    let words = node.one("pledge").map(|n| n.texts()).unwrap_or_default();
    words.into_iter().map(|w| map(w, |w| 1 << number_of(&w, names))).collect()
}

/// What both a service and an image's manifest say about energy.
pub struct Budget {
    /// Number of the spectrum.
    pub spectrum: Spanned<u8>,
    /// J per window.
    pub energy: Spanned<u64>,
    /// Pledge bits, each with its place.
    pub pledges: Vec<Spanned<u64>>,
}

/// Reads spectrum, energy and pledges with their defaults.
pub fn budget(node: &Placed) -> Budget {
    let word = node.one("spectrum").and_then(|n| n.text());
    let spectrum = match word {
        Some(word) => map(word, |w| number_of(&w, &pledge::SPECTRA) as u8),
        None => Spanned { value: 2, at: node.spot() },
    };
    let energy = node.one("energy").and_then(|n| n.number()).unwrap_or_else(|| Spanned {
        value: pledge::BUDGET_J[usize::from(spectrum.value)],
        at: spectrum.at.clone(),
    });
    Budget { spectrum, energy, pledges: bits(node, &pledge::NAMES) }
}

/// The restart policy of a service or an image.
pub fn policy_of(node: &Placed) -> Option<Spanned<u8>> {
    let word = node.one("policy")?.text()?;
    Some(map(word, |w| number_of(&w, &policy::NAMES) as u8))
}

fn role(node: &Placed) -> (u32, Spot) {
    let linked = node.name() == "application";
    let mut flags = if linked { SERVICE_INIT } else { 0 };
    let mut spot = node.text().map_or_else(|| node.spot(), |t| t.at);
    for (name, bit) in
        [("first", SERVICE_FIRST), ("auto", SERVICE_AUTO), ("subject-zero", SERVICE_INIT)]
    {
        if let Some(flag) = node.one(name) {
            flags |= bit;
            spot = flag.spot();
        }
    }
    (flags, spot)
}

fn service(node: &Placed) -> Option<Service> {
    let name = node.text()?;
    let own = || map(name.clone(), ImageRef::BuiltIn);
    let named = node.one("image").and_then(|n| Some(image(&n, n.text()?)));
    let linked = node.name() == "application";
    let secret = node.one("secret").and_then(|n| Some(path(&n, n.text()?)));
    let (flags, role) = role(node);
    let budget = budget(node);
    let size = |name: &str| node.one(name).and_then(|n| n.number());
    let spot = |name: &str| node.one(name).map(|n| n.spot());
    let texts = |name: &str| node.all(name).iter().filter_map(Placed::text).collect::<Vec<_>>();
    let args = node.one("args").map(|n| {
        let words: Vec<String> = n.texts().into_iter().map(|t| t.value).collect();
        Spanned { value: words.join(" "), at: n.spot() }
    });
    let mut channels = node.one("console").map(|n| console(&n)).unwrap_or_default();
    channels.extend(node.all("channel").iter().filter_map(channel));
    Some(Service {
        image: (!linked).then(|| named.unwrap_or_else(own)),
        flags,
        role,
        core: size("core"),
        spectrum: budget.spectrum,
        energy: budget.energy,
        pledges: budget.pledges,
        policy: policy_of(node),
        stack: size("stack"),
        heap: size("heap"),
        args,
        devices: texts("device"),
        fibers: texts("fiber"),
        power: spot("power"),
        audit: spot("audit"),
        clock: spot("clock"),
        unveils: unveil::read(node),
        memory: node.all("memory").iter().filter_map(region).collect(),
        children: node
            .one("children")
            .map(|n| Children { memory: n.number_of("memory"), places: n.number_of("places") }),
        secret,
        channels,
        name,
    })
}

fn region(node: &Placed) -> Option<Region> {
    Some(Region { name: node.text()?, bytes: node.number_of("bytes")? })
}

/// Console channels: input in slot 4, output in slot 5.
fn console(node: &Placed) -> Vec<Channel> {
    let Some(to) = node.text() else { return Vec::new() };
    let end = |number: u32, slot: u8| Channel {
        number: Spanned { value: number.into(), at: node.spot() },
        to: to.clone(),
        slots: None,
        buffer: None,
        pledge: pledge::STDIO as u32,
        slot: Some(slot),
    };
    let mut out = vec![end(well_known::CONSOLE_OUT, slot::CONSOLE_OUT)];
    if !node.flag_of("output-only") {
        out.insert(0, end(well_known::CONSOLE_IN, slot::CONSOLE_IN));
    }
    out
}

fn channel(node: &Placed) -> Option<Channel> {
    let word = node.text_of("pledge");
    Some(Channel {
        number: node.number()?,
        to: node.text_of("to")?,
        slots: node.number_of("slots"),
        buffer: node.number_of("buffer"),
        pledge: word.map_or(0, |w| 1 << number_of(&w.value, &pledge::NAMES)),
        slot: None,
    })
}

/// A report that `at` names something unknown among `known`.
pub fn unknown(what: &str, name: &Spanned<String>, known: &[&str]) -> Report {
    Report::new(format!("there is no {what} `{}`", name.value))
        .at(&name.at, format!("unknown {what}"))
        .help(super::shape::suggest(&name.value, known))
}
