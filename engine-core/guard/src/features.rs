//! Which proposals a module needs: the table between our names and the validator's, and the search for the smallest set.
//!
//! The search asks the validator itself, so there is no second list of instructions that could disagree with it.

use wasmparser::WasmFeatures;
use wasmrt_model::{Feature, FeatureSet};

/// What no proposal stands for and every engine has: floats, and references that are not typed.
const BASE: WasmFeatures = WasmFeatures::FLOATS.union(WasmFeatures::GC_TYPES);

/// The validator's flags for a feature. None for what is no matter of core modules.
fn flags(feature: Feature) -> Option<WasmFeatures> {
    Some(match feature {
        Feature::MutableGlobal => WasmFeatures::MUTABLE_GLOBAL,
        Feature::SaturatingFloatToInt => WasmFeatures::SATURATING_FLOAT_TO_INT,
        Feature::SignExtension => WasmFeatures::SIGN_EXTENSION,
        Feature::MultiValue => WasmFeatures::MULTI_VALUE,
        Feature::BulkMemory => WasmFeatures::BULK_MEMORY,
        Feature::ReferenceTypes => WasmFeatures::REFERENCE_TYPES,
        Feature::Simd => WasmFeatures::SIMD,
        Feature::RelaxedSimd => WasmFeatures::RELAXED_SIMD,
        Feature::Threads => WasmFeatures::THREADS,
        Feature::TailCall => WasmFeatures::TAIL_CALL,
        Feature::ExtendedConst => WasmFeatures::EXTENDED_CONST,
        Feature::MultiMemory => WasmFeatures::MULTI_MEMORY,
        Feature::Memory64 => WasmFeatures::MEMORY64,
        Feature::Exceptions => WasmFeatures::EXCEPTIONS,
        Feature::LegacyExceptions => WasmFeatures::LEGACY_EXCEPTIONS,
        Feature::FunctionReferences => WasmFeatures::FUNCTION_REFERENCES,
        Feature::Gc => WasmFeatures::GC,
        Feature::CustomPageSizes => WasmFeatures::CUSTOM_PAGE_SIZES,
        Feature::WideArithmetic => WasmFeatures::WIDE_ARITHMETIC,
        _ => return None,
    })
}

/// The validator's flags for a set of features.
pub(crate) fn validator_flags(features: FeatureSet) -> WasmFeatures {
    features.iter().filter_map(flags).fold(BASE, WasmFeatures::union)
}

/// Every feature that a core module can need.
pub(crate) fn every() -> FeatureSet {
    Feature::ALL.iter().copied().filter(|feature| flags(*feature).is_some()).collect()
}

/// The smallest set of features, over `base`, under which `accepted` holds. It has to hold under [`every`] feature, and must not
/// stop holding when a feature is added.
///
/// Halves the candidates rather than trying one after the other: a single missing feature is found in about five questions.
pub(crate) fn smallest(base: FeatureSet, accepted: &mut dyn FnMut(FeatureSet) -> bool) -> FeatureSet {
    if accepted(base) {
        return base;
    }
    // Younger proposals come first, so that where one of two would do, the older one stays.
    let candidates: Vec<Feature> = every().difference(base).iter().collect();
    base.union(explain(base, &candidates, accepted))
}

/// What of `candidates` is needed on top of `base`, which alone is known not to suffice.
fn explain(base: FeatureSet, candidates: &[Feature], accepted: &mut dyn FnMut(FeatureSet) -> bool) -> FeatureSet {
    if candidates.len() <= 1 {
        return candidates.iter().copied().collect();
    }
    let (older, younger) = candidates.split_at(candidates.len() / 2);
    let all_older = base.union(older.iter().copied().collect());
    let needed_younger = if accepted(all_older) { FeatureSet::EMPTY } else { explain(all_older, younger, accepted) };
    let with_younger = base.union(needed_younger);
    let needed_older = if accepted(with_younger) { FeatureSet::EMPTY } else { explain(with_younger, older, accepted) };
    needed_younger.union(needed_older)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_set_is_found_with_few_questions() {
        for needed in [
            FeatureSet::EMPTY,
            FeatureSet::of(&[Feature::MutableGlobal]),
            FeatureSet::of(&[Feature::WideArithmetic]),
            FeatureSet::of(&[Feature::Simd, Feature::RelaxedSimd, Feature::Gc]),
            every(),
        ] {
            for base in [FeatureSet::EMPTY, FeatureSet::of(&[Feature::Simd])] {
                let mut questions = 0;
                let found = smallest(base, &mut |features| {
                    questions += 1;
                    needed.difference(features).is_empty()
                });
                assert_eq!(found, base.union(needed));
                assert!(questions <= 2 * every().iter().count(), "{questions} questions for {needed}");
            }
        }
    }

    #[test]
    fn only_components_have_no_flags() {
        assert_eq!(every(), Feature::ALL.iter().copied().collect::<FeatureSet>().without(Feature::ComponentModel));
    }
}
