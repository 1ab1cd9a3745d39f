//! What is no run: wrong usage, and files that are no module. The code says whose fault it is, the words say what to do.

use crate::guests;
use crate::room::Room;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn wrong_usage_is_125() {
    let room = Room::with("hello.wat", guests::HELLO);
    for words in [
        &[][..],
        &["--nonsense", "hello.wat"],
        &["run"],
        &["run", "--memory"],
        &["-m", "lots", "hello.wat"],
        &["--engine", "v8", "hello.wat"],
        &["inspect"],
        &["cache", "burn"],
        &["completions", "tcsh"],
        &["man", "nonsense"],
        &["--spec", "hello.wat", "hello.wat"],
    ] {
        let ended = room.run(words).expect(125);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{words:?}: {ended:?}");
    }
}

#[test]
fn a_module_that_is_not_there_is_127() {
    let room = Room::new();
    for words in [
        &["absent.wasm"][..],
        &["inspct"],
        &["/nowhere/app.wasm"],
        &["inspect", "absent.wasm"],
        &["compile", "absent.wasm"],
    ] {
        let ended = room.run(words).expect(127);
        assert_eq!(ended.said(), 1);
        assert!(ended.stderr.contains(words[words.len() - 1]) && ended.stderr.contains("hint:"), "{ended:?}");
    }
}

#[test]
fn what_is_no_module_is_126() {
    let module = wat::parse_str(guests::HELLO).unwrap();
    let elf = std::fs::read("/proc/self/exe").unwrap();
    let cases: &[(&str, &[u8])] = &[
        ("empty.wasm", b""),
        ("header.wasm", &module[..6]),
        ("truncated.wasm", &module[..module.len() - 3]),
        ("damaged.wasm", b"\0asm\x01\0\0\0\xff\xff"),
        ("elf.wasm", &elf[..4096]),
        ("script.wasm", b"#!/bin/sh\necho hello\n"),
        ("garbage.wasm", b"this is no module"),
        ("garbage.wat", b"this is no module either"),
        ("component.wasm", b"\0asm\x0d\0\x01\0"),
        ("future.wasm", b"\0asm\x02\0\0\0"),
        ("archive.wasm", b"PK\x03\x04"),
    ];
    for (name, bytes) in cases {
        let room = Room::with(name, bytes);
        let ended = room.run(&[name]).expect(126);
        assert_eq!((ended.stdout.as_str(), ended.said()), ("", 1), "{name}");
        // An inspection of the same file says what it is, and that nobody runs it.
        if *name == "component.wasm" {
            // An empty component is one; it only has nothing that could be run.
            assert!(room.run(&["inspect", name]).expect(0).stdout.contains("exports: 0"));
            continue;
        }
        let inspected = room.run(&["inspect", name]).expect(126);
        assert_eq!(inspected.said(), 1, "{name}");
    }
}

#[test]
fn text_with_an_error_in_it_is_told_by_line_and_column() {
    for (name, text) in [("broken.wat", "(module\n  (func (bogus)))"), ("broken", "(module\n  (func (bogus)))")] {
        let room = Room::with(name, text);
        let ended = room.run(&[name]).expect(126);
        assert!(ended.stderr.contains(&format!("{name}:2:10")), "{ended:?}");
        assert!(ended.stderr.contains("(func (bogus))"), "the line itself is not shown: {ended:?}");
    }
    let room = Room::with("broken.wat", "(modul)");
    assert!(room.run(&["broken.wat"]).expect(126).stderr.contains("broken.wat:1:"));
}

#[test]
fn a_module_that_wants_what_nobody_offers_is_126() {
    let room = Room::with("wants.wat", r#"(module (import "env" "secret" (func)) (func (export "_start")))"#);
    let ended = room.run(&["wants.wat"]).expect(126);
    assert!(ended.stderr.contains("secret"), "{ended:?}");
}

#[test]
fn a_directory_is_no_module() {
    let room = Room::new();
    std::fs::create_dir(room.path("app.wasm")).unwrap();
    assert!(room.run(&["app.wasm"]).expect(126).stderr.contains("directory"));
    room.run(&["app.wasm/"]).expect(126);
    room.run(&["app.wasm/absent"]).expect(127);
}

#[test]
fn a_module_that_may_not_be_read_is_told_so() {
    let room = Room::with("hello.wat", guests::HELLO);
    std::fs::set_permissions(room.path("hello.wat"), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(room.path("hello.wat")).is_err() {
        room.run(&["hello.wat"]).expect(125);
    } else {
        // The superuser may read everything: it runs.
        assert_eq!(room.run(&["hello.wat"]).expect(0).stdout, "hello\n");
    }
}

#[test]
fn a_module_above_the_limit_is_not_read() {
    let room = Room::with("hello.wat", guests::HELLO);
    room.run(&["--max-module-size", "64", "hello.wat"]).expect(126);
    let endless = room.run(&["--max-module-size", "1m", "/dev/zero"]).expect(126);
    assert!(endless.stderr.contains("--max-module-size"), "{endless:?}");
    assert!(Path::new("/dev/zero").exists());
    room.run_with_input(&["--max-module-size", "64", "-"], guests::HELLO.as_bytes()).expect(126);
}

#[test]
fn names_from_a_module_cannot_steer_the_terminal() {
    let module = "(module (import \"env\" \"\\1b[2J\\nwasm-run: all is well\" (func)) (func (export \"_start\")))";
    let room = Room::with("hostile.wat", module);
    for words in [&["hostile.wat"][..], &["inspect", "hostile.wat"]] {
        let ended = room.run(words);
        assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'), "{ended:?}");
        assert!(
            !ended.stdout.lines().chain(ended.stderr.lines()).any(|line| line.starts_with("wasm-run: all")),
            "{ended:?}"
        );
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let room = Room::new();
    let mut command = room.command(&["absent.wasm"]);
    command.env("CLICOLOR_FORCE", "1");
    assert!(String::from_utf8_lossy(&command.output().unwrap().stderr).contains('\u{1b}'));
    command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    assert!(!String::from_utf8_lossy(&command.output().unwrap().stderr).contains('\u{1b}'));
    assert!(!room.run(&["absent.wasm"]).stderr.contains('\u{1b}'));
}
