//! Finding the library: where, which version, and what it must not do.

use super::{TIERS, engine, failure_of, no_host, prepare, run_alone, start, wasm};
use crate::WasmEdgeEngine;
use crate::sys::{CompilerSettings, Library, Output, Search, Settings, check_version, compile};
use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use wasmrt_model::backend::{Code, WasmEngine};
use wasmrt_model::{EngineName, ErrorKind, Tier, Value};

#[test]
fn capabilities_say_what_was_found() {
    let Some(engine) = engine() else { return };
    let capabilities = engine.capabilities();
    assert_eq!(capabilities.engine, EngineName::WasmEdge);
    assert!(capabilities.version.starts_with("0.14."), "{}", capabilities.version);
    assert!(capabilities.path.as_ref().unwrap().is_absolute());
    assert!(std::fs::metadata(capabilities.path.as_ref().unwrap()).unwrap().len() > 1_000_000);
    assert_eq!(capabilities.tiers.iter().map(|tier| tier.tier).collect::<Vec<_>>(), TIERS);
    assert_eq!(capabilities.in_process, [Tier::Interpreter]);
    assert!(!capabilities.components && !capabilities.backtrace);
}

fn refusal(directory: &Path) -> String {
    let search = Search { directory: Some(directory.to_owned()), home: None };
    let error = Library::find(&search).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(error.hint().is_some());
    error.to_string()
}

#[test]
fn a_named_directory_is_the_only_one() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    // The loader would have found one, but somebody said where to look.
    assert!(refusal(directory.path()).contains("libwasmedge.so.0"));
    let library = engine.capabilities().path.clone().unwrap();
    std::os::unix::fs::symlink(&library, directory.path().join("libwasmedge.so")).unwrap();
    let search = Search { directory: Some(directory.path().to_owned()), home: None };
    assert_eq!(Library::find(&search).unwrap().path(), library);
}

#[test]
fn a_file_that_is_no_library_of_ours_is_refused() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("libwasmedge.so.0");
    std::fs::write(&file, "not a library").unwrap();
    refusal(directory.path());
    // A shared object of another kind.
    std::fs::remove_file(&file).unwrap();
    let module = wasm("(module (func))");
    engine.compile(&module, super::options(Tier::Baseline), &file).unwrap();
    assert!(refusal(directory.path()).contains("WasmEdge_VersionGetMajor"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(directory.path()).contains("anybody may write"));
}

#[test]
fn only_versions_with_a_table_are_taken() {
    assert!(check_version(0, 14).is_ok());
    for (major, minor) in [(0, 13), (0, 15), (0, 17), (1, 14), (14, 0)] {
        assert!(check_version(major, minor).unwrap_err().contains("0.14"));
    }
}

/// What a test writes, less what differs from run to run.
fn written_by(name: &str) -> String {
    let text = run_alone(&format!("tests::library::{name}"), "").replace(name, "");
    text.lines().filter(|line| !line.contains("finished in")).collect::<Vec<_>>().join("\n")
}

#[test]
fn wasmedge_writes_nothing_to_the_streams() {
    let Some(_) = engine() else { return };
    assert_eq!(written_by("child_fails_in_many_ways"), written_by("child_does_nothing"));
}

#[test]
fn loading_starts_no_thread_and_no_plug_in() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    // Any shared object does: were it opened, it would show in the list of mappings.
    let plug_in = directory.path().join("libwasmedgePluginTest.so");
    let module = wasm("(module (func))");
    engine.compile(&module, super::options(Tier::Baseline), &plug_in).unwrap();
    let before = format!("export WASMEDGE_PLUGIN_PATH='{}'", directory.path().display());
    run_alone("tests::library::child_starts_no_thread_and_no_plug_in", &before);
}

#[test]
fn a_guest_without_its_memory_does_not_start() {
    let Some(_) = engine() else { return };
    run_alone("tests::library::child_gets_no_address_space", "ulimit -v 4000000 || exit");
}

#[test]
fn guests_run_without_the_compiler() {
    let Some(engine) = engine() else { return };
    let before = format!("export {TOLD}='{}'", engine.told().unwrap());
    run_alone("tests::library::child_runs_without_the_compiler", &before);
}

#[test]
fn a_compiler_that_is_not_there_is_not_called() {
    let Some(engine) = engine() else { return };
    let test = "tests::library::child_calls_the_absent_compiler";
    // Who aborts removes no directory of its own.
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--include-ignored", "--exact", "--nocapture", test])
        .env(TOLD, engine.told().unwrap())
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    if said.contains(PART_OF_IT) {
        return;
    }
    assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains(CALLING), "{said}");
}

/// What a child knows the engine by.
const TOLD: &str = "WASMRT_TEST_TOLD";
const PART_OF_IT: &str = "the compiler is a part of the library";
const CALLING: &str = "calling";

/// An engine that an earlier process has told of, and of which nothing is loaded. None when there is nothing to do without.
fn recalled() -> Option<WasmEdgeEngine> {
    let engine = WasmEdgeEngine::recall(&std::env::var(TOLD).unwrap()).unwrap();
    let library = File::open(engine.capabilities().path.as_ref().unwrap()).unwrap();
    let wanted = crate::stand_in::wanted(&library).unwrap();
    if wanted.is_empty() {
        writeln!(std::io::stderr(), "{PART_OF_IT}").unwrap();
        return None;
    }
    Some(engine)
}

fn is_mapped(name: &str) -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains(name)
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_runs_without_the_compiler() {
    let Some(engine) = recalled() else { return };
    engine.warm().unwrap();
    let text = r#"(module (func (export "run") (result i32) (i32.const 42)))"#;
    let runs = |tier| {
        let mut instance = start(&engine, text, tier, no_host()).unwrap();
        assert_eq!(instance.call("run", &[]).unwrap(), [Value::I32(42)]);
    };
    runs(Tier::Interpreter);
    assert!(is_mapped("libwasmedge") && !is_mapped("libLLVM"));
    // This compiles, and runs what was compiled where there is still no compiler.
    runs(Tier::Optimized);
    runs(Tier::Baseline);
    assert!(is_mapped("libLLVM"));
    engine.compile(b"nothing", super::options(Tier::Baseline), Path::new("/nonexistent/artifact")).unwrap_err();
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_calls_the_absent_compiler() {
    let Some(engine) = recalled() else { return };
    let library = Library::load_file(engine.capabilities().path.as_ref().unwrap()).unwrap();
    let settings = Settings::new(library, &[], true).unwrap();
    let settings = settings.with_compiler(CompilerSettings { optimize: 0, output: Output::Native });
    let directory = tempfile::tempdir().unwrap();
    let output = CString::new(directory.path().join("code").into_os_string().into_vec()).unwrap();
    writeln!(std::io::stderr(), "{CALLING}").unwrap();
    let _ = compile(&settings, &wasm("(module (func))"), &output);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_does_nothing() {}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_fails_in_many_ways() {
    let engine = engine().unwrap();
    for tier in TIERS {
        let trapping = r#"(module (memory 1) (func (export "run") (drop (i32.load (i32.const -1)))))"#;
        start(&engine, trapping, tier, no_host()).unwrap().call("run", &[]).unwrap_err();
        start(&engine, "(module (func $f unreachable) (start $f))", tier, no_host()).map(|_| ()).unwrap_err();
        let prepared = prepare(r#"(module (import "a" "b" (func)))"#);
        let module = super::load(&engine, &prepared.bytes, tier).unwrap();
        module.instantiate(&prepared.info, &[], no_host()).map(|_| ()).unwrap_err();
    }
    engine.load(Code::Wasm(b"\0asm\x01\0\0\0\x01")).map(|_| ()).unwrap_err();
    let absent = Path::new("/nonexistent/artifact");
    let module = wasm("(module (func))");
    engine.compile(&module, super::options(Tier::Baseline), absent).unwrap_err();
    engine.compile(b"nothing", super::options(Tier::Baseline), absent).unwrap_err();
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_starts_no_thread_and_no_plug_in() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let engine = engine().unwrap();
    start(&engine, r#"(module (func (export "run")))"#, Tier::Interpreter, no_host())
        .unwrap()
        .call("run", &[])
        .unwrap();
    assert_eq!(threads(), before);
    for tier in TIERS {
        start(&engine, r#"(module (func (export "run")))"#, tier, no_host()).unwrap().call("run", &[]).unwrap();
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains("libwasmedge"));
    assert!(!maps.contains("libwasmedgePluginTest"));
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_gets_no_address_space() {
    let engine = engine().unwrap();
    let text = r#"(module (memory (export "memory") 1) (func (export "run") (result i32) (i32.load (i32.const 0))))"#;
    for tier in TIERS {
        assert_eq!(failure_of(start(&engine, text, tier, no_host())), ErrorKind::Internal, "{tier}");
    }
}
