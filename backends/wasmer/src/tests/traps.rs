//! Every trap that a guest can cause has its kind and says where it happened.

use super::*;

/// A body for `run`, what comes before it in the module, and the kind of trap.
const TRAPS: &[(&str, &str, TrapKind)] = &[
    ("unreachable", "", TrapKind::Unreachable),
    ("(i32.load (i32.const 65533)) drop", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(i32.store (i32.const -1) (i32.const 0))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(i64.load offset=4294967295 (i32.const -1)) drop", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(f64.store offset=65536 (i32.const 0) (f64.const 1))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(memory.fill (i32.const 65000) (i32.const 0) (i32.const 1000))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    ("(memory.copy (i32.const -1) (i32.const 0) (i32.const 1))", "(memory 1)", TrapKind::MemoryOutOfBounds),
    (
        "(memory.init $d (i32.const 0) (i32.const 3) (i32.const 1))",
        "(memory 1) (data $d \"abc\")",
        TrapKind::MemoryOutOfBounds,
    ),
    ("(i32.load $b (i32.const 65536)) drop", "(memory $a 2) (memory $b 1)", TrapKind::MemoryOutOfBounds),
    ("(table.get (i32.const 3)) drop", "(table 3 funcref)", TrapKind::TableOutOfBounds),
    ("(table.set (i32.const -1) (ref.null func))", "(table 3 funcref)", TrapKind::TableOutOfBounds),
    ("(table.fill (i32.const 2) (ref.null func) (i32.const 2))", "(table 3 funcref)", TrapKind::TableOutOfBounds),
    ("(table.copy (i32.const 2) (i32.const 0) (i32.const 2))", "(table 3 funcref)", TrapKind::TableOutOfBounds),
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
    ("(i64.div_s (i64.const 0x8000000000000000) (i64.const -1)) drop", "", TrapKind::IntegerOverflow),
    ("(i32.trunc_f64_s (f64.const 1e300)) drop", "", TrapKind::IntegerOverflow),
    ("(i64.trunc_f32_u (f32.const -1)) drop", "", TrapKind::IntegerOverflow),
    ("(i32.trunc_f32_u (f32.const nan)) drop", "", TrapKind::InvalidConversion),
    ("(call $deep)", "(func $deep (call $deep))", TrapKind::StackOverflow),
    ("(i32.atomic.load (i32.const 1)) drop", "(memory 1)", TrapKind::UnalignedAtomic),
    ("(i64.atomic.rmw.add offset=4 (i32.const 0) (i64.const 1)) drop", "(memory 1)", TrapKind::UnalignedAtomic),
    ("(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)) drop", "(memory 1)", TrapKind::Other),
];

fn module(before: &str, body: &str) -> String {
    format!("(module {before} (func $culprit (export \"run\") {body}))")
}

#[test]
fn every_trap_has_its_kind_and_its_place() {
    for (body, before, kind) in TRAPS {
        let module = artifacts::round_trip(&wasm(&module(before, body)));
        let trap = trap_of(module.instantiate(&info(), &[], no_host()).unwrap().call("run", &[]));
        assert_eq!(trap.kind, *kind, "{body}");
        assert_eq!(trap.kind == TrapKind::Other, !trap.detail.is_empty(), "{body}");
        // wasmer does not look at the stack that has overflowed.
        if trap.kind == TrapKind::StackOverflow {
            continue;
        }
        let outermost = trap.backtrace.last().expect(body);
        assert_eq!(outermost.name.as_deref(), Some("culprit"), "{body}");
        assert!(outermost.offset.is_some(), "{body}");
    }
}

#[test]
fn an_instance_lives_on_after_traps() {
    let mut guest = instance(
        r#"(module (memory 1) (func (export "trap") unreachable) (func (export "load") (drop (i32.load (i32.const -1))))
        (func $deep (export "deep") (call $deep))
        (func (export "fine") (result i32) (i32.const 1)))"#,
    );
    for (export, kind) in [
        ("load", TrapKind::MemoryOutOfBounds),
        ("trap", TrapKind::Unreachable),
        ("deep", TrapKind::StackOverflow),
        ("load", TrapKind::MemoryOutOfBounds),
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
fn functions_are_counted_with_the_imports() {
    let wasm = wasm(r#"(module (import "a" "b" (func)) (import "a" "c" (func)) (func (export "run") (unreachable)))"#);
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    let trap = trap_of(module.instantiate(&info(), &imports(&wasm), no_host()).unwrap().call("run", &[]));
    assert_eq!(trap.backtrace.iter().map(|frame| frame.function).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_backtrace_of_many_frames_is_cut() {
    let trap = trap_of(run(
        r#"(module (func $down (export "run") (call $count (i32.const 5000)))
        (func $count (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
          (call $count (i32.sub (local.get 0) (i32.const 1)))))"#,
        &[],
    ));
    assert_eq!(trap.kind, TrapKind::Unreachable);
    assert!((2..=64).contains(&trap.backtrace.len()), "{}", trap.backtrace.len());
    assert!(trap.backtrace.iter().all(|frame| frame.name.as_deref() == Some("count")));
}

#[test]
fn instantiation_traps_as_execution_does() {
    let instantiate = |text: &str| load(text).instantiate(&info(), &[], no_host());
    for (text, kind) in [
        ("(module (memory 1) (data (i32.const 65536) \"x\"))", TrapKind::MemoryOutOfBounds),
        ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", TrapKind::TableOutOfBounds),
        ("(module (func $start unreachable) (start $start))", TrapKind::Unreachable),
        ("(module (func $start (call $start)) (start $start))", TrapKind::StackOverflow),
    ] {
        assert_eq!(kind_of(instantiate(text)), kind, "{text}");
    }
}
