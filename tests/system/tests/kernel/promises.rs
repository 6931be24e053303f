//! What the contract promises to every fiber, checked by the guest `promise` from inside.
use system::{Boot, built, expect_exit, folder};

const PROFILE: &str = r#"machine "qemu-virt-aarch64" { ram "512M"; cores 1; }
cell "promises" {
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
    service "entry" { image "promise"; auto; pledge "STDIO"; console "uart" output-only=#true; args "entry"; }
    service "one" { image "promise"; auto; pledge "STDIO"; console "uart" output-only=#true; args "registers 1"; }
    service "two" { image "promise"; auto; pledge "STDIO"; console "uart" output-only=#true; args "registers 2"; }
    service "doorbell" {
        image "promise"; auto; pledge "STDIO"
        console "uart" output-only=#true
        args "doorbell"
        channel 0x10001 to="deaf"
    }
    service "turns" { image "promise"; auto; pledge "STDIO"; console "uart" output-only=#true; args "turns"; }
    service "deaf" { image "promise"; auto; pledge "STDIO"; args "deaf"; }
}
"#;

#[test]
fn what_the_contract_promises_to_every_fiber_holds() {
    let folder = folder();
    let path = folder.path().join("promises.kdl");
    std::fs::write(&path, PROFILE).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let outcome = Boot::of(&built(&path.to_string_lossy())).counted().run();
    let text = outcome.text();
    for name in ["entry", "one", "two", "doorbell", "turns"] {
        assert!(text.contains(&format!("init: {name}: exit 0")), "{name}: {text}");
    }
    expect_exit(&outcome, 0);
}
