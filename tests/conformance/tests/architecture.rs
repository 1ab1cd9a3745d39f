//! The rules of the house: which crate may use which, where unsafe code may stand, and how large a file may grow.
#![expect(clippy::expect_used, reason = "a failed expectation is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate and the crates of this workspace that it may use. Backends are used by the runtime alone, and optionally.
const MAY_USE: &[(&str, &[&str])] = &[
    ("wasmrt-build", &[]),
    ("wasmrt-model", &[]),
    ("wasmrt-guard", &["wasmrt-model"]),
    ("wasmrt-host", &["wasmrt-model"]),
    ("wasmrt-backend", &["wasmrt-model"]),
    ("wasmrt-backend-tests", &["wasmrt-model"]),
    ("wasmrt-wasmedge", &["wasmrt-model", "wasmrt-backend", "wasmrt-backend-tests"]),
    // Components get their WASI from the engine that runs them, under the host's rules.
    ("wasmrt-wasmtime", &["wasmrt-model", "wasmrt-host", "wasmrt-backend", "wasmrt-backend-tests"]),
    ("wasmrt-wasmer", &["wasmrt-model", "wasmrt-backend", "wasmrt-backend-tests"]),
    (
        "wasmrt-runtime",
        &[
            "wasmrt-build",
            "wasmrt-model",
            "wasmrt-guard",
            "wasmrt-host",
            "wasmrt-wasmedge",
            "wasmrt-wasmtime",
            "wasmrt-wasmer",
        ],
    ),
    ("wasm-run", &["wasmrt-build", "wasmrt-model", "wasmrt-runtime"]),
    ("wasmrt-ffi", &["wasmrt-runtime"]),
    ("containerd-shim-wasmrt", &["wasmrt-build", "wasmrt-model", "wasmrt-runtime"]),
    ("wasmrt-python", &["wasmrt-runtime"]),
    ("wasmrt-node", &["wasmrt-runtime"]),
    ("wasmrt-bench", &["wasmrt-model", "wasmrt-runtime"]),
    ("wasmrt-tests", &["wasmrt-model", "wasmrt-runtime"]),
    ("wasmrt-e2e", &[]),
    ("wasmrt-spec-tests", &["wasmrt-model", "wasmrt-guard", "wasmrt-wasmedge", "wasmrt-wasmtime"]),
];

/// Crates without a line of unsafe code.
const SAFE: &[&str] = &[
    "engine-core/build/src/lib.rs",
    "engine-core/model/src/lib.rs",
    "engine-core/guard/src/lib.rs",
    "engine-core/host/src/lib.rs",
    "backends/common/src/lib.rs",
    "cli/src/main.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace is two levels up").to_owned()
}

/// What cargo says of the crates of this workspace.
#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(serde::Deserialize)]
struct Dependency {
    name: String,
    optional: bool,
}

fn metadata() -> Metadata {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo describes the workspace")
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    let ours: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.clone()).collect();
    for package in &metadata.packages {
        let name = package.name.clone();
        let may_use = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no line in this test"));
        for dependency in package.dependencies.iter().filter(|dependency| ours.contains(&dependency.name)) {
            assert!(may_use.contains(dependency.name.as_str()), "{name} must not use {}", dependency.name);
            let backend = ["wasmrt-wasmedge", "wasmrt-wasmtime", "wasmrt-wasmer"].contains(&dependency.name.as_str());
            assert!(
                !backend || name != "wasmrt-runtime" || dependency.optional,
                "{} must be optional",
                dependency.name
            );
        }
    }
    for name in allowed.keys() {
        assert!(ours.contains(*name), "{name} is in this test but not in the workspace");
    }
}

#[test]
fn versions_stand_in_the_workspace_alone() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest can be read");
        for line in manifest.lines().skip_while(|line| !line.contains("dependencies]")) {
            let names_a_version = line.contains("version = \"")
                || line.split('=').nth(1).is_some_and(|value| value.trim().starts_with('"'));
            let in_table = line.starts_with('[') || line.contains('[') && !line.contains('{');
            assert!(in_table || !names_a_version, "{}: {line}", package.name);
        }
    }
}

#[test]
fn unsafe_code_stands_in_its_rooms_alone() {
    for file in SAFE {
        let text = fs::read_to_string(root().join(file)).expect("a source file can be read");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file}");
    }
    let mut opened = Vec::new();
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        if text.contains("expect(unsafe_code") || text.contains("allow(unsafe_code") {
            opened.push(file.strip_prefix(root()).expect("it is below the root").display().to_string());
        }
    }
    for file in opened {
        let room = file.starts_with("backends/wasmedge/src/sys")
            || [
                "engine-core/runtime/src/process.rs",
                "backends/wasmtime/src/engine.rs",
                "backends/wasmer/src/sys.rs",
                // A promise to a reactor, and signals without names.
                "shim/src/oom.rs",
                "shim/src/signal.rs",
                // All of it is a boundary to C.
                "ffi/src/lib.rs",
            ]
            .contains(&file.as_str())
            // Tests that prove an attack, or count allocations, may need it.
            || file.contains("/tests");
        assert!(room, "{file} opens unsafe code");
    }
}

#[test]
fn no_file_is_a_house() {
    for file in sources(&root()) {
        let lines = fs::read_to_string(&file).expect("a source file can be read").lines().count();
        let name = file.display().to_string();
        let table = name.ends_with("tests.rs") || name.contains("/tests/");
        assert!(lines <= if table { 1000 } else { 600 }, "{name} has {lines} lines");
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory can be read").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            let skipped = name == "target" || name.to_string_lossy().starts_with('.');
            if !skipped {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // What holds the rules names what they forbid.
            if name != "architecture.rs" {
                found.push(path);
            }
        }
    }
    found
}

/// Who refuses does not know how its reader asks for things: hints name settings, and front-ends say them.
#[test]
fn hints_name_settings_and_no_flags() {
    let rooms = ["engine-core", "backends"].map(|room| sources(&root().join(room)));
    for file in rooms.iter().flatten() {
        let text = fs::read_to_string(file).expect("a source can be read");
        for hint in text.split(".with_hint(").skip(1).filter_map(|rest| rest.split("\")").next()) {
            assert!(!hint.contains("--"), "{}: {hint}", file.display());
            for quoted in hint.split('`').skip(1).step_by(2) {
                let setting = quoted.split('=').next().unwrap_or_default();
                assert!(wasmrt_model::words::SETTINGS.contains(&setting), "{}: {setting} in {hint}", file.display());
            }
        }
    }
}

#[test]
fn every_attack_of_the_threat_model_has_a_case() {
    let security = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md is there");
    let (_, list) = security.split_once("## Attacks that are tried").expect("it lists attacks");
    let (list, _) = list.split_once("\n## ").expect("something follows the list");
    let listed: BTreeSet<u32> =
        list.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    assert!(!listed.is_empty());
    let cases = wasmrt_tests::case::Case::all(&wasmrt_tests::trials::cases_directory()).expect("cases can be read");
    let tried: BTreeSet<u32> = cases.iter().flat_map(|case| case.header.rows.iter().copied()).collect();
    assert_eq!(listed, tried);
}
