//! The exactness of the feature search, against the validator alone and over the specification's own modules.

use super::*;
use crate::specification::modules;

fn needed(bytes: &[u8]) -> Result<FeatureSet> {
    let caps = StructureCaps::default();
    Ok(validate(&Outline::read(bytes, &caps)?, &caps)?.features)
}

fn valid_under(bytes: &[u8], features: FeatureSet) -> bool {
    super::valid_under(bytes, validator_flags(features))
}

/// Leaves out one feature after the other, as long as the whole module stays valid.
fn slowly_needed(bytes: &[u8]) -> FeatureSet {
    let youngest_first: Vec<Feature> = every().iter().collect();
    youngest_first.into_iter().rev().fold(every(), |features, feature| {
        let fewer = features.without(feature);
        if valid_under(bytes, fewer) { fewer } else { features }
    })
}

#[test]
fn the_set_is_what_the_validator_needs() {
    let mut seen = FeatureSet::EMPTY;
    let mut count = 0;
    for (name, bytes) in modules() {
        if !valid_under(&bytes, every()) {
            assert!(needed(&bytes).is_err(), "{name}");
            continue;
        }
        let found = match needed(&bytes) {
            Ok(found) => found,
            // Shared memories and caps are refused whatever the validator says.
            Err(refusal) if refusal.missing_features().is_empty() => continue,
            Err(refusal) => panic!("{name}: {refusal}"),
        };
        assert_eq!(found, slowly_needed(&bytes), "{name}");
        // More features never make a module invalid, so what is valid under this set is valid under an engine's larger one.
        for feature in every().difference(found).iter() {
            assert!(valid_under(&bytes, found.with(feature)), "{name} with {feature}");
        }
        seen = seen.union(found);
        count += 1;
    }
    assert!(count > 1_000, "{count} modules");
    // The suite has no module for the exceptions that were not adopted; the test below has.
    assert_eq!(every().difference(seen), FeatureSet::of(&[Feature::LegacyExceptions]));
}

#[test]
fn features_are_named() {
    let cases: &[(&str, &[Feature])] = &[
        ("(module)", &[]),
        ("(module (func (export \"f\") (param i32) (result i32) local.get 0))", &[]),
        ("(module (import \"a\" \"b\" (global (mut i32))))", &[Feature::MutableGlobal]),
        ("(module (func i32.const 0 i32.extend8_s drop))", &[Feature::SignExtension]),
        ("(module (func f32.const 0 i32.trunc_sat_f32_s drop))", &[Feature::SaturatingFloatToInt]),
        ("(module (func (result i32 i32) i32.const 0 i32.const 0))", &[Feature::MultiValue]),
        ("(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))", &[Feature::BulkMemory]),
        ("(module (func (param externref)))", &[Feature::ReferenceTypes]),
        ("(module (func (param v128)))", &[Feature::Simd]),
        (
            "(module (func (param v128 v128) local.get 0 local.get 1 i8x16.relaxed_swizzle drop))",
            &[Feature::Simd, Feature::RelaxedSimd],
        ),
        ("(module (func atomic.fence))", &[Feature::Threads]),
        ("(module (func return_call 0))", &[Feature::TailCall]),
        ("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", &[Feature::ExtendedConst]),
        ("(module (memory 1) (memory 1))", &[Feature::MultiMemory]),
        ("(module (memory i64 1))", &[Feature::Memory64]),
        ("(module (tag) (func throw 0))", &[Feature::Exceptions]),
        ("(module (func try end))", &[Feature::LegacyExceptions]),
        (
            "(module (type $t (func)) (func (param (ref $t)) local.get 0 call_ref $t))",
            &[Feature::ReferenceTypes, Feature::FunctionReferences],
        ),
        ("(module (type (struct)))", &[Feature::Gc]),
        ("(module (memory 0 (pagesize 1)))", &[Feature::CustomPageSizes]),
        (
            "(module (func (param i64 i64) local.get 0 local.get 1 i64.mul_wide_u drop drop))",
            &[Feature::MultiValue, Feature::WideArithmetic],
        ),
    ];
    for (text, features) in cases {
        let found = needed(&wat::parse_str(text).unwrap()).unwrap();
        assert_eq!(found.without(Feature::MultiValue), FeatureSet::of(features).without(Feature::MultiValue), "{text}");
    }
}

#[test]
fn features_are_found_in_every_function() {
    let text = "(module (func) (func i32.const 0 i32.extend8_s drop) (func)
        (func (param v128)) (func (param v128 v128) local.get 0 local.get 1 i8x16.relaxed_swizzle drop) (func return_call 0))";
    let expected = [Feature::SignExtension, Feature::Simd, Feature::RelaxedSimd, Feature::TailCall];
    assert_eq!(needed(&wat::parse_str(text).unwrap()).unwrap(), FeatureSet::of(&expected));
}

#[test]
fn a_proposal_without_a_name_is_unsupported_rather_than_invalid() {
    for text in [
        "(module (type (shared (func))))",
        "(module (type $f (func)) (type $c (cont $f)) (func (param (ref $c)) local.get 0 resume $c))",
        "(module (memory 1) (func i32.const 0 i32.const 1 memory.discard))",
    ] {
        let refusal = needed(&wat::parse_str(text).unwrap()).unwrap_err();
        assert_eq!((refusal.kind(), refusal.missing_features()), (ErrorKind::Unsupported, FeatureSet::EMPTY), "{text}");
    }
}
