//! Gives the guard's own source a fingerprint, so that what an older guard prepared is never taken for what this one would prepare.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut sources = BTreeMap::new();
    collect(Path::new("src"), &mut sources);
    // What the guard makes also depends on the libraries that it writes with.
    let lock = Path::new("../../Cargo.lock");
    if lock.exists() {
        println!("cargo::rerun-if-changed={}", lock.display());
        let lock = std::fs::read_to_string(lock).unwrap_or_default();
        let wasm = lock.split("[[package]]").filter(|package| package.contains("name = \"wasm")).collect::<String>();
        sources.insert("Cargo.lock".to_owned(), wasm);
    }
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=WASMRT_GUARD_FINGERPRINT={version}-{:016x}", hasher.finish());
}

fn collect(directory: &Path, sources: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, sources);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            sources.insert(path.display().to_string(), text);
        }
    }
}
