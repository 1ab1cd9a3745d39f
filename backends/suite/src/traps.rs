//! Every trap that a guest can cause has the same kind on every engine, in every way of running, and says where it happened.

use crate::hosts::no_host;
use crate::prepared::prepare;
use crate::{StackOverflow, Subject, i32s, trap_of};
use wasmrt_model::{Feature, TrapKind};

/// A body that traps, what else the module has, the features that either needs, and the kind of trap.
type Case = (&'static str, &'static str, &'static [Feature], TrapKind);

const fn plain(body: &'static str, kind: TrapKind) -> Case {
    (body, "", &[], kind)
}

/// Bodies for a module with a little of everything: see [`module`].
const TRAPS: &[Case] = &[
    plain("(unreachable)", TrapKind::Unreachable),
    plain("(drop (i32.load (i32.const 65533)))", TrapKind::MemoryOutOfBounds),
    plain("(drop (i32.load offset=4294967295 (i32.const -1)))", TrapKind::MemoryOutOfBounds),
    plain("(drop (i64.load offset=4294967295 (i32.const -1)))", TrapKind::MemoryOutOfBounds),
    plain("(i32.store (i32.const -1) (i32.const 0))", TrapKind::MemoryOutOfBounds),
    plain("(i64.store (i32.const -1) (i64.const 1))", TrapKind::MemoryOutOfBounds),
    plain("(i32.store8 (i32.const 65536) (i32.const 1))", TrapKind::MemoryOutOfBounds),
    plain("(f64.store offset=65536 (i32.const 0) (f64.const 1))", TrapKind::MemoryOutOfBounds),
    plain("(memory.fill (i32.const 65000) (i32.const 0) (i32.const 1000))", TrapKind::MemoryOutOfBounds),
    plain("(memory.fill (i32.const 65530) (i32.const 0) (i32.const 7))", TrapKind::MemoryOutOfBounds),
    plain("(memory.copy (i32.const 0) (i32.const 65530) (i32.const 7))", TrapKind::MemoryOutOfBounds),
    plain("(memory.copy (i32.const -1) (i32.const 0) (i32.const 1))", TrapKind::MemoryOutOfBounds),
    plain("(memory.init $data (i32.const 0) (i32.const 2) (i32.const 3))", TrapKind::MemoryOutOfBounds),
    plain("(memory.init $data (i32.const 0) (i32.const 4) (i32.const 1))", TrapKind::MemoryOutOfBounds),
    plain("(drop (i32.atomic.load (i32.const 65536)))", TrapKind::MemoryOutOfBounds),
    plain("(drop (i32.atomic.load (i32.const 1)))", TrapKind::UnalignedAtomic),
    plain("(drop (i32.atomic.load (i32.const 2)))", TrapKind::UnalignedAtomic),
    plain("(drop (i64.atomic.rmw.add (i32.const 4) (i64.const 2)))", TrapKind::UnalignedAtomic),
    plain("(drop (i64.atomic.rmw.add offset=4 (i32.const 0) (i64.const 1)))", TrapKind::UnalignedAtomic),
    plain("(drop (memory.atomic.wait32 (i32.const 4) (i32.const 2) (i64.const 0)))", TrapKind::Other),
    plain("(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))", TrapKind::Other),
    plain("(drop (table.get $table (i32.const 4)))", TrapKind::TableOutOfBounds),
    plain("(table.set $table (i32.const 4) (ref.null func))", TrapKind::TableOutOfBounds),
    plain("(table.set $table (i32.const -1) (ref.null func))", TrapKind::TableOutOfBounds),
    plain("(table.fill $table (i32.const 2) (ref.null func) (i32.const 3))", TrapKind::TableOutOfBounds),
    plain("(table.init $table $elements (i32.const 0) (i32.const 0) (i32.const 2))", TrapKind::TableOutOfBounds),
    plain("(table.copy (i32.const 3) (i32.const 0) (i32.const 2))", TrapKind::TableOutOfBounds),
    plain("(call_indirect (type $nothing) (i32.const 4))", TrapKind::TableOutOfBounds),
    plain("(call_indirect (type $nothing) (i32.const -1))", TrapKind::TableOutOfBounds),
    plain("(call_indirect (type $nothing) (i32.const 3))", TrapKind::UndefinedElement),
    plain("(call_indirect (type $nothing) (i32.const 0))", TrapKind::IndirectCallTypeMismatch),
    plain("(drop (call_indirect (result i32) (i32.const 0)))", TrapKind::IndirectCallTypeMismatch),
    plain("(drop (i32.div_s (i32.const 1) (i32.const 0)))", TrapKind::IntegerDivideByZero),
    plain("(drop (i32.div_s (i32.const 1) (local.get $zero)))", TrapKind::IntegerDivideByZero),
    plain("(drop (i32.rem_u (i32.const 1) (local.get $zero)))", TrapKind::IntegerDivideByZero),
    plain("(drop (i64.rem_u (i64.const 1) (i64.const 0)))", TrapKind::IntegerDivideByZero),
    plain("(drop (i64.div_u (i64.const 1) (i64.extend_i32_u (local.get $zero))))", TrapKind::IntegerDivideByZero),
    plain("(drop (i64.rem_s (i64.const 1) (i64.extend_i32_u (local.get $zero))))", TrapKind::IntegerDivideByZero),
    plain("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", TrapKind::IntegerOverflow),
    plain(
        "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get $zero) (i32.const 1))))",
        TrapKind::IntegerOverflow,
    ),
    plain("(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", TrapKind::IntegerOverflow),
    plain("(drop (i32.trunc_f32_s (f32.const 3e9)))", TrapKind::IntegerOverflow),
    plain("(drop (i32.trunc_f64_s (f64.const 1e300)))", TrapKind::IntegerOverflow),
    plain("(drop (i64.trunc_f32_u (f32.const -1)))", TrapKind::IntegerOverflow),
    plain("(drop (i64.trunc_f64_u (f64.const -1)))", TrapKind::IntegerOverflow),
    plain("(drop (i32.trunc_f32_u (f32.const nan)))", TrapKind::InvalidConversion),
    plain("(drop (i32.trunc_f64_s (f64.const nan)))", TrapKind::InvalidConversion),
    plain("(drop (i64.trunc_f32_u (f32.const nan)))", TrapKind::InvalidConversion),
    ("(call $deep)", "(func $deep (call $deep))", &[], TrapKind::StackOverflow),
    (
        "(drop (i32.load $more (i32.const 65536)))",
        "(memory $more 1)",
        &[Feature::MultiMemory],
        TrapKind::MemoryOutOfBounds,
    ),
    (
        "(drop (i64.load $wide (i64.const 0x100000000000)))",
        "(memory $wide i64 1)",
        &[Feature::MultiMemory, Feature::Memory64],
        TrapKind::MemoryOutOfBounds,
    ),
    ("(v128.store (i32.const 65521) (v128.const i64x2 1 2))", "", &[Feature::Simd], TrapKind::MemoryOutOfBounds),
    (
        "(return_call_indirect (type $nothing) (i32.const 0))",
        "",
        &[Feature::TailCall],
        TrapKind::IndirectCallTypeMismatch,
    ),
    ("(call_ref $nothing (ref.null $nothing))", "", &[Feature::FunctionReferences], TrapKind::NullReference),
    ("(drop (ref.as_non_null (ref.null func)))", "", &[Feature::FunctionReferences], TrapKind::NullReference),
    (
        "(drop (struct.get $pair 0 (ref.null $pair)))",
        "(type $pair (struct (field i32)))",
        &[Feature::Gc],
        TrapKind::NullReference,
    ),
    (
        "(drop (ref.cast (ref $pair) (ref.i31 (i32.const 1))))",
        "(type $pair (struct (field i32)))",
        &[Feature::Gc],
        TrapKind::CastFailure,
    ),
    (
        "(drop (array.get $bytes (array.new_default $bytes (i32.const 2)) (i32.const 2)))",
        "(type $bytes (array (mut i32)))",
        &[Feature::Gc],
        TrapKind::ArrayOutOfBounds,
    ),
    (
        "(drop (array.new_default $bytes (i32.const -1)))",
        "(type $bytes (array (mut i64)))",
        &[Feature::Gc],
        TrapKind::AllocationTooLarge,
    ),
    ("(throw $oops (i32.const 7))", "(tag $oops (param i32))", &[Feature::Exceptions], TrapKind::UncaughtException),
];

fn module(more: &str, body: &str) -> String {
    format!(
        r#"(module (type $nothing (func)) (memory 1 2) (data $data "data")
        (table $table 4 4 funcref) (elem $elements func $other) (elem (table $table) (i32.const 0) func $other)
        (func $other (param i32)) (elem declare func $other) {more}
        (func $culprit (export "run") (local $zero i32) {body}))"#
    )
}

/// Whether the subject can be given this.
fn can_be_tried(subject: &Subject, needs: &[Feature], kind: TrapKind) -> bool {
    needs.iter().all(|feature| subject.has(*feature))
        && (kind != TrapKind::StackOverflow || subject.differs.stack_overflow != StackOverflow::Fatal)
}

pub(crate) fn every_trap_has_its_kind_and_its_place(subject: &Subject) {
    for &(body, more, needs, kind) in TRAPS {
        if !can_be_tried(subject, needs, kind) {
            continue;
        }
        for way in subject.ways() {
            let mut guest = subject.guest(&module(more, body), way);
            let ended = guest.call("run", &[]).map(|_| format!("{way}: {body}"));
            if subject.differs.untrapped.contains(&body) {
                assert!(ended.is_ok(), "{way}: {body}: it traps after all: {ended:?}");
                continue;
            }
            let trap = trap_of(ended);
            assert_eq!(trap.kind, kind, "{way}: {body}");
            assert_eq!(trap.kind == TrapKind::Other, !trap.detail.is_empty(), "{way}: {body}");
            // A trap is no reason for the instance to become unusable.
            assert!(guest.memory_pages() < 100, "{way}: {body}");
            let overflow = kind == TrapKind::StackOverflow;
            if !subject.capabilities().backtrace
                || overflow && subject.differs.stack_overflow == StackOverflow::Untraced
            {
                assert!(trap.backtrace.is_empty(), "{way}: {body}: {:?}", trap.backtrace);
                continue;
            }
            // Of endless recursion only the innermost frames are kept.
            let name = if overflow { "deep" } else { "culprit" };
            let outermost = trap.backtrace.last().expect(body);
            assert_eq!(outermost.name.as_deref(), Some(name), "{way}: {body}");
            assert!(outermost.offset.is_some(), "{way}: {body}");
        }
    }
}

pub(crate) fn an_instance_lives_on_after_traps(subject: &Subject) {
    let thrown = &[Feature::Exceptions][..];
    let throws = if can_be_tried(subject, thrown, TrapKind::UncaughtException) {
        r#"(tag $oops) (func (export "throw") (throw $oops))"#
    } else {
        ""
    };
    let text = format!(
        r#"(module (memory 1) (func $load (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.add (i32.const 1) (call $load (local.get 0))))
        (func (export "trap") unreachable) (func $deep (export "deep") (call $deep)) {throws}
        (func (export "fine") (result i32) (i32.const 1)))"#
    );
    for way in subject.ways() {
        let mut guest = subject.guest(&text, way);
        for (export, args, needs, kind) in [
            ("load", i32s(&[-1]), &[][..], TrapKind::MemoryOutOfBounds),
            ("throw", Vec::new(), thrown, TrapKind::UncaughtException),
            ("trap", Vec::new(), &[], TrapKind::Unreachable),
            ("deep", Vec::new(), &[], TrapKind::StackOverflow),
            ("throw", Vec::new(), thrown, TrapKind::UncaughtException),
            ("load", i32s(&[-1]), &[], TrapKind::MemoryOutOfBounds),
        ] {
            if can_be_tried(subject, needs, kind) {
                assert_eq!(trap_of(guest.call(export, &args)).kind, kind, "{way}: {export}");
                assert_eq!(guest.call("fine", &[]).unwrap(), i32s(&[1]), "{way}: {export}");
            }
        }
        for round in 0..1000 {
            let trap = trap_of(guest.call("load", &i32s(&[-8 + round % 4])));
            assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{way}");
            assert_eq!(guest.call("load", &i32s(&[round])).unwrap(), i32s(&[1]), "{way}");
        }
    }
}

pub(crate) fn the_innermost_frame_comes_first_and_names_are_demangled(subject: &Subject) {
    let text = r#"(module (func $_ZN5guest5inner17h0123456789abcdefE (unreachable))
        (func $outer (export "run") (call $_ZN5guest5inner17h0123456789abcdefE)))"#;
    for way in subject.ways() {
        let trap = trap_of(subject.guest(text, way).call("run", &[]));
        if !subject.capabilities().backtrace {
            assert!(trap.backtrace.is_empty(), "{way}: {:?}", trap.backtrace);
            continue;
        }
        let frames: Vec<_> = trap.backtrace.iter().map(|frame| (frame.function, frame.name.as_deref())).collect();
        assert_eq!(frames, [(0, Some("guest::inner")), (1, Some("outer"))], "{way}");
        let offsets: Vec<_> = trap.backtrace.iter().map(|frame| frame.offset.unwrap()).collect();
        assert!(offsets[0] < offsets[1], "{way}: the inner function comes first in the module: {offsets:?}");
    }
}

pub(crate) fn functions_are_counted_with_the_imports(subject: &Subject) {
    let text = r#"(module (import "a" "b" (func)) (import "a" "c" (func)) (func (export "run") (unreachable)))"#;
    for way in subject.ways() {
        let trap = trap_of(subject.guest(text, way).call("run", &[]));
        let functions: Vec<_> = trap.backtrace.iter().map(|frame| frame.function).collect();
        assert_eq!(functions, if subject.capabilities().backtrace { vec![2] } else { Vec::new() }, "{way}");
    }
}

pub(crate) fn a_backtrace_of_many_frames_is_cut(subject: &Subject) {
    let text = r#"(module (func $down (export "run") (call $count (i32.const 5000)))
        (func $count (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
          (call $count (i32.sub (local.get 0) (i32.const 1)))))"#;
    if !subject.capabilities().backtrace {
        return;
    }
    for way in subject.ways() {
        let trap = trap_of(subject.guest(text, way).call("run", &[]));
        assert_eq!(trap.kind, TrapKind::Unreachable, "{way}");
        assert!((2..=64).contains(&trap.backtrace.len()), "{way}: {}", trap.backtrace.len());
        assert!(trap.backtrace.iter().all(|frame| frame.name.as_deref() == Some("count")), "{way}");
    }
}

pub(crate) fn instantiation_traps_as_execution_does(subject: &Subject) {
    let cases: &[(&str, &[Feature], TrapKind)] = &[
        (r#"(module (memory 1) (data (i32.const 65536) "x"))"#, &[], TrapKind::MemoryOutOfBounds),
        (r#"(module (memory 1) (data (i32.const 65535) "ab"))"#, &[], TrapKind::MemoryOutOfBounds),
        ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", &[], TrapKind::TableOutOfBounds),
        ("(module (func $start unreachable) (start $start))", &[], TrapKind::Unreachable),
        ("(module (func $start (call $start)) (start $start))", &[], TrapKind::StackOverflow),
        (
            "(module (tag $t) (func $start (throw $t)) (start $start))",
            &[Feature::Exceptions],
            TrapKind::UncaughtException,
        ),
    ];
    for &(text, needs, kind) in cases {
        if can_be_tried(subject, needs, kind) {
            for way in subject.ways() {
                assert_eq!(trap_of(subject.start(text, way, no_host())).kind, kind, "{way}: {text}");
            }
        }
    }
}

pub(crate) fn threads_trap_without_disturbing_each_other(subject: &Subject) {
    let prepared =
        prepare(r#"(module (memory 1) (func (export "run") (param i32) (result i32) (i32.load (local.get 0))))"#);
    for way in subject.ways() {
        let module = subject.load(&prepared.bytes, way).unwrap();
        let wrong: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut guest = module.instantiate(&prepared.info, &[], no_host()).unwrap();
                        (0..20_000)
                            .filter(|round| {
                                let args = i32s(&[if round % 2 == 0 { 0 } else { -1 }]);
                                guest.call("run", &args).is_ok() != (round % 2 == 0)
                            })
                            .count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(wrong, 0, "{way}");
    }
}
