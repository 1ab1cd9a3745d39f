//! What the capabilities claim is what works: one guest per proposal, in every tier; and what they do not claim is refused.

use super::*;
use wasmrt_model::{ErrorKind, Feature};

/// The feature, a module that needs it and whose `run` returns 42.
const GUESTS: &[(Feature, &str)] = &[
    (
        Feature::MutableGlobal,
        r#"(module (global $g (export "g") (mut i32) (i32.const 41))
        (func (export "run") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"#,
    ),
    (
        Feature::SaturatingFloatToInt,
        r#"(module (func (export "run") (result i32) (i32.add (i32.trunc_sat_f64_u (f64.const -1e30)) (i32.const 42))))"#,
    ),
    (
        Feature::SignExtension,
        r#"(module (func (export "run") (result i32) (i32.add (i32.extend8_s (i32.const 0xff)) (i32.const 43))))"#,
    ),
    (
        Feature::MultiValue,
        r#"(module (func $two (result i32 i32) (i32.const 40) (i32.const 2)) (func (export "run") (result i32) (i32.add (call $two))))"#,
    ),
    (
        Feature::BulkMemory,
        r#"(module (memory 1) (data $d "\2a") (func (export "run") (result i32)
        (memory.init $d (i32.const 1) (i32.const 0) (i32.const 1)) (memory.copy (i32.const 9) (i32.const 1) (i32.const 1))
        (i32.load8_u (i32.const 9))))"#,
    ),
    (
        Feature::ReferenceTypes,
        r#"(module (table $a 1 funcref) (table $b 2 funcref) (func $f (result i32) (i32.const 42)) (elem declare func $f)
        (func (export "run") (result i32) (table.set $b (i32.const 1) (ref.func $f)) (call_indirect $b (result i32) (i32.const 1))))"#,
    ),
    (
        Feature::Simd,
        r#"(module (func (export "run") (result i32)
        (i32x4.extract_lane 2 (i32x4.add (v128.const i32x4 0 0 40 0) (v128.const i32x4 0 0 2 0)))))"#,
    ),
    (
        // The deterministic result of an out-of-range lane is 0, and a fused multiply-add rounds once.
        Feature::RelaxedSimd,
        r#"(module (func (export "run") (result i32) (i32.add (i32.const 42)
        (i8x16.extract_lane_u 0 (i8x16.relaxed_swizzle (v128.const i8x16 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9)
          (v128.const i8x16 0x7f 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0))))))"#,
    ),
    (
        Feature::Threads,
        r#"(module (memory 1) (func (export "run") (result i32) (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 42)))
        (i32.add (i32.atomic.load (i32.const 8)) (memory.atomic.notify (i32.const 8) (i32.const 1)))))"#,
    ),
    (
        Feature::TailCall,
        r#"(module (func $count (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 42)) (else (return_call $count (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "run") (result i32) (call $count (i32.const 5000000))))"#,
    ),
    (
        Feature::ExtendedConst,
        r#"(module (global $g i32 (i32.add (i32.const 40) (i32.const 2))) (func (export "run") (result i32) (global.get $g)))"#,
    ),
    (
        Feature::MultiMemory,
        r#"(module (memory $a 1) (memory $b 1) (func (export "run") (result i32)
        (i32.store $a (i32.const 0) (i32.const 1)) (i32.store $b (i32.const 0) (i32.const 41))
        (i32.add (i32.load $a (i32.const 0)) (i32.load $b (i32.const 0)))))"#,
    ),
    (
        Feature::Memory64,
        r#"(module (memory i64 1) (table i64 1 funcref) (func (export "run") (result i32)
        (i32.store (i64.const 8) (i32.const 41)) (i32.add (i32.load (i64.const 8)) (i32.wrap_i64 (table.size)))))"#,
    ),
    (
        Feature::Exceptions,
        r#"(module (tag $t (param i32)) (func $throws (throw $t (i32.const 42)))
        (func (export "run") (result i32) (block $caught (result i32) (try_table (catch $t $caught) (call $throws)) (i32.const 0))))"#,
    ),
    (
        Feature::FunctionReferences,
        r#"(module (type $f (func (result i32))) (func $answer (type $f) (i32.const 42)) (elem declare func $answer)
        (func $apply (param (ref $f)) (result i32) (call_ref $f (local.get 0)))
        (func (export "run") (result i32) (call $apply (ref.func $answer))))"#,
    ),
    (
        Feature::Gc,
        r#"(module (type $pair (struct (field i32) (field (mut i32)))) (type $list (array (mut (ref null $pair))))
        (func (export "run") (result i32) (local $l (ref $list))
          (local.set $l (array.new $list (ref.null $pair) (i32.const 3)))
          (array.set $list (local.get $l) (i32.const 1) (struct.new $pair (i32.const 40) (i32.const 2)))
          (i32.add (struct.get $pair 0 (array.get $list (local.get $l) (i32.const 1)))
                   (struct.get $pair 1 (array.get $list (local.get $l) (i32.const 1))))))"#,
    ),
    (
        Feature::CustomPageSizes,
        r#"(module (memory 40 100 (pagesize 1)) (func (export "run") (result i32)
        (drop (memory.grow (i32.const 2))) (memory.size)))"#,
    ),
    (
        Feature::WideArithmetic,
        r#"(module (func (export "run") (result i32) (local $high i64)
        (i64.mul_wide_u (i64.const 0x8000000000000000) (i64.const 84)) (local.set $high) drop (i32.wrap_i64 (local.get $high))))"#,
    ),
];

#[test]
fn every_claimed_feature_works_in_every_tier() {
    let claimed = engine().capabilities().all_features();
    let two = info(&[(1, Some(16)), (1, Some(16))]);
    for feature in claimed.iter() {
        let (_, text) =
            GUESTS.iter().find(|(guest, _)| *guest == feature).unwrap_or_else(|| panic!("{feature} has no guest"));
        for options in [BASELINE, OPTIMIZED] {
            let module = artifacts::round_trip(&wasm(text), options);
            let result = module.instantiate(&two, &[], no_host()).unwrap().call("run", &[]);
            assert_eq!(result.unwrap(), [Value::I32(42)], "{feature} in {options:?}");
        }
        let in_place = load(text).instantiate(&two, &[], no_host()).unwrap().call("run", &[]);
        assert_eq!(in_place.unwrap(), [Value::I32(42)], "{feature} compiled in place");
    }
    assert_eq!(claimed.iter().count(), GUESTS.len(), "a guest for a feature that is not claimed");
}

#[test]
fn what_is_not_claimed_is_refused() {
    // `try` and `catch_all` as first proposed: the text format no longer has them.
    let legacy = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",                           // a type: () -> ()
        b"\x03\x02\x01\0",                                 // a function of it
        b"\x0a\x0a\x01\x08\0\x06\x40\x00\x19\x0b\x0b\x0b", // try unreachable catch_all end end
    ]
    .concat();
    let not_claimed = [(Feature::LegacyExceptions, legacy), (Feature::ComponentModel, wasm("(component)"))];
    for (feature, module) in not_claimed {
        assert!(!engine().capabilities().all_features().contains(feature));
        assert_eq!(engine().load(Code::Wasm(&module)).unwrap_err().kind(), ErrorKind::InvalidModule, "{feature}");
    }
}

#[test]
fn shared_memories_are_refused() {
    let text = r#"(module (memory 1 2 shared) (func (export "run")))"#;
    assert!(
        engine().load(Code::Wasm(&wasm(text))).is_err() || {
            matches!(load(text).instantiate(&small(), &[], no_host()), Err(Ending::Failed(_)))
        }
    );
}

#[test]
fn both_tiers_claim_the_same_and_may_run_in_process() {
    let engine = engine();
    let capabilities = engine.capabilities();
    assert!(capabilities.features(Tier::Interpreter).is_none());
    assert_eq!(capabilities.features(Tier::Baseline), capabilities.features(Tier::Optimized));
    assert_eq!(capabilities.in_process, [Tier::Baseline, Tier::Optimized]);
    assert!(capabilities.backtrace && !capabilities.components);
}
