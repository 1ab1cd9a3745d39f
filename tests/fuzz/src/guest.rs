//! Valid modules from fuzz bytes, and the calls that are made of them.

use crate::digest::Stream;
use crate::host;
use arbitrary::{Result, Unstructured};
use std::convert::Infallible;
use std::sync::OnceLock;
use wasm_encoder::reencode::{Error as ReencodeError, Reencode, utils};
use wasm_encoder::{ExportKind, ExportSection};
use wasm_smith::{Config, MemoryOffsetChoices, Module};
use wasmrt_guard::{GuardOptions, Metering};
use wasmrt_model::module::{ExternType, ModuleInfo};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{FeatureSet, Limit, Limits, Value, ValueType};

/// The calls that are made of a guest at most.
const CALLS: usize = 6;

/// A module, the limits that it gets, and what decides everything else.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The module as the guard gets it.
    pub wasm: Vec<u8>,
    /// Bytes that its memories may have together.
    pub memory_bytes: u64,
    /// Elements that its tables may have together.
    pub table_elements: u64,
    /// Whether its code looks at a flag.
    pub interruption: bool,
    /// Whether it may compute with floats.
    pub(crate) floats: bool,
    /// Arguments, limits to be tried, and so on.
    pub(crate) seed: u64,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) export: String,
    pub(crate) args: Vec<Value>,
}

/// The guest that these bytes stand for.
pub(crate) fn guest(data: &[u8]) -> Result<Guest> {
    let mut u = Unstructured::new(data);
    let seed = u.arbitrary()?;
    let mut choices = Stream::new(u.arbitrary()?);
    let memory_bytes = if choices.one_in(2) { 24 << 16 } else { choices.below(20 << 16) };
    let table_elements = if choices.one_in(2) { 10_000 } else { choices.below(300) };
    let interruption = choices.one_in(4);
    let config = config(&mut choices);
    let floats = config.allow_floats;
    let wasm = with_memory(&Module::new(config, &mut u)?.to_bytes())?;
    Ok(Guest { wasm, memory_bytes, table_elements, interruption, floats, seed })
}

/// What a module may consist of. Most keep to what every engine has.
fn config(choices: &mut Stream) -> Config {
    let mut small = |least: u64, most: u64| usize::try_from(least + choices.below(most - least + 1)).unwrap_or(1);
    let max_memories = small(0, 3);
    let max_tables = small(0, 3);
    let base = Config {
        available_imports: Some(offered().to_vec()),
        // Which NaN comes out is left open; without this, any program that looks at the bits may go its own way on each engine.
        canonicalize_nans: true,
        export_everything: true,
        max_data_segments: small(0, 6),
        max_element_segments: small(0, 6),
        max_elements: small(1, 20),
        // Imports are counted too.
        max_funcs: small(12, 24),
        min_funcs: small(1, 4),
        max_globals: small(0, 10),
        max_imports: 9,
        max_instructions: [20, 60, 150, 400][small(0, 3)],
        max_memories,
        max_memory32_bytes: 12 << 16,
        max_memory64_bytes: 12 << 16,
        max_nesting_depth: small(2, 10),
        max_table_elements: 200,
        max_tables,
        max_tags: 3,
        max_types: small(4, 16),
        max_type_size: 10_000,
        // Without a type there is no function.
        min_types: 2,
        min_memories: u32::try_from(small(0, 1).min(max_memories)).unwrap_or(0),
        min_tables: u32::try_from(small(0, 1).min(max_tables)).unwrap_or(0),
        ..Config::default()
    };
    let wide = choices.one_in(4);
    let mut maybe = |of: u64| choices.one_in(of);
    Config {
        allow_floats: !maybe(4),
        disallow_traps: maybe(2),
        bulk_memory_enabled: !maybe(8),
        extended_const_enabled: !maybe(4),
        generate_custom_sections: maybe(8),
        memory_max_size_required: maybe(4),
        memory_offset_choices: if maybe(2) { MemoryOffsetChoices(1, 0, 0) } else { MemoryOffsetChoices::default() },
        min_uleb_size: if maybe(8) { 5 } else { 1 },
        multi_value_enabled: true,
        reference_types_enabled: !maybe(8),
        saturating_float_to_int_enabled: !maybe(8),
        sign_extension_ops_enabled: !maybe(8),
        simd_enabled: maybe(3),
        // Its results differ between engines by design.
        relaxed_simd_enabled: false,
        table_max_size_required: maybe(4),
        tail_call_enabled: maybe(2),
        // A quarter of the memories will be shared, and the guard refuses those.
        threads_enabled: maybe(6),
        exceptions_enabled: wide && maybe(2),
        gc_enabled: wide && maybe(2),
        memory64_enabled: wide && maybe(2),
        custom_page_sizes_enabled: wide && maybe(2),
        wide_arithmetic_enabled: wide && maybe(2),
        ..base
    }
}

fn offered() -> &'static [u8] {
    static OFFERED: OnceLock<Vec<u8>> = OnceLock::new();
    OFFERED.get_or_init(|| wat::parse_str(host::OFFERED).unwrap_or_default())
}

/// The module with its first memory exported under the name by which hosts find it.
fn with_memory(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    let named = Named { done: false }.parse_core_module(&mut module, wasmparser::Parser::new(0), wasm);
    named.map_err(|_| arbitrary::Error::IncorrectFormat)?;
    Ok(module.finish())
}

struct Named {
    done: bool,
}

impl Reencode for Named {
    type Error = Infallible;

    fn parse_export(
        &mut self,
        exports: &mut ExportSection,
        export: wasmparser::Export<'_>,
    ) -> std::result::Result<(), ReencodeError> {
        if export.kind == wasmparser::ExternalKind::Memory && !self.done {
            self.done = true;
            exports.export("memory", ExportKind::Memory, export.index);
            return Ok(());
        }
        utils::parse_export(self, exports, export)
    }
}

impl Guest {
    /// A module of which every call is made that this number stands for.
    ///
    /// # Errors
    /// The text's, when it is one.
    pub fn new(module: &[u8], seed: u64) -> std::result::Result<Self, wat::Error> {
        let wasm = wat::parse_bytes(module)?.into_owned();
        Ok(Self { wasm, memory_bytes: 24 << 16, table_elements: 10_000, interruption: false, floats: true, seed })
    }

    /// Every meter.
    pub(crate) fn metered(&self) -> Option<Metering> {
        Some(Metering { fuel: true, call_depth: true, interruption: self.interruption })
    }

    /// No meter, or now and then all but fuel.
    pub(crate) fn unmetered(&self) -> Option<Metering> {
        self.seed.is_multiple_of(4).then_some(Metering { fuel: false, call_depth: true, interruption: true })
    }

    /// What the guard is told.
    pub(crate) fn options(&self, features: FeatureSet, metering: Option<Metering>) -> GuardOptions {
        let mut options = GuardOptions::new(features, &Limits::UNLIMITED);
        options.memory_bytes = Limit::At(Bytes(self.memory_bytes));
        options.table_elements = Limit::At(Count(self.table_elements));
        options.metering = metering;
        options
    }

    /// The calls that are made, one after the other.
    pub(crate) fn calls(&self, info: &ModuleInfo) -> Vec<Call> {
        let mut choices = Stream::new(self.seed);
        let mut callable: Vec<_> = info
            .exports
            .iter()
            .filter_map(|export| match &export.extern_type {
                ExternType::Function(signature)
                    if signature.params.iter().chain(&signature.results).copied().all(is_number) =>
                {
                    Some((&export.name, signature))
                }
                _ => None,
            })
            .collect();
        let mut calls = Vec::new();
        while calls.len() < CALLS && !callable.is_empty() {
            let index = usize::try_from(choices.below(u64::try_from(callable.len()).unwrap_or(1))).unwrap_or(0);
            // Now and then a function is called more than once.
            let (export, signature) = if choices.one_in(4) { callable[index] } else { callable.swap_remove(index) };
            let args = signature.params.iter().filter_map(|value_type| Value::from_bits(*value_type, choices.edgy()));
            calls.push(Call { export: export.clone(), args: args.collect() });
        }
        calls
    }
}

fn is_number(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::I32 | ValueType::I64 | ValueType::F32 | ValueType::F64)
}
