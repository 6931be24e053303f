//! `run`: the main job.
use std::io::IsTerminal;
use std::time::Duration;

use abi::boot::beb;

use super::{assemble, signing};
use crate::assembly::{self, profile_path};
use crate::cli::Run;
use crate::failure::{Context, Failure};
use crate::machine::log::Watch;
use crate::machine::remark::{Images, Remarks};
use crate::machine::screen::{Named, Screen};
use crate::machine::{self, Input, Options, Second};
use crate::symbol;
use crate::workspace::Workspace;

/// Port of QEMU's gdb server.
const GDB: u16 = 1234;

/// Builds, boots, and judges how the machine ended.
pub fn run(a: Run) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let signing = signing(&workspace, &a.source)?;
    let path = profile_path(&workspace, a.source.profile());
    let built = match &a.bundle {
        None => assemble(&workspace, &path, &signing, a.sabotage.as_deref())?,
        Some(file) => {
            let bundle = std::fs::read(file).context(|| format!("read {}", file.display()))?;
            let loader = assembly::loader(&workspace, &path, &signing)?;
            assembly::Built { bundle, ..loader }
        }
    };
    let mut board = built.board();
    board.counted = a.icount;
    board.extra = a.qemu;
    if a.gdb {
        board.gdb = Some(GDB);
        eprintln!("nexus: waiting for gdb: gdb-multiarch -ex 'target remote :{GDB}' \\");
        for elf in &built.elves {
            eprintln!("  -ex 'add-symbol-file {}' \\", elf.display());
        }
    }
    let terminal = std::io::stdin().is_terminal();
    let screen = Screen::new(Box::new(std::io::stdout()));
    let second: Box<dyn std::io::Write + Send> = if terminal {
        Box::new(screen.view(1))
    } else {
        let name = built.profile.cells().iter().find(|c| c.second_console());
        let name = name.map_or("second", |c| c.name.value.as_str());
        Box::new(Named::new(name, Box::new(std::io::stdout())))
    };
    // A bundle that was made elsewhere is of other ELF files than those of this tree.
    let known = |second| if a.bundle.is_some() { Images::new() } else { built.programs(second) };
    let second = Box::new(Remarks::new(known(true), second));
    let first = Box::new(Remarks::new(known(false), Box::new(screen.view(0))));
    let outcome = machine::boot(Options {
        board,
        loader: built.loader,
        bundle: built.bundle,
        rumkv: built.profile.rumkv().is_some(),
        input: if terminal { Input::Terminal(screen.clone()) } else { Input::Standard },
        output: first,
        timeout: a.timeout.map(Duration::from_secs),
        watch: Watch::Nothing,
        resets: 0,
        second: Some(Second { script: None, output: second }),
    })?;
    let exit = outcome.exit;
    if let Some(file) = &a.audit {
        let chain = outcome
            .audit
            .as_deref()
            .ok_or_else(|| Failure::new("the machine is gone, and its chain"))?;
        super::write(file, chain)?;
    }
    // A test kernel that ended well says here what it found.
    if let Some(b) = outcome.beb.filter(|b| b.head.state == beb::OFF && !b.text.is_empty()) {
        eprintln!("{}", b.text.trim_end());
    }
    if !exit.text.is_empty() {
        eprintln!("nexus: {}", exit.text);
    }
    if let Some(place) = exit.pc.and_then(|pc| symbol::locate(&built.elves, pc)) {
        eprintln!("nexus: at {place}");
    }
    Ok(exit.code)
}
