//! Components: the same limits, grants and endings as for modules, with WASI 0.2. Written in the text format, as the other guests are.

use crate::room::{Ended, Room};
use std::os::unix::fs::symlink;

/// A component that calls its core module's `run` for `wasi:cli/run`.
///
/// `$imports` are component imports with aliases of their functions, `$with` what the core module gets as its import `host`.
fn component(imports: &str, lowered: &str, core: &str) -> String {
    format!(
        r#"(component
  {imports}
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $m))
  (alias core export $memory "realloc" (core func $realloc))
  {lowered}
  (core module $main
    (import "memory" "memory" (memory 1))
    {core})
  (core instance $main (instantiate $main (with "memory" (instance $memory)) (with "host" (instance $host))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))"#
    )
}

/// One that needs nothing of the host.
fn plain(core: &str) -> String {
    component("", "(core instance $host)", core)
}

/// One that writes to stdout: `(call $write POINTER LENGTH)`, in pieces of 4096 bytes at most.
fn writing(core: &str) -> String {
    let imports = r#"
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $io-error (type $e))
    (type $own-error (own $e))
    (type $stream-error (variant (case "last-operation-failed" $own-error) (case "closed")))
    (export "stream-error" (type $shown (eq $stream-error)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $shown)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o))
    (export "output-stream" (type $shown (eq $o)))
    (export "get-stdout" (func (result (own $shown))))))
  (alias export $stdout "get-stdout" (func $get-stdout))
  (alias export $streams "[method]output-stream.blocking-write-and-flush" (func $write))"#;
    let lowered = r#"
  (core func $get-stdout (canon lower (func $get-stdout)))
  (core func $write (canon lower (func $write) (memory $m) (realloc $realloc)))
  (core instance $host (export "stdout" (func $get-stdout)) (export "write" (func $write)))"#;
    let core = format!(
        r#"(import "host" "stdout" (func $stdout (result i32)))
    (import "host" "write" (func $write-to (param i32 i32 i32 i32)))
    (func $write (param i32 i32) (call $write-to (call $stdout) (local.get 0) (local.get 1) (i32.const 64)))
    {core}"#
    );
    component(imports, lowered, &core)
}

const NOTHING: &str = r#"(func (export "run") (result i32) (i32.const 0))"#;
const FOREVER: &str = r#"(func (export "run") (result i32) (loop (br 0)) (i32.const 0))"#;
const HELLO: &str = r#"(data (i32.const 1024) "hello\n")
    (func (export "run") (result i32) (call $write (i32.const 1024) (i32.const 6)) (i32.const 0))"#;

fn run(text: &str, words: &[&str]) -> Ended {
    let room = Room::with("app.wat", text);
    let words: Vec<&str> = words.iter().copied().chain(["app.wat"]).collect();
    room.run(&words)
}

#[test]
fn a_component_runs_and_says_how_it_went() {
    run(&plain(NOTHING), &[]).expect(0);
    run(&plain(r#"(func (export "run") (result i32) (i32.const 1))"#), &[]).expect(1);
    let ended = run(&writing(HELLO), &[]).expect(0);
    assert_eq!(ended.stdout, "hello\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_second_run_finds_the_code_of_the_first() {
    let room = Room::with("app.wat", writing(HELLO));
    let cached =
        |room: &Room| room.run(&["cache", "list", "--json"]).expect(0).json()["entries"].as_array().map(Vec::len);
    room.run(&["app.wat"]).expect(0);
    let first = cached(&room);
    room.run(&["app.wat"]).expect(0);
    assert_eq!((first, cached(&room)), (Some(1), Some(1)));
    // Code that counts fuel is other code.
    room.run(&["--fuel", "100000", "app.wat"]).expect(0);
    assert_eq!(cached(&room), Some(2));
    room.run(&["--no-cache", "app.wat"]).expect(0);
}

#[test]
fn exit_codes_are_the_guests_own() {
    let imports = r#"(import "wasi:cli/exit@0.2.0" (instance $exit
      (export "exit" (func (param "status" (result))))))
    (alias export $exit "exit" (func $exit))"#;
    let lowered = r#"(core func $exit (canon lower (func $exit))) (core instance $host (export "exit" (func $exit)))"#;
    for (status, code) in [(0, 0), (1, 1)] {
        let core = format!(
            r#"(import "host" "exit" (func $exit (param i32)))
            (func (export "run") (result i32) (call $exit (i32.const {status})) unreachable)"#
        );
        run(&component(imports, lowered, &core), &[]).expect(code);
    }
}

#[test]
fn limits_end_components_as_they_end_modules() {
    run(&plain(FOREVER), &["--timeout", "200ms"]).expect(124);
    run(&plain(FOREVER), &["--cpu-time", "200ms"]).expect(152);
    run(&plain(FOREVER), &["--fuel", "100000"]).expect(152);
    run(&plain(NOTHING), &["--fuel", "100000"]).expect(0);
    run(&plain(r#"(func $f (export "run") (result i32) (i32.add (call $f) (i32.const 1)))"#), &[]).expect(134);
    let trap = run(&plain(r#"(func (export "run") (result i32) unreachable)"#), &[]).expect(134);
    assert!(trap.stderr.contains("0: "), "there is no backtrace: {trap:?}");
    for (limit, code, written) in [("5", 153, "hello"), ("6", 0, "hello\n")] {
        let ended = run(&writing(HELLO), &["--output-limit", limit]).expect(code);
        assert_eq!(ended.stdout, written);
    }
}

/// Grows two memories of 64 KiB each by one page at a time until it is told no, and traps unless it got exactly this many in all.
fn growing(pages: u32) -> String {
    plain(&format!(
        r#"(memory $own 1)
    (func (export "run") (result i32) (local $got i32)
      (local.set $got (i32.const 2))
      (loop $more
        (if (i32.ne (memory.grow 0 (i32.const 1)) (i32.const -1))
          (then (local.set $got (i32.add (local.get $got) (i32.const 1))) (br $more))))
      (loop $more
        (if (i32.ne (memory.grow $own (i32.const 1)) (i32.const -1))
          (then (local.set $got (i32.add (local.get $got) (i32.const 1))) (br $more))))
      (if (i32.ne (local.get $got) (i32.const {pages})) (then unreachable))
      (i32.const 0))"#
    ))
}

#[test]
fn memory_is_one_sum_over_all_modules_and_growing_beyond_it_fails() {
    for pages in [2, 3, 16] {
        let limit = format!("{}k", pages * 64);
        run(&growing(pages), &["--memory", &limit]).expect(0);
        run(&growing(pages + 1), &["--memory", &limit]).expect(134);
    }
    // One module by itself is within the limit, both together are not.
    let ended = run(&growing(2), &["--memory", "64k"]).expect(126);
    assert_eq!(ended.said(), 1);
    // One that is not is refused by the guard.
    run(&plain(&format!("(memory 3) {NOTHING}")), &["--memory", "128k"]).expect(126);
}

#[test]
fn tables_are_one_sum_too() {
    let tables = |elements: u32| {
        plain(&format!(
            r#"(table $a 1 funcref) (table $b 1 funcref)
    (func (export "run") (result i32) (local $got i32)
      (local.set $got (i32.const 2))
      (loop $more
        (if (i32.ne (table.grow $a (ref.null func) (i32.const 1)) (i32.const -1))
          (then (local.set $got (i32.add (local.get $got) (i32.const 1))) (br $more))))
      (if (i32.ne (table.grow $b (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))
      (if (i32.ne (local.get $got) (i32.const {elements})) (then unreachable))
      (i32.const 0))"#
        ))
    };
    run(&tables(10), &["--table-elements", "10"]).expect(0);
    run(&tables(11), &["--table-elements", "10"]).expect(134);
    run(&tables(2), &["--table-elements", "1"]).expect(126);
}

#[test]
fn what_cannot_be_enforced_is_refused_by_name() {
    let room = Room::with("app.wat", plain(NOTHING));
    room.write("file", "content");
    let root = room.path("root");
    symlink("/", &root).unwrap();
    for (words, named, code) in [
        (&["--clock", "0"][..], "clock", 126),
        (&["--call-depth", "100"], "call_depth", 126),
        (&["--isolation", "in-process"], "isolation", 126),
        (&["--engine", "wasmtime", "--invoke", "run"], "run", 126),
        (&["-v", "file:/file"], "file", 126),
        (&["-v", "root:/root"], "root", 125),
        (&["-v", "/dev/null:/null"], "/dev/null", 125),
    ] {
        let words: Vec<&str> = words.iter().copied().chain(["app.wat"]).collect();
        let ended = room.run(&words);
        assert_eq!(ended.said(), 1, "{words:?}: {ended:?}");
        assert!(ended.stderr.contains(named) && ended.stderr.contains("hint:"), "{words:?}: {ended:?}");
        assert_eq!(ended.code, code, "{words:?}: {ended:?}");
    }
}

#[test]
fn other_engines_say_who_would_run_it() {
    let room = Room::with("app.wat", plain(NOTHING));
    for engine in crate::room::engines().iter().filter(|engine| *engine != "wasmtime") {
        let ended = room.run_on(engine, &["app.wat"]).expect(126);
        assert!(ended.stderr.contains("wasmtime"), "{ended:?}");
    }
    let inspected = room.run(&["inspect", "--json", "app.wat"]).expect(0).json();
    assert_eq!(inspected["auto"], "wasmtime");
    assert_eq!(inspected["info"]["component"]["exports"][0], "wasi:cli/run@0.2.0");
    let shown = room.run(&["inspect", "app.wat"]).expect(0).stdout;
    assert!(shown.contains("  wasi:cli/run@0.2.0"), "{shown}");
}

#[test]
fn a_component_without_an_entry_or_with_unknown_imports_is_refused() {
    let ended = run("(component)", &[]).expect(126);
    assert!(ended.stderr.contains("wasi:cli/run"), "{ended:?}");
    let imports = r#"(import "local:test/unknown@1.0.0" (instance (export "f" (func))))"#;
    let ended = run(&component(imports, "(core instance $host)", NOTHING), &[]).expect(126);
    assert!(ended.stderr.contains("local:test/unknown"), "{ended:?}");
}

#[test]
fn native_code_in_a_component_is_not_looked_at() {
    let text = plain(NOTHING).replacen("(component", "(component (@custom \"wasmedge\" \"not even code\")", 1);
    run(&text, &[]).expect(0);
}
