//! Calls, memories and globals from outside.

use super::{NoHost, TIERS, engine, i32s, start};
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, Value};

#[test]
fn arguments_and_results_keep_their_bits() {
    let Some(engine) = engine() else { return };
    let text = r#"(module
        (func (export "swap") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
            (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#;
    // A signalling NaN with a payload, a negative zero.
    let (f32_bits, f64_bits) = (0x7fa0_1234, 0x8000_0000_0000_0000);
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        let args = [Value::I32(-2), Value::I64(i64::MIN + 7), Value::F32(f32_bits), Value::F64(f64_bits)];
        let mut expected = args.to_vec();
        expected.reverse();
        assert_eq!(guest.call("swap", &args).unwrap(), expected, "{tier}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_harms_nothing() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory (export "memory") 1)
        (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
        (func (export "vector") (result v128) (v128.const i64x2 1 2))
        (func (export "reference") (result externref) (ref.null extern)))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        let cases: [(&str, &[Value]); 6] = [
            ("absent", &[]),
            ("memory", &[]),
            ("double", &[]),
            ("double", &[Value::I64(1)]),
            ("vector", &[]),
            ("reference", &[]),
        ];
        for (export, args) in cases {
            match guest.call(export, args) {
                Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{tier} {export}"),
                other => panic!("{tier} {export}: {other:?}"),
            }
        }
        assert_eq!(guest.call("double", &i32s(&[21])).unwrap(), i32s(&[42]), "{tier}");
    }
}

#[test]
fn all_memories_count_whether_exported_or_not() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory $a 1 10) (memory $b (export "b") 2 10) (memory $c 3 10)
        (func (export "grow") (result i32) (drop (memory.grow $a (i32.const 4))) (memory.grow $c (i32.const 5))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        assert_eq!(guest.memory_pages(), 6, "{tier}");
        assert_eq!(guest.call("grow", &[]).unwrap(), i32s(&[3]), "{tier}");
        assert_eq!(guest.memory_pages(), 15, "{tier}");
    }
    let mut without = start(&engine, "(module)", super::Tier::Interpreter, NoHost).unwrap();
    assert_eq!(without.memory_pages(), 0);
}

#[test]
fn finding_memories_adds_no_export() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory 1) (func (export "wasmrt:memories") (result i32) (i32.const 5)))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        assert_eq!(guest.memory_pages(), 1, "{tier}");
        assert_eq!(guest.call("wasmrt:memories", &[]).unwrap(), i32s(&[5]), "{tier}");
        assert!(guest.call("wasmrt:memories'", &[]).is_err(), "{tier}");
    }
}

#[test]
fn the_memory_maximum_of_the_module_holds() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory (export "memory") 1 3)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        let mut grow = |pages| guest.call("grow", &i32s(&[pages])).unwrap();
        assert_eq!(grow(2), i32s(&[1]), "{tier}");
        assert_eq!(grow(1), i32s(&[-1]), "{tier}");
        assert_eq!(grow(0), i32s(&[3]), "{tier}");
    }
}

#[test]
fn a_guest_gets_the_whole_address_space_when_its_module_says_so() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory (export "memory") 65536)
        (func (export "touch") (result i32) (i32.store (i32.const -4) (i32.const 7)) (i32.load (i32.const -4))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        assert_eq!(guest.memory_pages(), 65536, "{tier}");
        assert_eq!(guest.call("touch", &[]).unwrap(), i32s(&[7]), "{tier}");
    }
}

#[test]
fn a_minimum_beyond_what_wasmedge_has_is_refused() {
    let Some(engine) = engine() else { return };
    let mut prepared = super::prepare(r#"(module (memory 1))"#);
    let module = super::load(&engine, &prepared.bytes, super::Tier::Interpreter).unwrap();
    let mut kind_for = |minimum| {
        prepared.info.memories[0].minimum = minimum;
        match module.instantiate(&prepared.info, &[], Box::new(NoHost)) {
            Err(Ending::Failed(error)) => error.kind(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(kind_for(65537), ErrorKind::LimitExceeded);
    // And a guest that gets less than its module says does not run.
    assert_eq!(kind_for(2), ErrorKind::Internal);
}

#[test]
fn globals_are_read_and_set_by_type() {
    let Some(engine) = engine() else { return };
    let text = r#"(module
        (global $a (export "a") (mut i32) (i32.const -1)) (global $b (export "b") (mut i64) (i64.const 5))
        (global $c (export "c") (mut f32) (f32.const 1)) (global $d (export "d") (mut f64) (f64.const 1))
        (global $fixed (export "fixed") i64 (i64.const 9)) (global (export "ref") (mut externref) (ref.null extern))
        (global (export "vector") (mut v128) (v128.const i64x2 1 2))
        (func (export "bump") (global.set $b (i64.add (global.get $b) (i64.const 1))))
        (func (export "read") (result i64) (global.get $b)))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, NoHost).unwrap();
        assert_eq!(guest.global("a"), Some(Value::I32(-1)), "{tier}");
        assert_eq!(guest.global("c"), Some(Value::F32(1f32.to_bits())), "{tier}");
        assert_eq!(guest.global("d"), Some(Value::F64(1f64.to_bits())), "{tier}");
        for absent in ["none", "ref", "vector", "bump"] {
            assert_eq!(guest.global(absent), None, "{tier} {absent}");
            assert!(!guest.set_global(absent, Value::I64(1)), "{tier} {absent}");
        }
        assert!(!guest.set_global("a", Value::I64(1)), "{tier}: another type");
        assert!(!guest.set_global("fixed", Value::I64(1)), "{tier}: not mutable");
        assert_eq!(guest.global("fixed"), Some(Value::I64(9)), "{tier}");
        assert!(guest.set_global("b", Value::I64(-40)), "{tier}");
        guest.call("bump", &[]).unwrap();
        assert_eq!(guest.global("b"), Some(Value::I64(-39)), "{tier}");
        assert_eq!(guest.call("read", &[]).unwrap(), [Value::I64(-39)], "{tier}");
    }
}
