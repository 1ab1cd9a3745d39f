//! How programs are linked, for their build scripts.
#![forbid(unsafe_code)]

use std::process::Command;

/// The oldest glibc that reads packed addresses.
const READS_THEM: (u32, u32) = (2, 36);

/// Says to the linker that it is to pack the addresses which the dynamic loader must adjust when a program starts. None where the loader cannot read
/// them so.
///
/// There are tens of thousands of them, and programs that start within milliseconds, or twice for every container, notice. glibc reads them packed since
/// 2.36; a program that has them so is refused by an older one, as is any that was linked against a newer glibc than it finds.
#[must_use]
pub fn packed_addresses() -> Option<&'static str> {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let for_this_machine = std::env::var("HOST").is_ok_and(|host| is("TARGET", &host));
    let read = for_this_machine && is("CARGO_CFG_TARGET_ENV", "gnu") && glibc()? >= READS_THEM;
    read.then_some("-Wl,-z,pack-relative-relocs")
}

/// The version of this machine's, of which `getconf` says `glibc 2.41`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
