//! How this package's programs are linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(argument) = wasmrt_build::packed_addresses() {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
