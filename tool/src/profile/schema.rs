//! What may stand where in a profile and in an image manifest: one row per node.
//!
//! `docs/manifest.md` shows the same rows; a test compares the two.
use abi::{image, pledge, pledge::hard};

use super::board;

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    Text,
    /// A name: 1 to 31 of `a-z 0-9 - _ .`, a letter first.
    Name,
    /// A whole number, 0 or more, below 2^64.
    Number,
    /// Bytes: a whole number, or text of digits with the suffix K, M or G (powers of 1024) or none.
    Size,
    /// `#true` or `#false`.
    Flag,
    /// One of a list of words.
    Word(&'static [&'static str]),
}

/// How often a node may stand in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly once.
    One,
    /// At most once.
    Optional,
    /// As often as wanted.
    Many,
}

/// A property of a node.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Type,
    /// Whether it must be there.
    pub required: bool,
}

/// One kind of node.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// How often.
    pub count: Count,
    /// Fewest and most arguments.
    pub args: (usize, usize),
    /// What each argument is.
    pub kind: Type,
    /// Its properties.
    pub properties: &'static [Property],
    /// What may stand in its braces.
    pub children: &'static [Rule],
    /// What it says, for the reference table.
    pub says: &'static str,
}

const fn rule(
    name: &'static str,
    count: Count,
    args: (usize, usize),
    kind: Type,
    says: &'static str,
) -> Rule {
    Rule { name, count, args, kind, properties: &[], children: &[], says }
}

const fn required(name: &'static str, kind: Type) -> Property {
    Property { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Type) -> Property {
    Property { name, kind, required: false }
}

impl Rule {
    const fn with(mut self, properties: &'static [Property]) -> Self {
        self.properties = properties;
        self
    }

    const fn holds(mut self, children: &'static [Rule]) -> Self {
        self.children = children;
        self
    }
}

use Count::{Many, One, Optional};
use Type::{Flag, Name, Number, Size, Text, Word};

const ALL: usize = 64;
const PLEDGES: Type = Word(&pledge::NAMES);

/// Nodes at the top of a profile.
pub static PROFILE: &[Rule] = &[
    rule("machine", One, (1, 1), Word(&board::NAMES), "The board.").holds(&[
        rule("ram", One, (1, 1), Size, "RAM of the machine."),
        rule("cores", One, (1, 1), Number, "Its cores."),
        rule("cpu", Optional, (1, 1), Text, "QEMU's name of the processor, default `max`."),
    ]),
    rule("rumkv", Optional, (0, 1), Text, "RumKV starts the cells; another image than `rumkv`."),
    rule("include", Many, (1, 1), Text, "The nodes of another file, as if they stood here."),
    rule("cell", Many, (1, 1), Name, "A cell.").holds(CELL),
];

static CELL: &[Rule] = &[
    rule("core", Many, (1, ALL), Number, "Cores of the cell, by number."),
    rule("ram", Many, (1, 1), Size, "RAM of the cell at this physical address.")
        .with(&[required("at", Number)]),
    rule("pledge", Optional, (0, 7), Word(&hard::NAMES), "Hard pledges of the cell at start."),
    rule("device", Many, (1, 1), Name, "A device window and its interrupt.").with(&[
        required("class", Word(&hard::NAMES)),
        required("at", Number),
        required("len", Number),
        optional("irq", Number),
    ]),
    rule("kernel", Optional, (1, 1), Text, "The image that runs at EL1."),
    rule("linux", Optional, (1, 1), Text, "A flat arm64 image that runs there instead.")
        .with(&[optional("initrd", Text), optional("args", Text)]),
    rule("boot", Optional, (1, 1), Text, "Folder whose files appear under `/Boot`."),
    rule("file", Many, (1, 1), Text, "One more file of `/Boot`.").with(&[required("from", Text)]),
    rule("image", Many, (1, 1), Text, "One more image under `/Boot/bin`, not a service."),
    rule("service", Many, (1, 1), Name, "A service of the cell.").holds(SERVICE),
    rule("application", Optional, (1, 1), Name, "The application linked with the kernel.")
        .holds(APPLICATION),
];

const SPECTRUM: Rule = rule(
    "spectrum",
    Optional,
    (1, 1),
    Word(&pledge::SPECTRA),
    "Scheduling band, default `matter`.",
);
const ENERGY: Rule =
    rule("energy", Optional, (1, 1), Number, "J per window, default by the spectrum.");
const PLEDGE: Rule = rule("pledge", Optional, (0, 8), PLEDGES, "Pledges, default none.");
const ARGS: Rule = rule("args", Optional, (1, ALL), Text, "Arguments, joined by spaces.");
const DEVICE: Rule =
    rule("device", Many, (1, 1), Name, "A device of the cell: its window, then its interrupt.");
const POWER: Rule = rule("power", Optional, (0, 0), Text, "May switch the cell off.");
const AUDIT: Rule = rule("audit", Optional, (0, 0), Text, "May read the audit and append to it.");
const CLOCK: Rule = rule("clock", Optional, (0, 0), Text, "May set the wall clock.");
const UNVEIL: Rule = rule(
    "unveil",
    Many,
    (2, 2),
    Text,
    "A path and its permissions of `rwx`; the first one hides all else.",
);
const POLICIES: Type = Word(&image::policy::NAMES);
const STACK: Rule = rule("stack", Optional, (1, 1), Size, "Stack, default the image's.");
const HEAP: Rule = rule("heap", Optional, (1, 1), Size, "Heap, default the image's.");

static SERVICE: &[Rule] = &[
    rule("image", Optional, (1, 1), Text, "The image, default of the service's own name."),
    rule("first", Optional, (0, 0), Text, "The kernel starts it before subject zero."),
    rule("subject-zero", Optional, (0, 0), Text, "The kernel starts it last; exactly one."),
    rule("auto", Optional, (0, 0), Text, "Subject zero starts it at boot."),
    rule(
        "core",
        Optional,
        (1, 1),
        Number,
        "The core that it runs on, default the kernel's choice.",
    ),
    SPECTRUM,
    ENERGY,
    PLEDGE,
    rule("policy", Optional, (1, 1), POLICIES, "What happens at a fault, default the image's."),
    STACK,
    HEAP,
    ARGS,
    DEVICE,
    rule("fiber", Many, (1, 1), Name, "May kill and blink this service."),
    POWER,
    AUDIT,
    CLOCK,
    UNVEIL,
    rule("memory", Many, (1, 1), Name, "A MEMORY object of its own, to read and write.")
        .with(&[required("bytes", Size)]),
    rule("children", Optional, (0, 0), Text, "What its children may take together.")
        .with(&[optional("memory", Size), optional("places", Number)]),
    rule("secret", Optional, (1, 1), Text, "A file that it alone can read; it seals the audit."),
    rule("console", Optional, (1, 1), Name, "Console channels 0x1000 and 0x1001 of this service.")
        .with(&[optional("output-only", Flag)]),
    rule("channel", Many, (1, 1), Number, "A channel of this number, above 0x10000.").with(&[
        required("to", Name),
        optional("slots", Number),
        optional("buffer", Size),
        optional("pledge", PLEDGES),
    ]),
];

static APPLICATION: &[Rule] =
    &[SPECTRUM, ENERGY, PLEDGE, ARGS, DEVICE, POWER, AUDIT, CLOCK, UNVEIL, STACK, HEAP];

/// Nodes of an image's manifest.
pub static IMAGE: &[Rule] = &[
    rule("name", One, (1, 1), Name, "The image's name."),
    rule("kind", One, (1, 1), Word(&["npk", "npl"]), "Application or driver."),
    rule("version", Optional, (1, 1), Number, "Version, compared with the floor; default 1."),
    SPECTRUM,
    ENERGY,
    PLEDGE,
    rule("policy", Optional, (1, 1), POLICIES, "What happens at a fault, default `never`."),
    rule("stack", Optional, (1, 1), Size, "Stack of the first fiber, default 64K."),
    rule("heap", Optional, (1, 1), Size, "Heap, default 0."),
    rule("fibers", Optional, (1, 1), Number, "Most fibers of the domain, default 1."),
    rule("devices", Optional, (1, 1), Number, "Devices wanted, default 0."),
    rule("channels", Optional, (1, 1), Number, "Channels wanted, default 0."),
    rule(
        "quiesce",
        Many,
        (1, 1),
        Word(&image::quiesce::NAMES),
        "A step that brings a device to rest.",
    )
    .with(&[
        required("reg", Number),
        required("value", Number),
        optional("mask", Number),
        optional("within-us", Number),
        optional("device", Number),
    ]),
];

impl Type {
    /// The type in words, for the reference.
    fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "name",
            Self::Number => "number",
            Self::Size => "size",
            Self::Flag => "flag",
            Self::Word(words) => match words.first() {
                Some(&"STDIO") => "pledge",
                Some(&"CONSOLE") => "hard pledge",
                Some(&"void") => "spectrum",
                Some(&"never") => "policy",
                Some(&"write") => "`write` or `poll`",
                Some(&"npk") => "`npk` or `npl`",
                _ => "board",
            },
        }
    }
}

/// Rows of the reference in `docs/manifest.md`: first those of `rules`, then those of each one's
/// children.
pub fn rows(rules: &[Rule], out: &mut Vec<String>) {
    for rule in rules {
        let count = match rule.count {
            Count::One => "once",
            Count::Optional => "at most once",
            Count::Many => "any",
        };
        let kind = rule.kind.words();
        let arguments = match rule.args {
            (_, 0) => "none".to_owned(),
            (least, ALL) => format!("{least} to any {kind}"),
            (least, most) if least == most => format!("{least} {kind}"),
            (least, most) => format!("{least} to {most} {kind}"),
        };
        let property = |p: &Property| {
            let optional = if p.required { "" } else { " (optional)" };
            format!("`{}` {}{optional}", p.name, p.kind.words())
        };
        let properties: Vec<String> = rule.properties.iter().map(property).collect();
        let properties =
            if properties.is_empty() { "none".to_owned() } else { properties.join(", ") };
        let (name, says) = (rule.name, rule.says);
        out.push(format!("| `{name}` | {count} | {arguments} | {properties} | {says} |"));
    }
    for rule in rules {
        rows(rule.children, out);
    }
}
