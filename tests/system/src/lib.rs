//! What the tests of whole machines share: profiles, boots, and the command as a user starts it.
#![forbid(unsafe_code)]
pub mod command;
pub mod cores;
pub mod session;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use nexus::assembly::{self, Built, Signing};
use nexus::machine::arguments::Board;
use nexus::machine::log::Watch;
use nexus::machine::{self, Input, Options, Outcome};
use nexus::workspace::Workspace;

/// Host time that a machine may take unless a test says otherwise.
pub const TIMEOUT: Duration = Duration::from_mins(2);

/// The tree that these tests belong to.
///
/// # Panics
/// If it cannot be read.
pub fn workspace() -> &'static Workspace {
    static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
    WORKSPACE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Workspace::at(&root).unwrap_or_else(|e| panic!("{e}"))
    })
}

/// The development key, version 1, floor 1.
///
/// # Panics
/// If the tree has no key.
#[must_use]
pub fn signing() -> Signing {
    Signing::development(workspace()).unwrap_or_else(|e| panic!("{e}"))
}

/// A profile of the tree by name, or any by its path; built once per test process.
///
/// # Panics
/// If it does not build: the text says why.
pub fn built(profile: &str) -> Arc<Built> {
    static BUILT: Mutex<BTreeMap<String, Arc<Built>>> = Mutex::new(BTreeMap::new());
    let mut known = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(built) = known.get(profile) {
        return Arc::clone(built);
    }
    let path = assembly::profile_path(workspace(), profile);
    let built = assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"));
    let built = Arc::new(built);
    known.insert(profile.into(), Arc::clone(&built));
    built
}

/// One boot of something built, to be changed before it starts.
pub struct Boot {
    /// Everything QEMU is given.
    pub options: Options,
}

impl Boot {
    /// Boots `built` with nothing at the console.
    #[must_use]
    pub fn of(built: &Built) -> Self {
        Self {
            options: Options {
                board: built.board(),
                loader: built.loader.clone(),
                bundle: built.bundle.clone(),
                rumkv: built.profile.rumkv().is_some(),
                input: Input::None,
                output: Box::new(std::io::sink()),
                timeout: Some(TIMEOUT),
                watch: Watch::Nothing,
                resets: 0,
                second: None,
            },
        }
    }

    /// Types `script` into the console, then Ctrl-D.
    #[must_use]
    pub fn script(mut self, script: impl Into<Vec<u8>>) -> Self {
        self.options.input = Input::Script(script.into());
        self
    }

    /// Counts instructions.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.options.board = Board { counted: true, ..self.options.board };
        self
    }

    /// Boots these bytes instead of the bundle.
    #[must_use]
    pub fn bundle(mut self, bundle: Vec<u8>) -> Self {
        self.options.bundle = bundle;
        self
    }

    /// Gives up after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Boots.
    ///
    /// # Panics
    /// If QEMU cannot be started or does not answer.
    #[must_use]
    pub fn run(self) -> Outcome {
        machine::boot(self.options).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// Fails unless the machine ended with `code`; shows how it did end.
///
/// # Panics
/// That is its purpose.
pub fn expect_exit(outcome: &Outcome, code: u8) {
    let exit = &outcome.exit;
    let text = outcome.text();
    assert_eq!(exit.code, code, "{:?}: {exit:?}\n{:?}\n{text}", outcome.end, outcome.beb);
}

/// Writes a profile with one cell whose kernel is a test kernel of `tests/el1`.
///
/// # Panics
/// If the file cannot be written.
#[must_use]
pub fn kernel_profile(folder: &Path, kernel: &str, rumkv: Option<&str>) -> PathBuf {
    let rumkv = rumkv.map_or(String::new(), |image| format!("rumkv \"{image}\"\n"));
    let text = format!(
        r#"{rumkv}machine "qemu-virt-aarch64" {{
    ram "512M"
    cores 1
}}
cell "test" {{
    core 0
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    kernel "{kernel}"
    application "test" {{
        pledge "STDIO"
    }}
}}
"#
    );
    let path = folder.join(format!("{kernel}.kdl"));
    std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

/// A folder that is gone when the test ends.
///
/// # Panics
/// If there is no place for one.
#[must_use]
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"))
}
