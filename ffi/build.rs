//! Gives the shared library its soname: programs that were linked against it look for this name, whatever the file is called.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libwasmrt.so.0");
}
