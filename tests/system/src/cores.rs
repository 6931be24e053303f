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
    let out = text.replacen(&head, &format!("{head}\n        core {core}"), 1);
    assert!(out != text, "no service {service:?} in:\n{text}");
    out
}
