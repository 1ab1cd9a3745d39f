//! Packs the addresses that the dynamic loader must adjust when the shim starts, where the loader knows how to read them packed.
//!
//! containerd executes the shim twice for every container, and there are tens of thousands of them. glibc reads them packed since 2.36; a program
//! that has them so is refused by an older one, as is any that was linked against a newer glibc than it finds.

use std::process::Command;

const READS_THEM: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let for_this_machine = std::env::var("HOST").is_ok_and(|host| is("TARGET", &host));
    if for_this_machine && is("CARGO_CFG_TARGET_ENV", "gnu") && glibc().is_some_and(|version| version >= READS_THEM) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's, of which `getconf` says `glibc 2.41`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
