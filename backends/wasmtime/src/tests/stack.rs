//! The stack that guests may use: how deep calls nest on it, and what happens where it ends.

use super::*;

/// On a thread like a worker's main thread: those of the test harness have 2 MiB of stack.
fn on_worker_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, work).unwrap();
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A parser of nested parentheses: what recursive descent takes per level in code that was compiled from C or Rust.
#[test]
fn five_thousand_levels_of_recursion_fit_and_endless_ones_trap() {
    // Three functions a level, each with locals that live across the call, as a descent through a grammar has.
    let text = |levels: i32| {
        format!(
            r#"(module
            (func $expression (param i32 i64 i64 i64 i64) (result i64)
              (i64.add (i64.mul (local.get 1) (local.get 2)) (i64.add (i64.xor (local.get 3) (local.get 4))
                (call $term (local.get 0) (local.get 4) (local.get 3) (local.get 2) (local.get 1)))))
            (func $term (param i32 i64 i64 i64 i64) (result i64)
              (i64.sub (i64.mul (local.get 2) (local.get 3)) (i64.add (i64.xor (local.get 1) (local.get 4))
                (call $factor (local.get 0) (local.get 1) (local.get 3) (local.get 4) (local.get 2)))))
            (func $factor (param i32 i64 i64 i64 i64) (result i64)
              (if (result i64) (i32.eqz (local.get 0)) (then (i64.const 1))
                (else (i64.add (i64.mul (local.get 1) (local.get 4)) (i64.add (i64.xor (local.get 3) (local.get 2))
                  (call $expression (i32.sub (local.get 0) (i32.const 1))
                    (local.get 4) (local.get 1) (local.get 2) (local.get 3)))))))
            (func (export "run") (result i64)
              (call $expression (i32.const {levels}) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))))"#
        )
    };
    let descend = |levels| {
        on_worker_stack(|| {
            let module = WasmtimeEngine::new().unwrap().load(Code::Wasm(&wasm(&text(levels)))).unwrap();
            module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[])
        })
    };
    assert!(descend(5_000).is_ok());
    assert_eq!(trap_of(descend(i32::MAX)).kind, TrapKind::StackOverflow);
}

#[test]
fn huge_frames_overflow_the_stack_as_small_ones_do() {
    let locals = "i64 ".repeat(4_000);
    let uses: String =
        (0..4_000).map(|local| format!("(local.set {local} (i64.load (i32.const {})))", 8 * local)).collect();
    let sums: String = (0..4_000).map(|local| format!("(local.get {local}) i64.add ")).collect();
    let text = format!(
        "(module (memory 1) (func $deep (export \"run\") (result i64) (local {locals}) {uses} (call $deep) {sums}))"
    );
    let module = artifacts::round_trip(&wasm(&text), BASELINE);
    let result = module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[]);
    assert_eq!(trap_of(result).kind, TrapKind::StackOverflow);
}

#[test]
fn a_thread_with_too_little_stack_is_refused_rather_than_overflowed() {
    let refused = |result: Result<(), Ending>| match result {
        Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        other => panic!("{other:?}"),
    };
    let text = "(module (func $deep (export \"run\") (call $deep)))";
    let module = WasmtimeEngine::new().unwrap().load(Code::Wasm(&wasm(text))).unwrap();
    refused(module.instantiate(&small(), &[], no_host()).map(|_| ()));
    let ran = on_worker_stack(|| module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[]));
    assert_eq!(trap_of(ran).kind, TrapKind::StackOverflow);
}

#[test]
fn a_stack_of_another_size_is_respected() {
    let depth = |bytes: usize| {
        let text = r#"(module (global $depth (export "depth") (mut i32) (i32.const 0))
            (func $deep (export "run") (global.set $depth (i32.add (global.get $depth) (i32.const 1))) (call $deep)))"#;
        let engine = WasmtimeEngine::with_wasm_stack(bytes).unwrap();
        let mut guest = engine.load(Code::Wasm(&wasm(text))).unwrap().instantiate(&small(), &[], no_host()).unwrap();
        assert_eq!(trap_of(guest.call("run", &[])).kind, TrapKind::StackOverflow);
        match guest.global("depth") {
            Some(Value::I32(depth)) => depth,
            other => panic!("{other:?}"),
        }
    };
    let (small, large) = (depth(128 << 10), depth(512 << 10));
    assert!(large > 3 * small, "{small} calls in 128 KiB, {large} in 512 KiB");
    for bytes in [0, 1 << 10, usize::MAX] {
        assert_eq!(WasmtimeEngine::with_wasm_stack(bytes).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
