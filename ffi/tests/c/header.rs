//! include/wasmrt.h is what the sources say.

use crate::build::{package, read};

/// Set to write the header instead of comparing it.
const UPDATE: &str = "WASMRT_UPDATE_HEADER";

/// The header as cbindgen makes it, with what Rust says about safety said for C.
pub(crate) fn made() -> String {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config).with_src(package().join("src/lib.rs"));
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let text = text.replace("//\n// # Safety\n// ", "//\n// The caller's part: ");
    text.replace("const char * ", "const char *").replace("wasmrt_error_t ** ", "wasmrt_error_t **")
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

/// What stands between the guards for C++: the functions that the library exports.
pub(crate) fn declarations(header: &str) -> &str {
    let after = header.split("extern \"C\" {").nth(1).expect("declarations stand between guards");
    after.split("#ifdef __cplusplus").next().unwrap_or_default()
}

/// The names of all functions of the header that the library exports.
pub(crate) fn functions() -> Vec<String> {
    let header = made();
    let mut names: Vec<String> = Vec::new();
    for line in declarations(&header).lines().filter(|line| !line.trim_start().starts_with("//")) {
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
