//! The way of a module through the guard: look, refuse, validate, bound, rewrite.

use crate::adopt::{Adopted, adopt};
use crate::binary::Edits;
use crate::bounds::{self, Bound};
use crate::code::code_section;
use crate::component;
use crate::grow::{Ends, Growers};
use crate::info::module_info;
use crate::meter::calls::Calls;
use crate::meter::rewrite::Rules;
use crate::meter::scan::Module;
use crate::meter::{self, Globals};
use crate::outline::{Outline, id};
use crate::refusal::{Refusal, Result};
use crate::sniff::{Kind, sniff};
use crate::validate::{Validated, validate};
use crate::{GuardOptions, Metering, Meters, StructureCaps};
use wasmrt_model::units::Bytes;
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet, Limit, ModuleInfo};

/// A module that may be given to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedModule {
    bytes: Vec<u8>,
    info: ModuleInfo,
    meters: Option<Meters>,
}

impl PreparedModule {
    /// The module as the engine gets it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The module as the engine gets it, for keeps.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The facts about the guest's own module, without what was injected; memories and tables with the maxima that hold.
    #[must_use]
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// How the runtime sets and reads the meters; None when nothing is metered.
    #[must_use]
    pub fn meters(&self) -> Option<&Meters> {
        self.meters.as_ref()
    }
}

/// Makes a module ready for an engine: checks it, bounds it, and strips and rewrites what has to be.
///
/// What comes out needs the features that the module needs, behaves as the module does within the limits, and cannot reach what was
/// injected. In components each module is bounded by itself, and nothing is metered. Imported memories that are offered as its own are no imports any more. A module that needs no change comes out byte by byte as it went in.
///
/// # Errors
/// `NotWasm` for anything else than a module or component, by name; `InvalidModule` with the offset; `LimitExceeded` with what, how much and
/// the bound; `MissingImports` when memories are offered, but not all that it imports; `Unsupported` for components that the engine does not run, shared memories, and features that `options` does not have ([`Refusal::missing_features`]).
pub fn prepare(bytes: &[u8], options: &GuardOptions) -> Result<PreparedModule> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if Limit::At(Bytes(length)).exceeds(options.module_bytes) {
        return Err(Refusal::above("bytes of module", Bytes(length), options.module_bytes));
    }
    if options.components && sniff(bytes) == Kind::Component {
        let (bytes, info) = component::prepare(bytes, options)?;
        return Ok(PreparedModule { bytes, info, meters: None });
    }
    let (mut outline, validated) = read(bytes, &options.caps)?;
    let missing = validated.features.difference(options.features);
    if !missing.is_empty() {
        return Err(Refusal::missing(missing));
    }
    let mut edits = Edits::default();
    let adopted = adopt(&mut outline, &options.own_memories, &mut edits)?;
    let memories = bounds::memories(&outline.memories, options.memory_bytes)?;
    let tables = bounds::tables(&outline.tables, options.table_elements)?;
    let info = module_info(&outline, &validated, &memories, &tables, adopted)?;

    if memories.lowered || adopted == Adopted::Memories {
        edits.replace(id::MEMORY, bounds::memory_section(&outline, &memories));
    }
    if tables.lowered {
        edits.replace(id::TABLE, bounds::table_section(&outline, &tables)?);
    }
    let meters = inject(&outline, &validated, &memories, &tables, options, &mut edits)?;
    Ok(PreparedModule { bytes: edits.apply(&outline)?, info, meters })
}

/// Injects what the options and bounds ask for, if anything.
fn inject(
    outline: &Outline<'_>,
    validated: &Validated,
    memories: &Bound,
    tables: &Bound,
    options: &GuardOptions,
    edits: &mut Edits,
) -> Result<Option<Meters>> {
    let types = validated.types.as_ref();
    let mut ends = Ends {
        types: types.core_type_count_in_module(),
        functions: types.function_count(),
        globals: types.global_count(),
    };
    let (mut meters, mut globals) = (None, Globals::default());
    if let Some(metering) = options.metering.filter(|metering| *metering != Metering::default()) {
        // The runtime sets the meters through exported mutable globals.
        if !options.features.contains(Feature::MutableGlobal) {
            return Err(Refusal::missing(FeatureSet::of(&[Feature::MutableGlobal])));
        }
        let injected = meter::inject(metering, outline, &mut ends, edits)?;
        (meters, globals) = (Some(injected.0), injected.1);
    }
    // Without code nothing grows and nothing is spent.
    if outline.bodies.is_empty() {
        return Ok(meters);
    }
    let growers = Growers::inject(outline, memories, tables, &mut ends, edits)?;
    if meters.is_some() || !growers.is_empty() {
        let bodies = u32::try_from(outline.bodies.len()).unwrap_or(u32::MAX);
        let imported_functions = types.function_count().saturating_sub(bodies);
        let calls = match globals.fuel {
            Some(_) => Calls::read(outline, types, validated.features, imported_functions)?,
            None => Calls::default(),
        };
        let module = Module { outline, types, imported_functions };
        let rules = Rules { globals, calls: &calls, growers: &growers, module };
        edits.replace(id::CODE, code_section(&rules, &options.caps)?);
    }
    Ok(meters)
}

/// What a module says of itself, whatever features it needs and however much it may use.
///
/// # Errors
/// As [`prepare`], except that no feature is missing and no limit holds but the caps.
pub fn inspect(bytes: &[u8], caps: &StructureCaps) -> Result<ModuleInfo> {
    if sniff(bytes) == Kind::Component {
        return component::inspect(bytes, caps);
    }
    let (outline, validated) = read(bytes, caps)?;
    let memories: Bound = bounds::memories(&outline.memories, Limit::Unlimited)?;
    let tables = bounds::tables(&outline.tables, Limit::Unlimited)?;
    module_info(&outline, &validated, &memories, &tables, Adopted::Nothing)
}

fn read<'a>(bytes: &'a [u8], caps: &StructureCaps) -> Result<(Outline<'a>, Validated)> {
    match sniff(bytes) {
        Kind::CoreModule => {}
        Kind::Component => return Err(Refusal::component()),
        kind => return Err(not_wasm(kind)),
    }
    let outline = Outline::read(bytes, caps)?;
    let validated = validate(&outline, caps)?;
    Ok((outline, validated))
}

fn not_wasm(kind: Kind) -> Refusal {
    let error = Error::new(ErrorKind::NotWasm, format!("this is {kind}, not a WebAssembly module"));
    let hint = match kind {
        Kind::Elf | Kind::MachO | Kind::WindowsExecutable | Kind::Script => {
            "a program has to be built for a WebAssembly target such as wasm32-wasip1"
        }
        Kind::WasmtimeArtifact => "native code is made and kept by the cache; give the module that it was made of",
        Kind::Text => "translate it into the binary format first",
        Kind::Truncated | Kind::Empty => "the file may not have been written or copied completely",
        Kind::LlvmBitcode => "link it into a module first",
        Kind::Archive => "unpack it first",
        _ => return error.into(),
    };
    error.with_hint(hint).into()
}
