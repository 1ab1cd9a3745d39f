//! What WasmEdge is set to: which proposals in which tier, which optimisation level, and the text that tells native code apart.
//!
//! Owns the feature table, which was found by running a module for each feature in each tier (the tests do it again). Makes
//! no contexts.

use wasmrt_model::backend::CompileOptions;
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet, Result, Tier};

/// What the interpreter of WasmEdge 0.14 runs.
///
/// Left out:
/// - Exceptions: in the interpreter, a branch to the label of a `try_table` crashes the process, and the compiler aborts.
/// - Legacy exceptions: `rethrow` and `delegate` are refused as deprecated, and the compiler aborts on the rest.
/// - GC: nothing is ever collected, and the heap grows outside of every limit (100,000 dead arrays of 8 KiB took 1.6 GB). The
///   compiler aborts on it besides.
/// - Memory64, custom page sizes and wide arithmetic: 0.14 does not read them, also with its own switches on.
/// - Components: 0.14 reads some and runs none.
pub(crate) const INTERPRETED: FeatureSet = FeatureSet::of(&[
    Feature::MutableGlobal,
    Feature::SaturatingFloatToInt,
    Feature::SignExtension,
    Feature::MultiValue,
    Feature::BulkMemory,
    Feature::ReferenceTypes,
    Feature::Simd,
    Feature::RelaxedSimd,
    Feature::Threads,
    Feature::TailCall,
    Feature::ExtendedConst,
    Feature::MultiMemory,
    Feature::FunctionReferences,
]);

/// What its native code runs. Without relaxed SIMD: for some of its instructions the compiler makes code that LLVM's own
/// verifier complains about (a function that returns another type of vector than it says), and goes on with it.
pub(crate) const COMPILED: FeatureSet = INTERPRETED.without(Feature::RelaxedSimd);

/// `WasmEdge_Proposal` of 0.14; none for what is left out.
fn proposal(feature: Feature) -> Option<u32> {
    Some(match feature {
        Feature::MutableGlobal => 0,
        Feature::SaturatingFloatToInt => 1,
        Feature::SignExtension => 2,
        Feature::MultiValue => 3,
        Feature::BulkMemory => 4,
        Feature::ReferenceTypes => 5,
        Feature::Simd => 6,
        Feature::TailCall => 7,
        Feature::ExtendedConst => 8,
        Feature::FunctionReferences => 9,
        Feature::MultiMemory => 11,
        Feature::Threads => 12,
        Feature::RelaxedSimd => 13,
        _ => return None,
    })
}

/// The proposals to switch on for these features.
pub(crate) fn proposals(features: FeatureSet) -> Vec<u32> {
    features.iter().filter_map(proposal).collect()
}

/// The level to compile at.
///
/// # Errors
/// `Unsupported` for what WasmEdge has but cannot be relied upon, `InvalidInput` for what makes no sense.
pub(crate) fn optimization(options: CompileOptions) -> Result<u32> {
    let refuse = |kind, message: String, hint| {
        Err(Error::new(kind, message).with_operation("compile").with_context("engine", "wasmedge").with_hint(hint))
    };
    let usual = match options.tier {
        Tier::Baseline => 0,
        Tier::Optimized => 2,
        tier => return refuse(ErrorKind::InvalidInput, format!("there is no native code for the {tier}"), TIERS),
    };
    match options.optimize.unwrap_or(usual) {
        level @ (0 | 2 | 3) => Ok(u32::from(level)),
        1 => refuse(ErrorKind::Unsupported, "WasmEdge's compiler crashes on large modules at level 1".into(), LEVELS),
        level => refuse(ErrorKind::InvalidInput, format!("{level} is not an optimisation level"), LEVELS),
    }
}

const TIERS: &str = "compile for the tier baseline or optimized";
const LEVELS: &str = "use level 0, 2 or 3";

/// Everything but library and CPU that decides what native code comes out. Equal exactly when the code may be shared, so the
/// tier does not show, only the level that it leads to.
pub(crate) fn code_key(options: CompileOptions) -> String {
    let level = optimization(options).map_or_else(|error| error.kind().to_string(), |level| level.to_string());
    let proposals: Vec<_> = proposals(COMPILED).iter().map(ToString::to_string).collect();
    format!("level={level} format=native generic=no interruptible=no statistics=none proposals={}", proposals.join(","))
}
