//! Unveil: what a domain does not see is not there, for itself and for its children.
use system::{Boot, built, expect_exit, folder};

pub(crate) const PROFILE: &str = r#"machine "qemu-virt-aarch64" {
    ram "512M"
    cores 1
}
cell "unveil" {
    core 0
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    kernel "rumpk"
    image "touch"
    service "uart" {
        first
        spectrum "photon"; energy 100
        pledge "STDIO" "DEVICE"
        device "uart"
    }
    service "init" {
        subject-zero
        pledge "STDIO" "RPATH" "EXEC" "AUDIT"
        console "uart" output-only=#true
        power
    }
    service "itself" {
        image "veiled"; auto; energy 1500
        pledge "STDIO" "RPATH" "EXEC"
        args "itself"
    }
    service "manifest" {
        image "veiled"; auto; energy 1000
        pledge "STDIO" "RPATH" "EXEC"
        args "manifest"
        unveil "/Boot" "r"
        unveil "/Boot/bin" ""
    }
}
"#;

/// Every check of the guest `veiled`; a number that is not 0 says which one does not hold.
#[test]
fn what_is_not_unveiled_is_not_found() {
    let folder = folder();
    let path = folder.path().join("unveil.kdl");
    std::fs::write(&path, PROFILE).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let outcome = Boot::of(&built(&path.to_string_lossy())).counted().run();
    expect_exit(&outcome, 0);
    let text = outcome.text();
    for name in ["itself", "manifest"] {
        assert!(text.contains(&format!("init: {name}: exit 0")), "{text}");
    }
}
