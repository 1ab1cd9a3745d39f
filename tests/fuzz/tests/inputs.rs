//! The beginning of a soak, so that the target itself is known to work.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use wasmrt_fuzz::{Engines, Guest, Report, bytes, check, check_guest};

#[test]
fn the_first_inputs_agree() {
    let engines = Engines::load().unwrap();
    let mut report = Report::default();
    for index in 0..300 {
        match check(&engines, &bytes(1, index)) {
            Ok(counts) => report.merge(&counts),
            Err(finding) => panic!("--seed 1 --only {index}: {finding}"),
        }
    }
    for what in ["compared: wasmedge with meters", "compared: wasmedge without fuel", "exact: fuel", "exact: depth"] {
        assert!(report.count_of(what) > 10, "{what}\n{report}");
    }
}

/// What it has found, as texts.
#[test]
fn what_was_found_agrees_now() {
    let engines = Engines::load().unwrap();
    for (what, text) in [
        (
            "a loop that catches what it throws",
            r#"(module (tag $e) (func (export "run") (loop $again (try_table (catch_all $again) (throw $e)))))"#,
        ),
        (
            "a tail call of the host",
            r#"(module (import "host" "tell" (func $tell)) (global $g (export "g") (mut i32) (i32.const 0))
                (func $inner (return_call $tell))
                (func (export "run") (call $inner) (global.set $g (i32.const 1))))"#,
        ),
        (
            "a start section that is the host's",
            r#"(module (import "host" "tell" (func $tell)) (memory (export "memory") 1) (start $tell))"#,
        ),
    ] {
        for seed in 0..4 {
            let guest = Guest::new(text.as_bytes(), seed).unwrap();
            if let Err(finding) = check_guest(&engines, &guest) {
                panic!("{what}: {finding}");
            }
        }
    }
}
