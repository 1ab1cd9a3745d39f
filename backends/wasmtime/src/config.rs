//! How wasmtime is configured: what it validates, how it compiles, what it reserves. Every choice is spelled out, so that
//! neither an environment variable nor a feature switched on by another crate changes it. Owns no engine.

use std::num::NonZeroUsize;
use wasmrt_backend::backtrace::MOST_FRAMES;
use wasmrt_model::backend::CompileOptions;
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet, Result, Tier};
use wasmtime::{Collector, Config, Inlining, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails};

/// The version of the wasmtime crate. The crate does not say it; a test compares this with the lock file.
pub(crate) const VERSION: &str = "48.0.8";

/// How much of the thread's stack guest code may use unless the embedder says otherwise.
///
/// Host functions run on the same stack below the guest. A worker's main thread has 8 MiB; half of it leaves the host plenty.
/// wasmtime's own default, 512 KiB, is less than a recursive-descent parser needs for deeply nested input.
pub(crate) const WASM_STACK_BYTES: usize = 4 << 20;

/// How much of the caller's stack a guest in the caller's process may use. With what host functions need it fits the 2 MiB that threads
/// of Rust programs have, and half of it is the usual share of a guest.
pub(crate) const IN_PROCESS_STACK_BYTES: usize = 1 << 20;

/// Address space per 32-bit memory. With all of it reserved and followed by a guard, generated code needs no bounds checks.
const MEMORY_RESERVATION: u64 = 4 << 30;
const MEMORY_GUARD: u64 = 32 << 20;

/// What [`apply_common`] makes wasmtime accept.
///
/// Not in it: legacy exceptions, which wasmtime does not have, and components, which are no feature of a module.
/// Threads means atomic instructions: shared memories are refused, since nothing here could share them.
pub(crate) const FEATURES: FeatureSet = FeatureSet::of(&[
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
    Feature::Memory64,
    Feature::Exceptions,
    Feature::FunctionReferences,
    Feature::Gc,
    Feature::CustomPageSizes,
    Feature::WideArithmetic,
]);

/// How hard Cranelift tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// No optimisation passes: `OptLevel::None`.
    Baseline,
    /// All of them: `OptLevel::Speed`.
    Optimized,
}

impl Effort {
    /// Level 0 is no optimisation; Cranelift has one level of it, so 1, 2 and 3 are the same. The level wins over the tier.
    pub(crate) fn of(options: CompileOptions) -> Result<Self> {
        match (options.tier, options.optimize) {
            (Tier::Baseline | Tier::Optimized, Some(0)) | (Tier::Baseline, None) => Ok(Self::Baseline),
            (Tier::Baseline | Tier::Optimized, Some(1..=3)) | (Tier::Optimized, None) => Ok(Self::Optimized),
            (Tier::Baseline | Tier::Optimized, Some(level)) => {
                Err(Error::new(ErrorKind::InvalidInput, format!("optimize level {level} does not exist"))
                    .with_hint("take 0, 1, 2 or 3"))
            }
            (tier, _) => {
                Err(Error::new(ErrorKind::Unsupported, format!("wasmtime does not compile for the tier {tier}"))
                    .with_hint("wasmtime has the tiers baseline and optimized"))
            }
        }
    }

    /// The name in fingerprints.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "none",
            Self::Optimized => "speed",
        }
    }
}

/// Where guests run, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stack that guests may use.
    pub(crate) stack: usize,
    /// Whether running code can be interrupted, by checks in it. A process of its own is killed instead.
    pub(crate) interruptible: bool,
}

/// For loading artifacts: no compiler is set up.
pub(crate) fn loading(place: Place) -> Config {
    let mut config = Config::new();
    apply_common(&mut config, place);
    config.enable_compiler(false);
    config
}

/// For compiling. `threads` says whether rayon's pool may be started.
pub(crate) fn compiling(place: Place, effort: Effort, threads: bool) -> Config {
    let mut config = Config::new();
    apply_common(&mut config, place);
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(match effort {
            Effort::Baseline => OptLevel::None,
            Effort::Optimized => OptLevel::Speed,
        })
        // The single-pass allocator would compile faster, but is not covered by wasmtime's security policy.
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        // Which NaN an operation yields is left open by the specification, and other engines do not canonicalize either:
        // paying for it here alone would make nothing equal.
        .cranelift_nan_canonicalization(false)
        .cranelift_debug_verifier(false)
        .compiler_inlining(Inlining::No)
        .parallel_compilation(threads);
    config
}

/// For loading artifacts of components.
pub(crate) fn loading_component(place: Place, fuel: bool) -> Config {
    let mut config = loading(place);
    apply_component(&mut config, fuel);
    config
}

/// For compiling components.
pub(crate) fn compiling_component(place: Place, effort: Effort, threads: bool, fuel: bool) -> Config {
    let mut config = compiling(place, effort, threads);
    apply_component(&mut config, fuel);
    config
}

/// Guests that are components count wasmtime's own fuel: no other engine runs them, so there is nothing to be equal to. Their calls
/// run on stacks that wasmtime makes, a mebibyte of which is the host's.
fn apply_component(config: &mut Config, fuel: bool) {
    config.wasm_component_model(true).consume_fuel(fuel);
}

/// What artifacts and the engine that loads them have to agree on, and what holds at run time.
fn apply_common(config: &mut Config, place: Place) {
    apply_features(config);
    config
        .collector(Collector::Copying)
        // Limits are enforced by injected code and by the worker's supervisor, the same way on every engine. In the caller's process
        // there is no supervisor: the deadline takes checks in the code.
        .consume_fuel(false)
        .epoch_interruption(place.interruptible)
        .concurrency_support(false)
        .max_wasm_stack(place.stack)
        // Not used, but wasmtime checks that it is the larger one.
        .async_stack_size(place.stack.saturating_add(1 << 20))
        .signals_based_traps(true)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(MEMORY_GUARD)
        .guard_before_linear_memory(true)
        .memory_may_move(true)
        .memory_init_cow(true)
        .table_lazy_init(true)
        // The default asks WASMTIME_BACKTRACE_DETAILS, and the host's environment must not steer. Source lines are not to be had
        // anyway: a prepared module's offsets are no longer those that its debug information speaks of.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(MOST_FRAMES))
        .generate_address_map(true)
        // Only native debuggers and profilers unwind through guest frames with it; registering it costs time at each load.
        .native_unwind_info(false)
        .debug_info(false)
        .debug_symbols(false);
}

fn apply_features(config: &mut Config) {
    config
        .wasm_multi_value(true)
        .wasm_bulk_memory(true)
        .wasm_reference_types(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        // One result on every machine, whatever its CPU would do fastest.
        .relaxed_simd_deterministic(true)
        .wasm_threads(true)
        .shared_memory(false)
        .wasm_shared_everything_threads(false)
        .wasm_tail_call(true)
        .wasm_extended_const(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .wasm_stack_switching(false)
        .wasm_component_model(false);
}
