//! Host functions: order, values, memory, endings, panics.

use super::{Call, NoHost, Script, TIERS, engine, i32s, start};
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, LimitKind, Trap, TrapKind, Value};

#[test]
fn imports_are_called_by_their_number_with_exact_bits() {
    let Some(engine) = engine() else { return };
    let text = r#"(module
        (import "one" "first" (func $first (param i32 i64 f32 f64) (result f32)))
        (import "two" "same" (func $second (result i64)))
        (import "one" "same" (func $third (param f64) (result i32 f64)))
        (func (export "run") (param i32) (result f32 i64 i32 f64)
            (call $first (local.get 0) (i64.const -1) (f32.const nan:0x200001) (f64.const -0))
            (call $second)
            (call $third (f64.const nan:0x4000000000001))))"#;
    for tier in TIERS {
        let (host, calls) = Script::new(|import, _, args, results| {
            match import {
                0 => results[0] = u64::from(0xffa0_0001_u32),
                1 => results[0] = u64::MAX - 1,
                _ => {
                    results[0] = 0x8000_0000;
                    results[1] = args[0];
                }
            }
            Ok(())
        });
        let mut guest = start(&engine, text, tier, host).unwrap();
        let results = guest.call("run", &i32s(&[-5])).unwrap();
        let nan = 0x7ff4_0000_0000_0001;
        assert_eq!(results, [Value::F32(0xffa0_0001), Value::I64(-2), Value::I32(i32::MIN), Value::F64(nan)], "{tier}");
        let call = |import, args: &[u64]| Call { import, memory: 0, args: args.to_vec() };
        assert_eq!(
            *calls.lock().unwrap(),
            [call(0, &[0xffff_fffb, u64::MAX, 0x7fa0_0001, 0x8000_0000_0000_0000]), call(1, &[]), call(2, &[nan])],
            "{tier}"
        );
    }
}

#[test]
fn a_function_may_be_imported_twice_and_take_many_values() {
    let Some(engine) = engine() else { return };
    let params = "i64 ".repeat(40);
    let args = (0..40).map(|number| format!("(i64.const {number})")).collect::<String>();
    let text = format!(
        r#"(module (import "m" "f" (func $f (param {params}) (result i64)))
            (import "m" "f" (func $again (param {params}) (result i64)))
            (func (export "run") (result i64) (i64.add (call $f {args}) (call $again {args}))))"#
    );
    for tier in TIERS {
        let (host, calls) = Script::new(|_, _, args, results| {
            results[0] = args.iter().sum();
            Ok(())
        });
        let mut guest = start(&engine, &text, tier, host).unwrap();
        assert_eq!(guest.call("run", &[]).unwrap(), [Value::I64(2 * 780)], "{tier}");
        assert_eq!(calls.lock().unwrap().len(), 2, "{tier}");
    }
}

/// So it is with a start section that is a function of the host, which metering makes an export.
#[test]
fn an_import_that_is_exported_again_sees_the_memory() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (import "m" "f" (func $f (result i32))) (memory (export "memory") 1) (export "f" (func $f))
        (func (export "run") (result i32) (call $f)))"#;
    for tier in TIERS {
        let (host, _) = Script::new(|_, memory, _, results| {
            results[0] = u64::try_from(memory.len()).unwrap();
            Ok(())
        });
        let mut guest = start(&engine, text, tier, host).unwrap();
        for export in ["f", "run", "f"] {
            assert_eq!(guest.call(export, &[]).unwrap(), i32s(&[65536]), "{tier} {export}");
        }
    }
}

#[test]
fn tail_calls_of_the_host_come_back_to_the_caller() {
    let Some(engine) = engine() else { return };
    let text = r#"(module
        (type $t (func (param i32) (result i32)))
        (import "m" "f" (func $f (type $t))) (import "wasmrt:host" "0" (func $other (result i64))) (import "m" "none" (func $none))
        (import "m" "f" (func $again (type $t)))
        (memory (export "memory") 1) (table funcref (elem $f)) (elem declare func $f $again)
        (func $direct (type $t) (local i64 f64) (return_call $f (local.get 0)))
        (func $table (type $t) (return_call_indirect (type $t) (local.get 0) (i32.const 0)))
        (func $reference (type $t) (return_call_ref $t (local.get 0) (ref.func $again)))
        (func $nothing (return_call $none))
        (func (export "inside") (param i32) (result i32)
            (call $nothing)
            (i32.add (call $direct (local.get 0)) (i32.add (call $table (local.get 0)) (call $reference (local.get 0)))))
        (func (export "outside") (param i32) (result i32) (return_call $f (local.get 0)))
        (func (export "wide") (result i64) (return_call $other))
        (export "again" (func $again)))"#;
    let mut prepared = super::prepare(text);
    prepared.info.features = wasmrt_model::FeatureSet::of(&[wasmrt_model::Feature::TailCall]);
    for tier in TIERS {
        let (host, calls) = Script::new(|import, memory, args, results| {
            assert_eq!(memory.len(), 65536);
            match import {
                0 | 3 => results[0] = args[0] + 1,
                1 => results[0] = 7,
                _ => {}
            }
            Ok(())
        });
        let module = super::load(&engine, &prepared.bytes, tier).unwrap();
        let mut guest = module.instantiate(&prepared.info, &prepared.imports, Box::new(host)).unwrap();
        assert_eq!(guest.call("inside", &i32s(&[10])).unwrap(), i32s(&[33]), "{tier}");
        assert_eq!(guest.call("outside", &i32s(&[20])).unwrap(), i32s(&[21]), "{tier}");
        assert_eq!(guest.call("wide", &[]).unwrap(), [Value::I64(7)], "{tier}");
        assert_eq!(guest.call("again", &i32s(&[30])).unwrap(), i32s(&[31]), "{tier}");
        let seen: Vec<_> = calls.lock().unwrap().iter().map(|call| call.import).collect();
        assert_eq!(seen, [2, 0, 0, 0, 0, 1, 0], "{tier}");
    }
}

#[test]
fn the_host_sees_the_memory_as_it_is_now() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (import "m" "f" (func $f (param i32)))
        (memory (export "memory") 1 20)
        (func (export "run") (param i32) (result i32)
            (i32.store8 (local.get 0) (i32.const 1)) (call $f (local.get 0))
            (drop (memory.grow (i32.const 9)))
            (i32.store8 (i32.const 655359) (i32.const 7)) (call $f (i32.const 655359))
            (i32.load8_u (i32.const 655359))))"#;
    for tier in TIERS {
        let (host, calls) = Script::new(|_, memory, args, _| {
            memory[usize::try_from(args[0]).unwrap()] += 1;
            Ok(())
        });
        let mut guest = start(&engine, text, tier, host).unwrap();
        assert_eq!(guest.call("run", &i32s(&[65535])).unwrap(), i32s(&[8]), "{tier}");
        let sizes: Vec<_> = calls.lock().unwrap().iter().map(|call| call.memory).collect();
        assert_eq!(sizes, [65536, 655_360], "{tier}");
    }
}

#[test]
fn only_the_memory_named_memory_is_lent() {
    let Some(engine) = engine() else { return };
    for (memory, expected) in [
        ("(memory 1)", 0),
        (r#"(memory (export "other") 1)"#, 0),
        (r#"(memory (export "memory") 0)"#, 0),
        (r#"(memory 1) (memory (export "memory") 2)"#, 131_072),
        (r#"(memory (export "memory") 65536)"#, 1 << 32),
        ("", 0),
    ] {
        let text = format!(r#"(module (import "m" "f" (func $f)) {memory} (func (export "run") (call $f)))"#);
        for tier in TIERS {
            let (host, calls) = Script::new(|_, _, _, _| Ok(()));
            let mut guest = start(&engine, &text, tier, host).unwrap();
            guest.call("run", &[]).unwrap();
            assert_eq!(calls.lock().unwrap()[0].memory, expected, "{tier} {memory}");
        }
    }
}

const START: &str = r#"(module (import "m" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 1) (global $seen (export "seen") (mut i32) (i32.const 0))
    (data (i32.const 0) "data")
    (func $start (global.set $seen (call $f (i32.const 3)))) (start $start))"#;

#[test]
fn the_start_section_may_call_the_host() {
    let Some(engine) = engine() else { return };
    for tier in TIERS {
        let (host, calls) = Script::new(|_, memory, _, results| {
            results[0] = u64::from(memory[1]);
            Ok(())
        });
        let mut guest = start(&engine, START, tier, host).unwrap();
        assert_eq!(guest.global("seen"), Some(Value::I32(i32::from(b'a'))), "{tier}");
        assert_eq!(calls.lock().unwrap()[0], Call { import: 0, memory: 65536, args: vec![3] }, "{tier}");
    }
}

#[test]
fn the_start_section_may_end_the_guest() {
    let Some(engine) = engine() else { return };
    for tier in TIERS {
        let (host, _) = Script::new(|_, _, _, _| Err(Ending::Exit(0xdead_beef)));
        match start(&engine, START, tier, host) {
            Err(Ending::Exit(code)) => assert_eq!(code, 0xdead_beef, "{tier}"),
            other => panic!("{tier}: {other:?}"),
        }
        let (host, _) = Script::new(|_, _, _, _| panic!("no"));
        match start(&engine, START, tier, host) {
            Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Internal, "{tier}"),
            other => panic!("{tier}: {other:?}"),
        }
        let trapping = r#"(module (func $start unreachable) (start $start))"#;
        match start(&engine, trapping, tier, NoHost) {
            Err(Ending::Trap(trap)) => assert_eq!(trap.kind, TrapKind::Unreachable, "{tier}"),
            other => panic!("{tier}: {other:?}"),
        }
    }
}

const RUN: &str = r#"(module (import "m" "f" (func $f (param i32) (result i32)))
    (global (export "after") (mut i32) (i32.const 0))
    (func $deep (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
            (else (call $f (i32.const 7)))))
    (func (export "run") (param i32) (result i32)
        (call $deep (local.get 0)) (global.set 0 (i32.const 1)))
    (func (export "pure") (result i32) (i32.const 11)))"#;

#[test]
fn an_ending_of_the_host_comes_out_as_it_is() {
    let Some(engine) = engine() else { return };
    for tier in TIERS {
        let (host, calls) = Script::new({
            let mut round = 0;
            move |_, _, _, results| {
                round += 1;
                results[0] = 77;
                Err(match round {
                    1 => Ending::Exit(u32::MAX),
                    2 => Ending::Trap(Trap::new(TrapKind::BadPointer).with_detail("there")),
                    3 => Ending::Limit(LimitKind::OutputBytes),
                    4 => Ending::Failed(wasmrt_model::Error::new(ErrorKind::Denied, "no")),
                    5 => panic!("the host has a defect"),
                    _ => return Ok(()),
                })
            }
        });
        let mut guest = start(&engine, RUN, tier, host).unwrap();
        let mut run = || guest.call("run", &i32s(&[100])).unwrap_err();
        assert!(matches!(run(), Ending::Exit(u32::MAX)), "{tier}");
        assert!(matches!(run(), Ending::Trap(trap) if trap.kind == TrapKind::BadPointer && trap.detail == "there"));
        assert!(matches!(run(), Ending::Limit(LimitKind::OutputBytes)), "{tier}");
        assert!(matches!(run(), Ending::Failed(error) if error.kind() == ErrorKind::Denied), "{tier}");
        assert!(matches!(run(), Ending::Failed(error) if error.kind() == ErrorKind::Internal), "{tier}");
        assert_eq!(guest.global("after"), Some(Value::I32(0)), "{tier}: nothing ran after the ending");
        assert_eq!(guest.call("pure", &[]).unwrap(), i32s(&[11]), "{tier}");
        assert_eq!(guest.call("run", &i32s(&[100])).unwrap(), i32s(&[77]), "{tier}");
        assert_eq!(calls.lock().unwrap().len(), 6, "{tier}");
    }
}

#[test]
fn what_the_host_does_not_offer_cannot_be_linked() {
    let Some(engine) = engine() else { return };
    let prepared = super::prepare(RUN);
    for tier in TIERS {
        let module = super::load(&engine, &prepared.bytes, tier).unwrap();
        let mut other_type = prepared.imports.clone();
        other_type[0].signature.results.clear();
        for imports in [&[][..], &other_type] {
            match module.instantiate(&prepared.info, imports, Box::new(NoHost)) {
                Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::MissingImports, "{tier}"),
                other => panic!("{tier}: {other:?}"),
            }
        }
        let mut vector = prepared.imports.clone();
        vector[0].signature.params = vec![wasmrt_model::ValueType::V128];
        match module.instantiate(&prepared.info, &vector, Box::new(NoHost)) {
            Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{tier}"),
            other => panic!("{tier}: {other:?}"),
        }
    }
}

#[test]
fn a_host_function_may_run_another_guest() {
    let Some(engine) = engine() else { return };
    let inner = super::prepare(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32) (i32.load (local.get 0))))"#,
    );
    for tier in TIERS {
        let module = super::load(&engine, &inner.bytes, tier).unwrap();
        let info = inner.info.clone();
        let (host, _) = Script::new(move |_, _, args, results| {
            let mut guest = module.instantiate(&info, &[], Box::new(NoHost))?;
            assert_eq!(guest.call("run", &i32s(&[0])).unwrap(), i32s(&[0]));
            let trapped = guest.call("run", &i32s(&[-1])).is_err();
            results[0] = args[0] + u64::from(trapped);
            Ok(())
        });
        let mut outer = start(&engine, RUN, tier, host).unwrap();
        assert_eq!(outer.call("run", &i32s(&[3])).unwrap(), i32s(&[8]), "{tier}");
    }
}
