//! Several cells, and cells with several cores.
use abi::boot::virt;
use abi::hypercall::{PostMortem, cause};
use nexus::assembly;
use nexus::bundle::rewrite;
use nexus::failure::code;
use nexus::machine::{Outcome, Second};
use system::{Boot, expect_exit, folder, signing, workspace};

/// The neighbour's RAM, physical.
const SECOND_RAM: u64 = 0x5800_0000;

/// A cell with a test kernel, every hard pledge that it can have, and a console of its own.
fn cell(name: &str, cores: &str, at: u64, kernel: &str) -> String {
    let (uart, irq) = if at == virt::CELL0 { ("0x9000000", 33) } else { ("0x9040000", 40) };
    format!(
        r#"cell "{name}" {{
    core {cores}
    ram "128M" at={at:#x}
    pledge "CONSOLE" "POWER" "CORES"
    device "uart" class="CONSOLE" at={uart} len=0x1000 irq={irq}
    kernel "{kernel}"
    application "test" {{ pledge "STDIO"; }}
}}
"#
    )
}

/// Boots a machine of these cells.
fn boot(cores: u32, cells: &[String]) -> Outcome {
    boot_under("rumkv", cores, cells)
}

/// The same under another image of RumKV.
fn boot_under(rumkv: &str, cores: u32, cells: &[String]) -> Outcome {
    let folder = folder();
    let path = folder.path().join("cells.kdl");
    let head = format!(
        "rumkv \"{rumkv}\"\nmachine \"qemu-virt-aarch64\" {{ ram \"512M\"; cores {cores}; }}\n"
    );
    std::fs::write(&path, head + &cells.concat()).expect("a profile");
    let built = assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"));
    Boot::of(&built).run()
}

fn of(outcome: &Outcome, cell: u16) -> PostMortem {
    let found = outcome.cells.iter().find(|p| p.cell == cell);
    *found.unwrap_or_else(|| panic!("cell {cell} did not end: {:?}", outcome.exit))
}

fn two_shells() -> Boot {
    let path = workspace().root.join("tests/system/profiles/two-cells.kdl");
    let built = assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"));
    let mut boot = Boot::of(&built).script("ps\npoweroff\n");
    let script = Some(b"ps\npoweroff\n".to_vec());
    boot.options.second = Some(Second { script, output: Box::new(std::io::sink()) });
    boot
}

#[test]
fn two_rumpk_cells_each_with_a_console() {
    let outcome = two_shells().run();
    expect_exit(&outcome, code::OK);
    for text in [outcome.text(), outcome.second_text()] {
        assert!(text.contains("uart") && text.contains("shell"), "{text}");
    }
    for number in 0..2 {
        assert_eq!(of(&outcome, number).cause, cause::OFF);
    }
}

#[test]
fn a_cell_with_other_images_is_dead_and_the_first_one_is_not() {
    let mut boot = two_shells();
    let bundle = &boot.options.bundle;
    let name = b"cell1/kernel\0";
    let at = bundle.chunks(512).position(|b| b.starts_with(name)).expect("the member") * 512;
    boot.options.bundle[at + 512 + 0x1000] ^= 1;
    let outcome = boot.run();
    expect_exit(&outcome, code::DEAD_CELL);
    let text = outcome.text();
    assert!(text.contains("cell 1 is not started: cell1/kernel: hash differs"), "{text}");
    assert!(text.contains("shell"), "{text}");
    assert_eq!(of(&outcome, 0).cause, cause::OFF);
    let second = of(&outcome, 1);
    assert_eq!((second.cause, second.address), (cause::FETCH, second.pc), "{:?}", outcome.exit);
    assert!((virt::KERNEL..virt::ARCHIVE).contains(&second.pc), "{:?}", outcome.exit);
    assert_eq!(outcome.second_text(), "");
}

/// A cell that watches, and beside it one that attacks.
fn neighbours() -> [String; 2] {
    [cell("watch", "0", virt::CELL0, "el1-watch"), cell("attack", "1", SECOND_RAM, "el1-foreign")]
}

#[test]
fn without_the_check_an_sgi_reaches_the_neighbour() {
    let outcome = boot_under("rumkv-sabotage-sgi", 2, &neighbours());
    let beb = outcome.beb.as_ref().expect("a boot error buffer");
    assert_eq!(beb.head.code, 1, "{:?}: {}", outcome.exit, beb.text);
    assert!(beb.text.contains("interrupts of nobody"), "{}", beb.text);
}

#[test]
fn a_cell_that_attacks_its_neighbour_ends_alone() {
    let outcome = boot(2, &neighbours());
    expect_exit(&outcome, code::DEAD_CELL);
    assert_eq!(of(&outcome, 0).cause, cause::OFF, "{:?}", outcome.beb);
    let beb = outcome.beb.as_ref().expect("a boot error buffer");
    assert_eq!(beb.head.code, 0, "{}", beb.text);
    let second = of(&outcome, 1);
    assert_eq!((second.cause, second.address), (cause::DATA, virt::UART), "{:?}", outcome.exit);
}

#[test]
fn a_cell_of_two_cores() {
    let outcome = boot(2, &[cell("cores", "0 1", virt::CELL0, "el1-cores")]);
    assert!(outcome.exit.code == code::DEAD_CELL, "{:?} {:?}", outcome.exit, outcome.beb);
    let beb = outcome.beb.as_ref().expect("a boot error buffer");
    assert_eq!((beb.head.state, beb.head.code), (abi::boot::beb::OFF, 0), "{}", beb.text);
    let post = of(&outcome, 0);
    assert_eq!((post.cause, post.address), (cause::DATA, 0x6000_0000), "{:?}", outcome.exit);
    assert_eq!(post.core, 1, "{:?}", outcome.exit);
}

/// A flat arm64 kernel: the header, then instructions that look whether `x0` points to a device
/// tree, say so on the second console, and switch the cell off.
fn flat_kernel() -> Vec<u8> {
    let words: [u32; 30] = [
        0x1400_0010, // b code
        0xD503_201F, // nop
        0,
        0,
        0x1_0000,
        0,
        10,
        0, // text_offset, image_size, flags
        0,
        0,
        0,
        0,
        0,
        0,
        0x644D_5241,
        0,           // "ARM\x64"
        0xB940_0001, // code: ldr w1, [x0]
        0x5281_BA02, // mov w2, #0x0DD0
        0x72BD_BFC2, // movk w2, #0xEDFE, lsl #16
        0x6B02_003F, // cmp w1, w2
        0x5400_00E1, // b.ne stop
        0x1000_0123, // adr x3, text
        0xD2A1_2084, // mov x4, #0x9040000
        0x3840_1465, // again: ldrb w5, [x3], #1
        0x3400_0065, // cbz w5, stop
        0xB900_0085, // str w5, [x4]
        0x17FF_FFFD, // b again
        0x5280_0100, // stop: mov w0, #8
        0x72B0_8000, // movk w0, #0x8400, lsl #16: SYSTEM_OFF
        0xD400_0003, // smc #0
    ];
    let code = words.iter().flat_map(|w| w.to_le_bytes());
    code.chain(*b"a device tree in x0\0").collect()
}

#[test]
fn a_foreign_kernel_finds_its_device_tree() {
    let folder = folder();
    std::fs::write(folder.path().join("Image"), flat_kernel()).expect("an image");
    let guest = r#"cell "flat" {
    core 1
    ram "32M" at=0x58000000
    pledge "CONSOLE" "POWER"
    device "uart" class="CONSOLE" at=0x9040000 len=0x1000 irq=40
    linux "Image" args="console=ttyAMA0"
}
"#;
    let head = "rumkv\nmachine \"qemu-virt-aarch64\" { ram \"512M\"; cores 2; }\n";
    let path = folder.path().join("flat.kdl");
    let text = [head, &cell("idle", "0", virt::CELL0, "el1-idle"), guest].concat();
    std::fs::write(&path, text).expect("a profile");
    let built = assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"));
    let outcome = Boot::of(&built).counted().run();
    expect_exit(&outcome, code::OK);
    assert_eq!(outcome.second_text(), "a device tree in x0");
    assert_eq!(of(&outcome, 1).cause, cause::OFF);
}

#[test]
fn the_order_of_members_is_still_signed() {
    // The index names what RumKV is to hash: another key cannot.
    let boot = two_shells();
    let other = nexus::bundle::Key::from_seed([5; 32]);
    let bytes = rewrite(&boot.options.bundle, &other, |_| ()).expect("a bundle");
    let outcome = boot.bundle(bytes).run();
    expect_exit(&outcome, code::REFUSED);
}
