//! Tells the linker where `npk.ld` lies; whoever links an image asks for it with `-Tnpk.ld`.
fn main() {
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=npk.ld");
}
