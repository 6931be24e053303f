//! Links the kernel's layout.
fn main() {
    println!("cargo:rerun-if-changed=../link.ld");
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{folder}/../link.ld");
    }
}
