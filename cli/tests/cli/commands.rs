//! The commands beside `run`.

use crate::guests;
use crate::room::{Ended, Room, engines, has};
use std::process::Command;

#[test]
fn version_and_help_are_printed() {
    let room = Room::new();
    let version = room.run(&["--version"]).expect(0);
    assert_eq!(version.stdout, format!("wasm-run {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(room.run(&["-V"]).expect(0).stdout, version.stdout);
    let short = room.run(&["-h"]).expect(0).stdout;
    let long = room.run(&["--help"]).expect(0).stdout;
    assert!(short.len() < long.len());
    for word in ["--memory", "--volume", "inspect", "doctor"] {
        assert!(short.contains(word) && long.contains(word), "{word}");
    }
    for code in ["124", "125", "126", "127", "134", "152", "153"] {
        assert!(long.contains(code), "{code} is not explained");
    }
    for words in [&["help"][..], &["help", "run"], &["run", "--help"], &["help", "compile"], &["cache", "list", "-h"]] {
        assert!(!room.run(words).expect(0).stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn inspect_tells_what_a_module_wants() {
    let room = Room::with("hello.wat", guests::HELLO);
    let text = room.run(&["inspect", "hello.wat"]).expect(0).stdout;
    for word in ["wasi_snapshot_preview1", "fd_write", "_start", "wasmtime"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = room.run(&["inspect", "--json", "hello.wat"]).expect(0).json();
    assert_eq!(json["file"], "hello.wat");
    assert_eq!(json["info"]["imports"][0]["name"], "fd_write");
    assert_eq!(json["auto"], engines()[0].as_str());
    assert!(json["unresolved"].is_null());

    let room = Room::with("wants.wat", r#"(module (import "env" "secret" (func)) (func (export "_start")))"#);
    let json = room.run(&["inspect", "--json", "wants.wat"]).expect(0).json();
    assert!(json["unresolved"].as_str().unwrap().contains("secret"));
}

#[test]
fn inspect_tells_what_is_no_module() {
    let room = Room::with("elf.wasm", b"\x7fELF\x02\x01\x01\0");
    let ended = room.run(&["inspect", "elf.wasm"]).expect(126);
    assert!(ended.stdout.contains("ELF"), "{ended:?}");
    let json = room.run(&["inspect", "--json", "elf.wasm"]).expect(126).json();
    assert_eq!(json["error"]["kind"], "not-wasm");
    let room = Room::with("component.wasm", b"\0asm\x0d\0\x01\0");
    assert!(room.run(&["inspect", "component.wasm"]).stdout.contains("component"));
}

#[test]
fn engines_are_listed() {
    let room = Room::new();
    let text = room.run(&["engines"]).expect(0).stdout;
    let json = room.run(&["engines", "--json"]).expect(0).json();
    for engine in json.as_array().unwrap() {
        assert!(text.contains(engine["name"].as_str().unwrap()));
        assert_eq!(engine["available"] == true, engine["error"].is_null());
        assert_eq!(engine["available"] == true, engine["capabilities"]["version"].is_string());
    }
    let verbose = room.run(&["engines", "-v"]).expect(0).stdout;
    assert!(verbose.contains("sign-extension") && !text.contains("sign-extension"));
}

#[test]
fn doctor_says_how_things_are() {
    let room = Room::new();
    let checks = room.run(&["doctor", "--json"]).expect(0).json();
    let text = room.run(&["doctor"]).expect(0).stdout;
    for check in checks.as_array().unwrap() {
        assert!(text.contains(check["name"].as_str().unwrap()));
        assert_eq!(check["health"] == "good", check["fix"].is_null(), "{check}");
    }
}

#[test]
fn compile_fills_the_cache_and_clear_empties_it() {
    let room = Room::with("hello.wat", guests::HELLO);
    let cached = || room.run(&["cache", "list", "--json"]).expect(0).json()["entries"].as_array().unwrap().len();
    for (index, engine) in engines().iter().enumerate() {
        let ended = room.run(&["compile", "--engine", engine, "hello.wat"]).expect(0);
        assert!(ended.stdout.contains("hello.wat"), "{ended:?}");
        assert_eq!(cached(), index + 1);
        // The second time there is nothing to do, and a run uses what is there.
        assert_eq!(room.run(&["compile", "-q", "--engine", engine, "hello.wat"]).expect(0).stdout, "");
        room.run_on(engine, &["--report", "r.json", "hello.wat"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&room.read("r.json")).unwrap();
        assert_eq!(report["outcome"]["tier"], "optimized", "{engine}");
        assert!(report["outcome"]["usage"]["compile_time"].is_null(), "{engine} compiled again");
        assert_eq!(cached(), index + 1);
    }
    assert!(room.run(&["cache", "list"]).expect(0).stdout.contains("hour") || cached() > 0);
    room.run(&["cache", "clear"]).expect(0);
    assert_eq!(cached(), 0);
}

#[test]
fn compile_goes_on_after_a_module_that_is_none() {
    let room = Room::with("hello.wat", guests::HELLO);
    room.write("garbage.wasm", "garbage");
    let ended = room.run(&["compile", "--engine", "wasmtime", "garbage.wasm", "hello.wat"]).expect(126);
    assert!(ended.stdout.contains("hello.wat") && ended.stderr.contains("garbage.wasm"), "{ended:?}");
}

#[test]
fn cache_path_is_printed_and_not_made() {
    let room = Room::new();
    let stdout = room.run(&["cache", "path"]).expect(0).stdout;
    assert_eq!(stdout.trim_end(), room.path("cache").to_str().unwrap());
    assert!(!room.path("cache").exists());
    assert_eq!(room.run(&["cache", "path", "--cache-dir", "/elsewhere"]).expect(0).stdout, "/elsewhere\n");
}

#[test]
fn the_schema_is_of_what_spec_reads() {
    let schema = Room::new().run(&["schema"]).expect(0).json();
    assert!(schema["properties"]["limits"].is_object());
}

#[test]
fn completions_are_scripts_that_their_shells_read() {
    let room = Room::new();
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let script = room.run(&["completions", shell]).expect(0).stdout;
        for word in ["memory", "volume", "inspect"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
        if has(shell) {
            let path = room.write(shell, &script);
            let output = Command::new(shell).args(check).arg(path).output().unwrap();
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn manual_pages_are_pages() {
    let room = Room::new();
    for words in [&["man"][..], &["man", "run"], &["man", "compile"], &["man", "cache", "list"]] {
        let page = room.run(words).expect(0).stdout;
        for section in [".TH", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(page.contains(section), "{words:?} has no {section}");
        }
        assert_eq!(page.contains(".SH \"EXIT STATUS\""), words.len() == 1 || words[1] == "run", "{words:?}");
        if has("groff") {
            let path = room.write("page.1", &page);
            let output = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(path).output().unwrap();
            let ended = Ended::from(output);
            assert!(ended.code == 0 && ended.stderr.is_empty(), "{words:?}: {ended:?}");
        }
    }
}
