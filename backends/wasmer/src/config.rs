//! How wasmer is configured: what it validates, how it compiles. Every choice is spelled out, so that a default that changes with
//! a version changes nothing here. Owns no engine.

use std::num::NonZero;
use wasmer::Engine;
use wasmer::sys::{CompilerConfig, CpuFeature, EngineBuilder, Features, Singlepass, Target};
use wasmrt_model::backend::CompileOptions;
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet, Result, Tier};

/// The version of the wasmer crates; a test compares it with the lock file.
pub(crate) const VERSION: &str = wasmer::sys::vm::VERSION;

/// Stack for guests in their caller's process: enough for the default of `call_depth`. What is not used of it takes no memory.
pub(crate) const STACK_BYTES: usize = 256 << 20;

/// What the single-pass compiler has code for, each tried by a test.
///
/// Not in it: vectors, tail calls, 64-bit memories, exceptions, and whatever comes with typed references. Threads means atomic
/// instructions: shared memories are refused, since nothing here could share them.
pub(crate) const FEATURES: FeatureSet = FeatureSet::of(&[
    Feature::MutableGlobal,
    Feature::SaturatingFloatToInt,
    Feature::SignExtension,
    Feature::MultiValue,
    Feature::BulkMemory,
    Feature::ReferenceTypes,
    Feature::Threads,
    Feature::ExtendedConst,
    Feature::MultiMemory,
]);

/// Refuses the tiers and levels that a compiler of a single pass does not have.
pub(crate) fn check(options: CompileOptions) -> Result<()> {
    match (options.tier, options.optimize) {
        (Tier::Baseline, None | Some(0)) => Ok(()),
        (Tier::Baseline, Some(level)) if level > 3 => {
            Err(Error::new(ErrorKind::InvalidInput, format!("optimize level {level} does not exist"))
                .with_hint("take 0: wasmer's single-pass compiler does not optimise"))
        }
        (tier, level) => {
            let asked = level.map_or_else(|| format!("the tier {tier}"), |level| format!("optimize level {level}"));
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("wasmer compiles in a single pass and does not have {asked}"),
            )
            .with_hint("leave it out, or take another engine"))
        }
    }
}

/// An engine that compiles, with this many threads.
pub(crate) fn compiling(threads: NonZero<usize>) -> Engine {
    let mut compiler = Singlepass::new();
    compiler
        .num_threads(threads)
        // Which NaN an operation yields is left open by the specification, and other engines do not canonicalize either.
        .canonicalize_nans(false)
        .allow_experimental_unaligned_memory_accesses(false)
        .callbacks(None);
    CompilerConfig::experimental_artifact(&mut compiler, false);
    EngineBuilder::new(compiler).set_target(Some(target())).set_features(Some(features())).engine().into()
}

/// An engine that loads artifacts and has no compiler.
pub(crate) fn loading() -> Engine {
    EngineBuilder::headless().set_target(Some(target())).engine().into()
}

/// Everything that changes the code that [`compiling`] makes.
pub(crate) fn fingerprint() -> String {
    let target = target();
    let cpu: Vec<String> = target.cpu_features().iter().map(|feature| feature.to_string()).collect();
    format!("wasmer {VERSION} {} singlepass cpu={} nan=as-is memory=static", target.triple(), cpu.join(","))
}

/// This machine.
fn target() -> Target {
    Target::new(wasmer::sys::Triple::host(), CpuFeature::for_host())
}

/// [`FEATURES`], as wasmer is told them.
fn features() -> Features {
    let mut features = Features::none();
    let has = |feature| FEATURES.contains(feature);
    features
        .bulk_memory(has(Feature::BulkMemory))
        .reference_types(has(Feature::ReferenceTypes))
        .multi_value(has(Feature::MultiValue))
        .threads(has(Feature::Threads))
        .extended_const(has(Feature::ExtendedConst))
        .multi_memory(has(Feature::MultiMemory))
        .simd(has(Feature::Simd));
    features
}
