//! Every trap has the same kind in the interpreter and in native code.

use super::{NoHost, TIERS, Tier, engine, i32s, start};
use wasmrt_model::backend::Ending;
use wasmrt_model::{TrapKind, Value};

/// Runs `run` and returns the kind of its trap.
fn trap_of(text: &str, tier: Tier) -> Option<TrapKind> {
    let engine = engine()?;
    let ending = match start(&engine, text, tier, NoHost) {
        Ok(mut guest) => {
            let ending = guest.call("run", &[]).expect_err(text);
            if let Ending::Trap(_) = ending {
                // A trap is no reason for the instance to become unusable.
                assert!(guest.memory_pages() < 100);
            }
            ending
        }
        Err(ending) => ending,
    };
    match ending {
        Ending::Trap(trap) => Some(trap.kind),
        other => panic!("{tier}: {other:?}: {text}"),
    }
}

/// Statements that trap, in a module with a little of everything.
const STATEMENTS: &[(&str, TrapKind)] = &[
    ("(unreachable)", TrapKind::Unreachable),
    ("(drop (i32.load (i32.const 65533)))", TrapKind::MemoryOutOfBounds),
    ("(drop (i32.load offset=4294967295 (i32.const -1)))", TrapKind::MemoryOutOfBounds),
    ("(i64.store (i32.const -1) (i64.const 1))", TrapKind::MemoryOutOfBounds),
    ("(i32.store8 (i32.const 65536) (i32.const 1))", TrapKind::MemoryOutOfBounds),
    ("(v128.store (i32.const 65521) (v128.const i64x2 1 2))", TrapKind::MemoryOutOfBounds),
    ("(memory.fill (i32.const 65530) (i32.const 0) (i32.const 7))", TrapKind::MemoryOutOfBounds),
    ("(memory.copy (i32.const 0) (i32.const 65530) (i32.const 7))", TrapKind::MemoryOutOfBounds),
    ("(memory.init $data (i32.const 0) (i32.const 2) (i32.const 3))", TrapKind::MemoryOutOfBounds),
    ("(drop (i32.atomic.load (i32.const 65536)))", TrapKind::MemoryOutOfBounds),
    ("(drop (i32.atomic.load (i32.const 2)))", TrapKind::UnalignedAtomic),
    ("(drop (i64.atomic.rmw.add (i32.const 4) (i64.const 2)))", TrapKind::UnalignedAtomic),
    ("(drop (memory.atomic.wait32 (i32.const 4) (i32.const 2) (i64.const 0)))", TrapKind::Other),
    ("(drop (table.get $table (i32.const 4)))", TrapKind::TableOutOfBounds),
    ("(table.set $table (i32.const 4) (ref.null func))", TrapKind::TableOutOfBounds),
    ("(table.fill $table (i32.const 2) (ref.null func) (i32.const 3))", TrapKind::TableOutOfBounds),
    ("(table.init $table $elements (i32.const 0) (i32.const 0) (i32.const 2))", TrapKind::TableOutOfBounds),
    ("(table.copy (i32.const 3) (i32.const 0) (i32.const 2))", TrapKind::TableOutOfBounds),
    ("(call_indirect (type $nothing) (i32.const 4))", TrapKind::TableOutOfBounds),
    ("(call_indirect (type $nothing) (i32.const -1))", TrapKind::TableOutOfBounds),
    ("(call_indirect (type $nothing) (i32.const 3))", TrapKind::UndefinedElement),
    ("(call_indirect (type $nothing) (i32.const 0))", TrapKind::IndirectCallTypeMismatch),
    ("(return_call_indirect (type $nothing) (i32.const 0))", TrapKind::IndirectCallTypeMismatch),
    ("(call_ref $nothing (ref.null $nothing))", TrapKind::NullReference),
    ("(drop (ref.as_non_null (ref.null func)))", TrapKind::NullReference),
    ("(drop (i32.div_s (i32.const 1) (local.get $zero)))", TrapKind::IntegerDivideByZero),
    ("(drop (i32.rem_u (i32.const 1) (local.get $zero)))", TrapKind::IntegerDivideByZero),
    ("(drop (i64.div_u (i64.const 1) (i64.extend_i32_u (local.get $zero))))", TrapKind::IntegerDivideByZero),
    ("(drop (i64.rem_s (i64.const 1) (i64.extend_i32_u (local.get $zero))))", TrapKind::IntegerDivideByZero),
    ("(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get $zero) (i32.const 1))))", TrapKind::IntegerOverflow),
    ("(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", TrapKind::IntegerOverflow),
    ("(drop (i32.trunc_f32_s (f32.const 3e9)))", TrapKind::IntegerOverflow),
    ("(drop (i64.trunc_f64_u (f64.const -1)))", TrapKind::IntegerOverflow),
    ("(drop (i32.trunc_f64_s (f64.const nan)))", TrapKind::InvalidConversion),
    ("(drop (i64.trunc_f32_u (f32.const nan)))", TrapKind::InvalidConversion),
];

#[test]
fn each_trap_has_its_kind_in_every_tier() {
    for (statement, expected) in STATEMENTS {
        let text = format!(
            r#"(module (type $nothing (func)) (memory 1 2) (data $data "data")
                (table $table 4 4 funcref) (elem $elements func $other) (elem (table $table) (i32.const 0) func $other)
                (func $other (param i32)) (elem declare func $other)
                (func (export "run") (local $zero i32) {statement}))"#
        );
        for tier in TIERS {
            let Some(kind) = trap_of(&text, tier) else { return };
            assert_eq!(kind, *expected, "{tier}: {statement}");
        }
    }
}

#[test]
fn segments_that_do_not_fit_trap_while_instantiating() {
    let cases = [
        (r#"(module (memory 1) (data (i32.const 65535) "ab"))"#, TrapKind::MemoryOutOfBounds),
        (r#"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))"#, TrapKind::TableOutOfBounds),
    ];
    for (text, expected) in cases {
        for tier in TIERS {
            let Some(kind) = trap_of(text, tier) else { return };
            assert_eq!(kind, expected, "{tier}: {text}");
        }
    }
}

#[test]
fn a_guest_may_be_called_after_its_traps() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory 1) (func $load (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $load (local.get 0)))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        for round in 0..1000 {
            match guest.call("run", &i32s(&[-8 + round % 4])) {
                Err(Ending::Trap(trap)) => assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{tier}"),
                other => panic!("{tier}: {other:?}"),
            }
            assert_eq!(guest.call("run", &i32s(&[round])).unwrap(), [Value::I32(1)], "{tier}");
        }
    }
}

#[test]
fn threads_trap_without_disturbing_each_other() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory 1) (func (export "run") (param i32) (result i32) (i32.load (local.get 0))))"#;
    let prepared = super::prepare(text);
    for tier in TIERS {
        let module = super::load(&engine, &prepared.bytes, tier).unwrap();
        let wrong: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut guest = module.instantiate(&prepared.info, &[], Box::new(NoHost)).unwrap();
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
        assert_eq!(wrong, 0, "{tier}");
    }
}

/// The signals that somebody in this process handles.
fn handled_signals() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("SigCgt:")).unwrap().to_owned()
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_keeps_its_signal_handlers() {
    let engine = engine().unwrap();
    let before = handled_signals();
    // The standard library handles SIGSEGV and SIGBUS, so there is something to lose.
    assert!(u64::from_str_radix(before.split_whitespace().nth(1).unwrap(), 16).unwrap() & 1 << 10 != 0);
    let text = r#"(module (memory 1) (func (export "run") (result i32) (i32.load (i32.const -1))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        assert!(guest.call("run", &[]).is_err(), "{tier}");
        assert_eq!(handled_signals(), before, "{tier}");
    }
}

#[test]
fn the_signal_handlers_of_the_process_stay() {
    let Some(_) = engine() else { return };
    super::run_alone("traps::child_keeps_its_signal_handlers");
}
