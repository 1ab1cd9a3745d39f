//! include/wasmrt.h is what the sources say.

use crate::build::{package, read};
use std::path::{Path, PathBuf};

/// Set to write the header instead of comparing it.
const UPDATE: &str = "WASMRT_UPDATE_HEADER";

/// The header as cbindgen makes it, with what Rust says about safety said for C.
pub(crate) fn made() -> String {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in sources() {
        builder = builder.with_src(source);
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let text = text.replace("//\n// # Safety\n// ", "//\n// The caller's part: ");
    text.replace("const char * ", "const char *").replace("wasmrt_error_t ** ", "wasmrt_error_t **")
}

/// In the order of a reader: what everything else needs comes first.
fn sources() -> Vec<PathBuf> {
    let first = ["version.rs", "error.rs", "runtime.rs", "module.rs", "spec.rs"];
    let mut rest = Vec::new();
    collect(&package().join("src"), &mut rest);
    rest.sort();
    let mut sources: Vec<PathBuf> = first.iter().map(|name| package().join("src").join(name)).collect();
    rest.retain(|source| !sources.contains(source));
    sources.append(&mut rest);
    sources
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_header_is_what_the_sources_say() {
    let path = package().join("include/wasmrt.h");
    let made = made();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(read(&path) == made, "ffi/include/wasmrt.h is out of date: make it with {UPDATE}=1 make test-ffi");
}

#[test]
fn the_header_has_the_version_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    let header = made();
    let parts: Vec<&str> = version.split('.').collect();
    for (name, part) in ["MAJOR", "MINOR", "PATCH"].iter().zip(parts) {
        assert!(header.contains(&format!("#define WASMRT_VERSION_{name} {part}\n")), "{name}");
    }
    assert!(header.contains(&format!("#define WASMRT_VERSION \"{version}\"\n")));
}

/// The names of all functions of the header that the library exports.
pub(crate) fn functions() -> Vec<String> {
    let header = made();
    let declared = header.split("#endif // __cplusplus").nth(1).expect("declarations stand between guards");
    let mut names: Vec<String> = Vec::new();
    for line in declared.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if let Some((before, _)) = line.split_once('(')
            && let Some(start) = before.find("wasmrt_")
            && !line.starts_with(' ')
        {
            let name = before.get(start..).unwrap_or_default();
            let name = name.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}
