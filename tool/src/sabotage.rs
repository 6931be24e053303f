//! `--sabotage`: RumKV built without one of its checks, so that an attack is seen to succeed where that
//! check is missing.
use crate::failure::Failure;
use crate::profile::{ImageRef, Profile};
use crate::workspace::Workspace;

/// What the names of these images start with.
const PREFIX: &str = "rumkv-sabotage-";

/// Puts `rumkv-sabotage-NAME` in the place of the profile's RumKV.
///
/// # Errors
/// The profile has no RumKV, or there is no such image: the text lists those that there are.
pub fn apply(workspace: &Workspace, profile: &mut Profile, name: &str) -> Result<(), Failure> {
    let programs = workspace.programs().map(|(program, _)| program);
    let known: Vec<&str> = programs.filter_map(|p| p.strip_prefix(PREFIX)).collect();
    if !known.contains(&name) {
        let known = known.join(", ");
        return Err(Failure::new(format!("there is no sabotage `{name}`; there is: {known}")));
    }
    let Some(rumkv) = &mut profile.rumkv else {
        let text = format!(
            "profile `{}` has no RumKV: there is nothing to sabotage (`core` has one)",
            profile.name
        );
        return Err(Failure::new(text));
    };
    rumkv.value = ImageRef::BuiltIn(format!("{PREFIX}{name}"));
    Ok(())
}
