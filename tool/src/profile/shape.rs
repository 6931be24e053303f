//! First pass over a document: does every node fit the schema? Afterwards reading cannot fail.
use std::sync::Arc;

use kdl::{KdlEntry, KdlNode, KdlValue};

use super::schema::{Count, Rule, Type};
use crate::report::{Report, Source, Spanned, Spot};

/// A node together with the file it stands in.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The file.
    pub source: Arc<Source>,
    /// The node.
    pub node: KdlNode,
}

impl Placed {
    /// Where the node's name stands.
    pub fn spot(&self) -> Spot {
        let span = self.node.name().span();
        Spot { source: self.source.clone(), range: span.offset()..span.offset() + span.len() }
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        self.node.name().value()
    }

    /// The nodes in its braces.
    pub fn children(&self) -> Vec<Self> {
        self.node
            .iter_children()
            .map(|node| Self { source: self.source.clone(), node: node.clone() })
            .collect()
    }

    /// Children of this name.
    pub fn all(&self, name: &str) -> Vec<Self> {
        self.children().into_iter().filter(|c| c.name() == name).collect()
    }

    /// The only child of this name.
    pub fn one(&self, name: &str) -> Option<Self> {
        self.all(name).into_iter().next()
    }

    fn entry_spot(&self, entry: &KdlEntry) -> Spot {
        let span = entry.span();
        // An entry's span may begin with the white space before it.
        let whole = span.offset()..span.offset() + span.len();
        let text = self.source.text.get(whole.clone()).unwrap_or("");
        let blank = text.len() - text.trim_start().len();
        Spot { source: self.source.clone(), range: whole.start + blank..whole.end }
    }

    fn positional(&self) -> impl Iterator<Item = &KdlEntry> {
        self.node.entries().iter().filter(|e| e.name().is_none())
    }

    fn property_entry(&self, name: &str) -> Option<&KdlEntry> {
        self.node.entries().iter().rev().find(|e| e.name().is_some_and(|n| n.value() == name))
    }

    /// Arguments that are text.
    pub fn texts(&self) -> Vec<Spanned<String>> {
        self.positional()
            .filter_map(|e| {
                let value = e.value().as_string()?.to_owned();
                Some(Spanned { value, at: self.entry_spot(e) })
            })
            .collect()
    }

    /// The first argument as text.
    pub fn text(&self) -> Option<Spanned<String>> {
        self.texts().into_iter().next()
    }

    /// Arguments that are numbers or sizes.
    pub fn numbers(&self) -> Vec<Spanned<u64>> {
        self.positional()
            .filter_map(|e| Some(Spanned { value: size(e.value())?, at: self.entry_spot(e) }))
            .collect()
    }

    /// The first argument as a number or size.
    pub fn number(&self) -> Option<Spanned<u64>> {
        self.numbers().into_iter().next()
    }

    /// A property that is text.
    pub fn text_of(&self, name: &str) -> Option<Spanned<String>> {
        let entry = self.property_entry(name)?;
        let value = entry.value().as_string()?.to_owned();
        Some(Spanned { value, at: self.entry_spot(entry) })
    }

    /// A property that is a number or a size.
    pub fn number_of(&self, name: &str) -> Option<Spanned<u64>> {
        let entry = self.property_entry(name)?;
        Some(Spanned { value: size(entry.value())?, at: self.entry_spot(entry) })
    }

    /// Whether a property is there and true.
    pub fn flag_of(&self, name: &str) -> bool {
        self.property_entry(name).and_then(|e| e.value().as_bool()).unwrap_or(false)
    }
}

/// A size in bytes: a whole number, or text of digits that may end in K, M or G.
fn size(value: &KdlValue) -> Option<u64> {
    if let Some(number) = value.as_integer() {
        return u64::try_from(number).ok();
    }
    let text = value.as_string()?;
    let (digits, shift) = match text.bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Compares the nodes of a whole document, which begins at `start`, with `rules`.
pub fn check(nodes: &[Placed], rules: &[Rule], start: &Spot, out: &mut Vec<Report>) {
    check_nodes(nodes, rules, "the top of the file", start, out);
}

/// Compares the nodes of `place`, whose name stands at `spot`, with `rules` and says every
/// difference.
fn check_nodes(nodes: &[Placed], rules: &[Rule], place: &str, spot: &Spot, out: &mut Vec<Report>) {
    for (i, node) in nodes.iter().enumerate() {
        let Some(rule) = rules.iter().find(|r| r.name == node.name()) else {
            out.push(unknown_node(node, rules, place));
            continue;
        };
        let before = nodes[..i].iter().find(|n| n.name() == node.name());
        if let (true, Some(first)) = (rule.count != Count::Many, before) {
            out.push(
                Report::new(format!("`{}` stands here twice", rule.name))
                    .at(&node.spot(), "again here")
                    .note(&first.spot(), "first here")
                    .help("leave one of them out"),
            );
        }
        check_node(node, rule, out);
    }
    for rule in rules.iter().filter(|r| r.count == Count::One) {
        if nodes.iter().any(|n| n.name() == rule.name) {
            continue;
        }
        let dots = if rule.args.0 > 0 { " ..." } else { "" };
        out.push(
            Report::new(format!("`{}` is missing", rule.name))
                .at(spot, format!("needs a `{}`", rule.name))
                .help(format!("add a node `{}{dots}`: {}", rule.name, rule.says)),
        );
    }
}

fn check_node(node: &Placed, rule: &Rule, out: &mut Vec<Report>) {
    let of_values = node.node.entries().iter().filter_map(KdlEntry::ty);
    for ty in node.node.ty().into_iter().chain(of_values) {
        let span = ty.span();
        let range = span.offset()..span.offset() + span.len();
        let spot = Spot { source: node.source.clone(), range };
        out.push(
            Report::new("type annotations mean nothing in a manifest")
                .at(&spot, "leave this out")
                .help("write the value alone; the node says what it is"),
        );
    }
    check_arguments(node, rule, out);
    check_properties(node, rule, out);
    if rule.children.is_empty() {
        if let Some(child) = node.children().first() {
            out.push(
                Report::new(format!("`{}` holds no nodes", rule.name))
                    .at(&child.spot(), "unexpected")
                    .help(format!("take the braces after `{}` away", rule.name)),
            );
        }
    } else {
        let place = format!("`{}`", rule.name);
        check_nodes(&node.children(), rule.children, &place, &node.spot(), out);
    }
}

fn check_arguments(node: &Placed, rule: &Rule, out: &mut Vec<Report>) {
    let found = node.positional().count();
    for (i, entry) in node.positional().enumerate() {
        if i >= rule.args.1 {
            let most = match rule.args.1 {
                0 => "no argument".to_owned(),
                1 => "one argument".to_owned(),
                n => format!("at most {n} arguments"),
            };
            out.push(
                Report::new(format!("`{}` takes {most}", rule.name))
                    .at(&node.entry_spot(entry), "one too many")
                    .help("take it away"),
            );
            return;
        }
        check_value(node, entry, rule.kind, rule.name, out);
    }
    if found < rule.args.0 {
        out.push(
            Report::new(format!("`{}` needs {}", rule.name, what(rule.kind)))
                .at(&node.spot(), "nothing follows")
                .help(format!("write `{} {}`", rule.name, example(rule.kind))),
        );
    }
}

fn check_properties(node: &Placed, rule: &Rule, out: &mut Vec<Report>) {
    let mut seen: Vec<&str> = Vec::new();
    for entry in node.node.entries() {
        let Some(name) = entry.name().map(kdl::KdlIdentifier::value) else { continue };
        let spot = node.entry_spot(entry);
        if seen.contains(&name) {
            out.push(
                Report::new(format!("property `{name}` stands here twice"))
                    .at(&spot, "again here")
                    .help("leave one of them out"),
            );
        }
        seen.push(name);
        match rule.properties.iter().find(|p| p.name == name) {
            Some(property) => check_value(node, entry, property.kind, name, out),
            None => out.push(unknown_property(rule, name, &spot)),
        }
    }
    for property in rule.properties.iter().filter(|p| p.required) {
        if !seen.contains(&property.name) {
            out.push(
                Report::new(format!("`{}` needs the property `{}`", rule.name, property.name))
                    .at(&node.spot(), format!("has no `{}`", property.name))
                    .help(format!("add `{}={}`", property.name, example(property.kind))),
            );
        }
    }
}

fn check_value(node: &Placed, entry: &KdlEntry, kind: Type, name: &str, out: &mut Vec<Report>) {
    let value = entry.value();
    let spot = node.entry_spot(entry);
    let fits = match kind {
        Type::Text => value.is_string(),
        Type::Name => value.as_string().is_some_and(is_name),
        Type::Number => value.as_integer().is_some_and(|n| u64::try_from(n).is_ok()),
        Type::Size => size(value).is_some(),
        Type::Flag => value.is_bool(),
        Type::Word(words) => value.as_string().is_some_and(|v| words.contains(&v)),
    };
    if fits {
        return;
    }
    let report = match (kind, value.as_string()) {
        (Type::Word(words), Some(word)) => Report::new(format!("`{name}` does not know `{word}`"))
            .at(&spot, "unknown word")
            .help(suggest(word, words)),
        (Type::Name, Some(text)) if text.len() > NAME_LEN => {
            Report::new(format!("name `{text}` is {} bytes long", text.len()))
                .at(&spot, format!("at most {NAME_LEN}"))
                .help("choose a shorter name")
        }
        _ => Report::new(format!("`{name}` must be {}", what(kind)))
            .at(&spot, format!("this is {}", described(value)))
            .help(format!("for example `{}`", example(kind))),
    };
    out.push(report);
}

/// Longest name in bytes: the fields of 32 keep a zero at the end.
pub const NAME_LEN: usize = 31;

/// Whether `text` is a [`Type::Name`].
pub fn is_name(text: &str) -> bool {
    let follows = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    text.len() <= NAME_LEN
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(follows)
}

fn unknown_node(node: &Placed, rules: &[Rule], place: &str) -> Report {
    let names: Vec<&str> = rules.iter().map(|r| r.name).collect();
    Report::new(format!("unknown node `{}` in {place}", node.name()))
        .at(&node.spot(), "unknown node")
        .help(suggest(node.name(), &names))
}

fn unknown_property(rule: &Rule, name: &str, spot: &Spot) -> Report {
    let names: Vec<&str> = rule.properties.iter().map(|p| p.name).collect();
    let help = if names.is_empty() {
        format!("`{}` has no properties", rule.name)
    } else {
        suggest(name, &names)
    };
    Report::new(format!("unknown property `{name}` of `{}`", rule.name))
        .at(spot, "unknown property")
        .help(help)
}

/// "did you mean" when something is near, else the list.
pub fn suggest(word: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 4)
        .min();
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there is nothing to choose from".to_owned(),
        None => format!("known are: {}", known.join(", ")),
    }
}

fn what(kind: Type) -> String {
    match kind {
        Type::Text => "text".to_owned(),
        Type::Name => "a name (1 to 31 of a-z 0-9 - _ . with a letter first)".to_owned(),
        Type::Number => "a whole number from 0 up".to_owned(),
        Type::Size => "a size in bytes, or with the suffix K, M or G".to_owned(),
        Type::Flag => "#true or #false".to_owned(),
        Type::Word(words) => format!("one of {}", words.join(", ")),
    }
}

fn example(kind: Type) -> &'static str {
    match kind {
        Type::Text => "\"text\"",
        Type::Name => "\"name\"",
        Type::Number => "0x1000",
        Type::Size => "\"128M\"",
        Type::Flag => "#true",
        Type::Word(words) => words.first().copied().unwrap_or("word"),
    }
}

fn described(value: &KdlValue) -> &'static str {
    match value {
        KdlValue::String(_) => "other text",
        KdlValue::Integer(n) if *n < 0 => "a negative number",
        KdlValue::Integer(_) => "a number that does not fit",
        KdlValue::Float(_) => "a number with a fraction",
        KdlValue::Bool(_) => "a truth value",
        KdlValue::Null => "null",
    }
}
