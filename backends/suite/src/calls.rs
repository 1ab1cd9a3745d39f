//! Exports: calling them, globals, and instances side by side.

use crate::hosts::no_host;
use crate::prepared::prepare;
use crate::{Subject, failure_of, i32s};
use wasmrt_model::{ErrorKind, Feature, Value};

pub(crate) fn names_and_arguments_are_checked(subject: &Subject) {
    let vector = if subject.has(Feature::Simd) {
        r#"(func (export "takes vector") (param v128)) (func (export "vector") (result v128) (v128.const i64x2 1 2))"#
    } else {
        ""
    };
    let text = format!(
        r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i64) (result i64)
          (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
        (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
        (func (export "reference") (result funcref) (ref.null func))
        (func (export "extern") (result externref) (ref.null extern)) {vector})"#
    );
    let fine = [Value::I32(-1), Value::I64(i64::MIN)];
    for way in subject.ways() {
        let mut guest = subject.guest(&text, way);
        assert_eq!(guest.call("add", &fine).unwrap(), [Value::I64(i64::MAX)], "{way}");
        // "vector" is no export of an engine without vectors, which is as wrong.
        for (export, args) in [
            ("missing", &fine[..]),
            ("memory", &[]),
            ("add", &[]),
            ("add", &fine[..1]),
            ("add", &[Value::I64(1), Value::I64(1)]),
            ("add", &[fine[0], fine[1], fine[0]]),
            ("double", &[]),
            ("double", &[Value::I64(1)]),
            ("takes vector", &[]),
            ("vector", &[]),
            ("reference", &[]),
            ("extern", &[]),
        ] {
            assert_eq!(failure_of(guest.call(export, args)), ErrorKind::InvalidInput, "{way}: {export} {args:?}");
        }
        assert_eq!(guest.call("add", &fine).unwrap(), [Value::I64(i64::MAX)], "{way}");
        assert_eq!(guest.call("double", &i32s(&[21])).unwrap(), i32s(&[42]), "{way}");
    }
}

pub(crate) fn values_keep_their_bits(subject: &Subject) {
    let text = r#"(module (func (export "swap") (param f32 f64 i32 i64) (result i64 i32 f64 f32)
        (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#;
    for way in subject.ways() {
        let mut guest = subject.guest(text, way);
        // NaNs with payloads, signalling or not, and a negative zero.
        for (single, double, long) in [
            (0xffa0_0001, 0x7ff4_0000_0000_0001, i64::MIN),
            (0x7fa0_1234, 0x8000_0000_0000_0000, i64::MIN + 7),
            (0x8000_0000, 0xfff8_0000_0000_0005, -1),
        ] {
            let args = [Value::F32(single), Value::F64(double), Value::I32(i32::MIN), Value::I64(long)];
            let mut back = guest.call("swap", &args).unwrap();
            back.reverse();
            assert_eq!(back, args, "{way}");
        }
    }
}

pub(crate) fn globals_are_read_and_set_by_type(subject: &Subject) {
    let vector =
        if subject.has(Feature::Simd) { r#"(global (export "vector") (mut v128) (v128.const i64x2 1 2))"# } else { "" };
    let text = format!(
        r#"(module (global $i (export "i") (mut i32) (i32.const 1)) (global $l (export "l") (mut i64) (i64.const 5))
        (global (export "f") (mut f32) (f32.const nan:0x200000)) (global (export "d") (mut f64) (f64.const 1))
        (global (export "constant") i64 (i64.const 9))
        (global (export "function") (mut funcref) (ref.null func)) (global (export "extern") (mut externref) (ref.null extern))
        {vector}
        (func (export "get") (result i32) (global.get $i)) (func (export "read") (result i64) (global.get $l))
        (func (export "bump") (global.set $l (i64.add (global.get $l) (i64.const 1)))))"#
    );
    for way in subject.ways() {
        let mut guest = subject.guest(&text, way);
        assert_eq!(guest.global("i"), Some(Value::I32(1)), "{way}");
        assert_eq!(guest.global("l"), Some(Value::I64(5)), "{way}");
        assert_eq!(guest.global("f"), Some(Value::F32(0x7fa0_0000)), "{way}");
        assert_eq!(guest.global("d"), Some(Value::F64(1f64.to_bits())), "{way}");
        for absent in ["function", "extern", "vector", "get", "missing"] {
            assert_eq!(guest.global(absent), None, "{way}: {absent}");
            assert!(!guest.set_global(absent, Value::I32(0)), "{way}: {absent}");
            assert!(!guest.set_global(absent, Value::I64(1)), "{way}: {absent}");
        }
        assert!(!guest.set_global("constant", Value::I64(1)), "{way}: it is constant");
        assert_eq!(guest.global("constant"), Some(Value::I64(9)), "{way}");
        assert!(!guest.set_global("i", Value::I64(9)), "{way}: it has another type");
        assert!(guest.set_global("i", Value::I32(-9)), "{way}");
        assert_eq!(guest.call("get", &[]).unwrap(), i32s(&[-9]), "{way}");
        assert!(guest.set_global("d", Value::F64(0xfff4_0000_0000_0001)), "{way}");
        assert_eq!(guest.global("d"), Some(Value::F64(0xfff4_0000_0000_0001)), "{way}");
        assert!(guest.set_global("l", Value::I64(-40)), "{way}");
        guest.call("bump", &[]).unwrap();
        assert_eq!(guest.global("l"), Some(Value::I64(-39)), "{way}");
        assert_eq!(guest.call("read", &[]).unwrap(), [Value::I64(-39)], "{way}");
    }
}

pub(crate) fn instances_share_nothing(subject: &Subject) {
    let prepared = prepare(
        r#"(module (memory 1 2) (global $count (mut i32) (i32.const 0)) (table 1 externref) (data (i32.const 0) "\01")
        (func (export "count") (result i32)
          (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (i32.add (i32.mul (global.get $count) (i32.const 100)) (i32.load8_u (i32.const 0)))))"#,
    );
    for way in subject.ways() {
        let module = subject.load(&prepared.bytes, way).unwrap();
        let mut guests: Vec<_> = (0..50).map(|_| module.instantiate(&prepared.info, &[], no_host()).unwrap()).collect();
        drop(module);
        for round in 1..=3 {
            for guest in &mut guests {
                assert_eq!(guest.call("count", &[]).unwrap(), i32s(&[round * 100 + round + 1]), "{way}");
            }
        }
        // Not in the order in which they were made.
        while guests.len() > 1 {
            guests.swap_remove(guests.len() / 2);
            assert_eq!(guests[0].call("count", &[]).unwrap().len(), 1, "{way}");
        }
    }
}
