//! Every trap that a guest can cause has its kind, in both tiers' code, and says where it happened.

use super::*;
use wasmrt_model::ErrorKind;

/// A body for `run`, what comes before it in the module, and the kind of trap.
const TRAPS: &[(&str, &str, TrapKind)] = &[
    ("unreachable", "", TrapKind::Unreachable),
    ("(i32.load (i32.const 65533)) drop", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(i32.store (i32.const -1) (i32.const 0))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(i32.load offset=4294967295 (i32.const -1)) drop", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(memory.fill (i32.const 65000) (i32.const 0) (i32.const 1000))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(i64.load (i64.const 0x100000000000)) drop", "(memory i64 1)", TrapKind::MemoryOutOfBounds),
    ("(table.get (i32.const 3)) drop", "(table 3 funcref)", TrapKind::TableOutOfBounds),
    ("(call_indirect (i32.const 3))", "(table 3 funcref)", TrapKind::TableOutOfBounds),
    ("(call_indirect (i32.const 1))", "(table 3 funcref)", TrapKind::UndefinedElement),
    (
        "(call_indirect (result i32) (i32.const 0)) drop",
        "(table 1 funcref) (func $f) (elem (i32.const 0) $f)",
        TrapKind::IndirectCallTypeMismatch,
    ),
    ("(i32.div_s (i32.const 1) (i32.const 0)) drop", "", TrapKind::IntegerDivideByZero),
    ("(i64.rem_u (i64.const 1) (i64.const 0)) drop", "", TrapKind::IntegerDivideByZero),
    ("(i32.div_s (i32.const 0x80000000) (i32.const -1)) drop", "", TrapKind::IntegerOverflow),
    ("(i32.trunc_f64_s (f64.const 1e300)) drop", "", TrapKind::IntegerOverflow),
    ("(i32.trunc_f32_u (f32.const nan)) drop", "", TrapKind::InvalidConversion),
    ("(call $deep)", "(func $deep (call $deep))", TrapKind::StackOverflow),
    ("(i32.atomic.load (i32.const 1)) drop", "(memory 1)", TrapKind::UnalignedAtomic),
    ("(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)) drop", "(memory 1)", TrapKind::Other),
    ("(call_ref $void (ref.null $void))", "(type $void (func))", TrapKind::NullReference),
    ("(ref.as_non_null (ref.null func)) drop", "", TrapKind::NullReference),
    ("(struct.get $pair 0 (ref.null $pair)) drop", "(type $pair (struct (field i32)))", TrapKind::NullReference),
    ("(ref.cast (ref $pair) (ref.i31 (i32.const 1))) drop", "(type $pair (struct (field i32)))", TrapKind::CastFailure),
    (
        "(array.get $bytes (array.new_default $bytes (i32.const 2)) (i32.const 2)) drop",
        "(type $bytes (array (mut i32)))",
        TrapKind::ArrayOutOfBounds,
    ),
    ("(array.new_default $bytes (i32.const -1)) drop", "(type $bytes (array (mut i64)))", TrapKind::AllocationTooLarge),
    ("(throw $oops (i32.const 7))", "(tag $oops (param i32))", TrapKind::UncaughtException),
];

fn module(before: &str, body: &str) -> String {
    format!("(module {before} (func $culprit (export \"run\") {body}))")
}

#[test]
fn every_trap_has_its_kind_and_its_place_in_code_compiled_in_place() {
    for (body, before, kind) in TRAPS {
        let trap = trap_of(run(&module(before, body), &[]));
        assert_eq!(trap.kind, *kind, "{body}");
        assert_eq!(trap.kind == TrapKind::Other, !trap.detail.is_empty(), "{body}");
        // Of endless recursion only the innermost frames are kept.
        let name = if trap.kind == TrapKind::StackOverflow { "deep" } else { "culprit" };
        let outermost = trap.backtrace.last().expect(body);
        assert_eq!(outermost.name.as_deref(), Some(name), "{body}");
        assert!(outermost.offset.is_some(), "{body}");
    }
}

#[test]
fn every_trap_has_its_kind_in_unoptimised_artifacts_too() {
    for (body, before, kind) in TRAPS {
        let module = artifacts::round_trip(&wasm(&module(before, body)), BASELINE);
        let result = module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[]);
        assert_eq!(kind_of(result), *kind, "{body}");
    }
}

#[test]
fn an_instance_lives_on_after_traps() {
    let mut guest = instance(
        r#"(module (tag $oops) (func (export "throw") (throw $oops)) (func (export "trap") unreachable)
        (func $deep (export "deep") (call $deep))
        (func (export "fine") (result i32) (i32.const 1)))"#,
    );
    for (export, kind) in [
        ("throw", TrapKind::UncaughtException),
        ("trap", TrapKind::Unreachable),
        ("deep", TrapKind::StackOverflow),
        ("throw", TrapKind::UncaughtException),
    ] {
        assert_eq!(kind_of(guest.call(export, &[])), kind);
        assert_eq!(guest.call("fine", &[]).unwrap(), [Value::I32(1)]);
    }
}

#[test]
fn the_innermost_frame_comes_first_and_names_are_demangled() {
    let trap = trap_of(run(
        r#"(module (func $_ZN5guest5inner17h0123456789abcdefE (unreachable))
        (func $outer (export "run") (call $_ZN5guest5inner17h0123456789abcdefE)))"#,
        &[],
    ));
    let frames: Vec<_> = trap.backtrace.iter().map(|frame| (frame.function, frame.name.as_deref())).collect();
    assert_eq!(frames, [(0, Some("guest::inner")), (1, Some("outer"))]);
    let offsets: Vec<_> = trap.backtrace.iter().map(|frame| frame.offset.unwrap()).collect();
    assert!(offsets[0] < offsets[1], "the inner function comes first in the module: {offsets:?}");
}

#[test]
fn instantiation_traps_as_execution_does() {
    let instantiate = |text: &str| load(text).instantiate(&small(), &[], no_host());
    for (text, kind) in [
        ("(module (memory 1) (data (i32.const 65536) \"x\"))", TrapKind::MemoryOutOfBounds),
        ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", TrapKind::TableOutOfBounds),
        ("(module (func $start unreachable) (start $start))", TrapKind::Unreachable),
        ("(module (func $start (call $start)) (start $start))", TrapKind::StackOverflow),
        ("(module (tag $t) (func $start (throw $t)) (start $start))", TrapKind::UncaughtException),
    ] {
        assert_eq!(kind_of(instantiate(text)), kind, "{text}");
    }
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
    assert_eq!(kind_of(descend(i32::MAX)), TrapKind::StackOverflow);
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
    assert_eq!(kind_of(result), TrapKind::StackOverflow);
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
    assert_eq!(kind_of(ran), TrapKind::StackOverflow);
}

#[test]
fn a_stack_of_another_size_is_respected() {
    let depth = |bytes: usize| {
        let text = r#"(module (global $depth (export "depth") (mut i32) (i32.const 0))
            (func $deep (export "run") (global.set $depth (i32.add (global.get $depth) (i32.const 1))) (call $deep)))"#;
        let engine = WasmtimeEngine::with_wasm_stack(bytes).unwrap();
        let mut guest = engine.load(Code::Wasm(&wasm(text))).unwrap().instantiate(&small(), &[], no_host()).unwrap();
        assert_eq!(kind_of(guest.call("run", &[])), TrapKind::StackOverflow);
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
