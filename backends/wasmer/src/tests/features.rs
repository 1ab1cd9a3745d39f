//! What the capabilities claim is what works: one guest per proposal; and what they do not claim is refused.

use super::*;
use wasmrt_model::{ErrorKind, Feature};

/// The feature, a module that needs it and whose `run` returns 42.
const CLAIMED: &[(Feature, &str)] = &[
    (
        Feature::MutableGlobal,
        r#"(module (global $g (export "g") (mut i32) (i32.const 41))
        (func (export "run") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"#,
    ),
    (
        Feature::SaturatingFloatToInt,
        r#"(module (func (export "run") (result i32)
        (i32.add (i32.add (i32.trunc_sat_f64_u (f64.const -1e30)) (i32.trunc_sat_f32_s (f32.const nan)))
          (i32.sub (i32.trunc_sat_f64_s (f64.const 1e30)) (i32.const 0x7fffffd5)))))"#,
    ),
    (
        Feature::SignExtension,
        r#"(module (func (export "run") (result i32) (i32.add (i32.extend8_s (i32.const 0xff)) (i32.const 43))))"#,
    ),
    (
        Feature::MultiValue,
        r#"(module (func $two (result i32 i32) (i32.const 40) (i32.const 2))
        (func (export "run") (result i32) (call $two) (block (param i32 i32) (result i32) i32.add)))"#,
    ),
    (
        Feature::BulkMemory,
        r#"(module (memory 1) (data $d "\2a") (table 4 funcref) (elem $e func $f) (func $f)
        (func (export "run") (result i32)
        (memory.init $d (i32.const 1) (i32.const 0) (i32.const 1)) (data.drop $d)
        (memory.copy (i32.const 9) (i32.const 1) (i32.const 1)) (memory.fill (i32.const 1) (i32.const 7) (i32.const 4))
        (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)
        (table.copy (i32.const 1) (i32.const 0) (i32.const 1)) (call_indirect (i32.const 1))
        (i32.load8_u (i32.const 9))))"#,
    ),
    (
        Feature::ReferenceTypes,
        r#"(module (table $a 1 externref) (table $b 2 8 funcref) (func $f (result i32) (i32.const 39)) (elem declare func $f)
        (func (export "run") (result i32) (local $e externref)
          (table.set $b (i32.const 1) (ref.func $f))
          (drop (table.grow $b (select (result funcref) (ref.func $f) (ref.null func) (i32.const 1)) (i32.const 3)))
          (table.fill $b (i32.const 0) (table.get $b (i32.const 4)) (i32.const 1))
          (table.set $a (i32.const 0) (local.get $e))
          (i32.add (call_indirect $b (result i32) (i32.const 0))
            (i32.add (ref.is_null (table.get $a (i32.const 0)))
              (i32.sub (table.size $b) (i32.const 3))))))"#,
    ),
    (
        Feature::Threads,
        r#"(module (memory 1) (func (export "run") (result i32) (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 40)))
        (drop (i64.atomic.rmw16.cmpxchg_u (i32.const 8) (i64.const 40) (i64.const 42))) atomic.fence
        (i32.add (i32.atomic.load (i32.const 8)) (memory.atomic.notify (i32.const 8) (i32.const 1)))))"#,
    ),
    (
        Feature::ExtendedConst,
        r#"(module (global $g i32 (i32.add (i32.const 40) (i32.const 2))) (func (export "run") (result i32) (global.get $g)))"#,
    ),
    (
        Feature::MultiMemory,
        r#"(module (memory $a 1) (memory $b 1) (func (export "run") (result i32)
        (i32.store $a (i32.const 0) (i32.const 1)) (i32.store $b (i32.const 0) (i32.const 41))
        (memory.copy $b $a (i32.const 8) (i32.const 0) (i32.const 4))
        (i32.add (i32.load $b (i32.const 8)) (i32.load $b (i32.const 0)))))"#,
    ),
];

/// Modules that need what is not claimed.
const NOT_CLAIMED: &[(Feature, &str)] = &[
    (Feature::Simd, r#"(module (func (export "run") (drop (v128.const i32x4 0 0 40 0))))"#),
    (Feature::TailCall, r#"(module (func $f (export "run") (return_call $f)))"#),
    (Feature::Memory64, r#"(module (memory i64 1))"#),
    (Feature::Exceptions, r#"(module (tag $t) (func (throw $t)))"#),
    (
        Feature::FunctionReferences,
        r#"(module (type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0))))"#,
    ),
    (Feature::Gc, r#"(module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))"#),
    (Feature::CustomPageSizes, r#"(module (memory 40 100 (pagesize 1)))"#),
    (Feature::WideArithmetic, r#"(module (func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 84))))"#),
    (
        Feature::RelaxedSimd,
        r#"(module (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))"#,
    ),
    (Feature::ComponentModel, "(component)"),
];

#[test]
fn every_claimed_feature_works() {
    let claimed = engine().capabilities().all_features();
    for feature in claimed.iter() {
        let (_, text) =
            CLAIMED.iter().find(|(guest, _)| *guest == feature).unwrap_or_else(|| panic!("{feature} has no guest"));
        let loaded = artifacts::round_trip(&wasm(text)).instantiate(&info(), &[], no_host()).unwrap().call("run", &[]);
        assert_eq!(loaded.unwrap(), [Value::I32(42)], "{feature}");
        assert_eq!(run(text, &[]).unwrap(), [Value::I32(42)], "{feature} compiled in place");
    }
    assert_eq!(claimed.iter().count(), CLAIMED.len(), "a guest for a feature that is not claimed");
}

#[test]
fn what_is_not_claimed_is_refused_and_does_not_panic() {
    for (feature, text) in NOT_CLAIMED {
        assert!(!engine().capabilities().all_features().contains(*feature), "{feature}");
        assert_eq!(engine().load(Code::Wasm(&wasm(text))).unwrap_err().kind(), ErrorKind::InvalidModule, "{feature}");
    }
    // `try` and `catch_all` as first proposed: the text format no longer has them.
    let legacy = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",                           // a type: () -> ()
        b"\x03\x02\x01\0",                                 // a function of it
        b"\x0a\x0a\x01\x08\0\x06\x40\x00\x19\x0b\x0b\x0b", // try unreachable catch_all end end
    ]
    .concat();
    assert_eq!(engine().load(Code::Wasm(&legacy)).unwrap_err().kind(), ErrorKind::InvalidModule);
    let with = |features: &[(Feature, &str)]| features.iter().map(|(feature, _)| *feature).collect::<Vec<_>>();
    let known = [with(CLAIMED), with(NOT_CLAIMED), vec![Feature::LegacyExceptions]].concat();
    for feature in Feature::ALL {
        assert!(known.contains(feature), "{feature} is tried by no guest");
    }
}

#[test]
fn there_is_one_tier_and_it_can_be_in_process() {
    let engine = engine();
    let capabilities = engine.capabilities();
    assert_eq!(capabilities.tiers.iter().map(|tier| tier.tier).collect::<Vec<_>>(), [Tier::Baseline]);
    assert_eq!(capabilities.in_process, [Tier::Baseline]);
    assert!(capabilities.own_stack && capabilities.interrupted_by_global);
    assert!(capabilities.backtrace && !capabilities.components);
}
