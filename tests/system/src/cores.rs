//! The same profile on more cores: what a test boots on one core it boots on two and four by these, without a second file.

/// The text of a profile for one core, with its machine and its cell on `cores` cores.
///
/// # Panics
/// If the text does not say that it is for one.
#[must_use]
pub fn on_cores(text: &str, cores: u8) -> String {
    let list: Vec<String> = (0..cores).map(|core| core.to_string()).collect();
    let machine = text.replacen("cores 1", &format!("cores {cores}"), 1);
    let cell = machine.replacen("    core 0\n", &format!("    core {}\n", list.join(" ")), 1);
    assert!(cores == 1 || (machine != text && cell != machine), "no profile for one core:\n{text}");
    cell
}

/// The text with a service placed on a core.
///
/// # Panics
/// If there is no such service.
#[must_use]
pub fn placed(text: &str, service: &str, core: u8) -> String {
    let head = format!("service \"{service}\" {{");
    let out = text.replacen(&head, &format!("{head}\n        core {core};"), 1);
    assert!(out != text, "no service {service:?} in:\n{text}");
    out
}

/// A profile of `tests/system/profiles` as one text, with what it includes.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn whole(name: &str) -> String {
    let path = crate::session::profile(name);
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let path = std::path::Path::new(&path);
    let lines = read(path);
    let line = |line: &str| match line.strip_prefix("include \"").and_then(|l| l.strip_suffix('"'))
    {
        Some(file) => read(&path.with_file_name(file)),
        None => format!("{line}\n"),
    };
    // Its text will stand in another folder: what it names in the tree is named from the root.
    let root = format!("\"{}/", crate::workspace().root.display());
    lines.lines().map(line).collect::<String>().replace("\"../../../", &root)
}

/// Builds a profile's text and says how to boot it, counting instructions.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn boot(text: &str) -> crate::Boot {
    let folder = crate::folder();
    let path = folder.path().join("profile.kdl");
    std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let built = nexus::assembly::build(crate::workspace(), &path, &crate::signing());
    crate::Boot::of(&built.unwrap_or_else(|e| panic!("{e}"))).counted()
}
