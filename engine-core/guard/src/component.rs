//! Components: the same bounds as for core modules, on every module that lies in one.
//!
//! A component is a tree of components and core modules. Each module is checked and its maxima are lowered by itself; the sum over
//! all instances is the engine's to keep, since only it knows how often a module is instantiated. Nothing is metered here: one
//! engine runs components, and there is nothing that its own counting would have to agree with.

use crate::binary::Edits;
use crate::bounds;
use crate::caps::check;
use crate::features::{every, validator_flags};
use crate::outline::{Outline, id};
use crate::refusal::{Refusal, Result};
use crate::validate::{beyond_all_features, validate};
use crate::{GuardOptions, StructureCaps};
use wasm_encoder::Encode;
use wasmparser::{BinaryReader, Parser, Payload, Validator, WasmFeatures};
use wasmrt_model::module::{ComponentInfo, ModuleInfo};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{Feature, FeatureSet, Limit};

/// Section numbers of a component that are looked into.
mod section {
    pub(super) const CUSTOM: u8 = 0;
    pub(super) const CORE_MODULE: u8 = 1;
    pub(super) const COMPONENT: u8 = 4;
}

/// The custom section in which WasmEdge looks for native code to execute.
const NATIVE_CODE: &str = "wasmedge";

/// Magic number, version and layer.
const HEADER_BYTES: usize = 8;

/// What is checked and bounded on every level.
struct Bounds<'a> {
    memory_bytes: Limit<Bytes>,
    table_elements: Limit<Count>,
    caps: &'a StructureCaps,
}

/// What is known of the modules so far.
#[derive(Default)]
struct Seen {
    features: FeatureSet,
    functions: u32,
    modules: u32,
}

/// Checks and rewrites a component.
pub(crate) fn prepare(bytes: &[u8], options: &GuardOptions) -> Result<(Vec<u8>, ModuleInfo)> {
    let bounds =
        Bounds { memory_bytes: options.memory_bytes, table_elements: options.table_elements, caps: &options.caps };
    let (bytes, info) = read(bytes, &bounds)?;
    let missing = info.features.without(Feature::ComponentModel).difference(options.features);
    if !missing.is_empty() {
        return Err(Refusal::missing(missing));
    }
    Ok((bytes, info))
}

/// What a component says of itself.
pub(crate) fn inspect(bytes: &[u8], caps: &StructureCaps) -> Result<ModuleInfo> {
    let bounds = Bounds { memory_bytes: Limit::Unlimited, table_elements: Limit::Unlimited, caps };
    read(bytes, &bounds).map(|(_, info)| info)
}

fn read(bytes: &[u8], bounds: &Bounds<'_>) -> Result<(Vec<u8>, ModuleInfo)> {
    let mut component = outline(bytes, bounds.caps)?;
    let mut seen = Seen::default();
    let prepared = rewrite(bytes, 0, bounds, &mut seen)?;
    component.modules = seen.modules;
    let info = ModuleInfo {
        functions: seen.functions,
        features: seen.features.with(Feature::ComponentModel),
        component: Some(component),
        ..ModuleInfo::default()
    };
    Ok((prepared, info))
}

/// Validates everything but function bodies, and how deep and wide the tree is.
fn outline(bytes: &[u8], caps: &StructureCaps) -> Result<ComponentInfo> {
    let flags = validator_flags(every()).union(WasmFeatures::COMPONENT_MODEL);
    let valid_with = |flags| {
        let mut parser = Parser::new(0);
        parser.set_features(flags);
        let mut validator = Validator::new_with_features(flags);
        parser.parse_all(bytes).try_for_each(|payload| validator.payload(&payload?).map(drop))
    };
    // Shape first: the validator is not to be led into depths that nobody has.
    let info = shape(bytes, caps)?;
    match valid_with(flags) {
        Ok(()) => Ok(info),
        Err(error) => Err(beyond_all_features(error, &mut || valid_with(WasmFeatures::all()).is_ok())),
    }
}

fn shape(bytes: &[u8], caps: &StructureCaps) -> Result<ComponentInfo> {
    let mut info = ComponentInfo::default();
    let (mut depth, mut parts, mut customs) = (0u32, 0u32, 0u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => {
                depth += 1;
                parts += 1;
                check("components within components", depth, caps.component_depth)?;
                check("modules and components in the component", parts, caps.component_parts)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(_) => {
                customs += 1;
                check("custom sections", customs, caps.custom_sections)?;
            }
            Payload::ComponentImportSection(imports) => {
                check("imports", imports.count(), caps.imports)?;
                for import in imports {
                    let import = import?;
                    if depth == 1 {
                        info.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                check("exports", exports.count(), caps.exports)?;
                for export in exports {
                    let export = export?;
                    if depth == 1 {
                        info.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(info)
}

/// Writes a valid component again: section by section as it was, but for the modules in it and what is stripped.
fn rewrite(bytes: &[u8], offset: usize, bounds: &Bounds<'_>, seen: &mut Seen) -> Result<Vec<u8>> {
    let mut output = Vec::with_capacity(bytes.len());
    output.extend_from_slice(bytes.get(..HEADER_BYTES).unwrap_or_default());
    let mut reader = BinaryReader::new(bytes.get(HEADER_BYTES..).unwrap_or_default(), offset + HEADER_BYTES);
    while !reader.eof() {
        let start = reader.original_position();
        let id = reader.read_u8()?;
        let size = usize::try_from(reader.read_var_u32()?).unwrap_or(usize::MAX);
        let content_start = reader.original_position();
        let content = reader.read_bytes(size)?;
        match id {
            section::CUSTOM if BinaryReader::new(content, content_start).read_string()? == NATIVE_CODE => {}
            section::CORE_MODULE => write(id, &module(content, content_start, bounds, seen)?, &mut output),
            section::COMPONENT => write(id, &rewrite(content, content_start, bounds, seen)?, &mut output),
            _ => {
                let end = reader.original_position();
                output.extend_from_slice(bytes.get(start - offset..end - offset).unwrap_or_default());
            }
        }
    }
    Ok(output)
}

fn write(id: u8, content: &[u8], output: &mut Vec<u8>) {
    output.push(id);
    content.encode(output);
}

/// A core module in a component, bounded as one by itself is. A lower maximum is a subtype of the old one, so what is linked stays linked.
fn module(bytes: &[u8], offset: usize, bounds: &Bounds<'_>, seen: &mut Seen) -> Result<Vec<u8>> {
    let place = |refusal: Refusal| {
        refusal.with_context("module", seen.modules).with_context("module_offset", format_args!("{offset:#x}"))
    };
    let outline = Outline::read(bytes, bounds.caps).map_err(place)?;
    let validated = validate(&outline, bounds.caps).map_err(place)?;
    let memories = bounds::memories(&outline.memories, bounds.memory_bytes).map_err(place)?;
    let tables = bounds::tables(&outline.tables, bounds.table_elements).map_err(place)?;
    let mut edits = Edits::default();
    if memories.lowered {
        edits.replace(id::MEMORY, bounds::memory_section(&outline, &memories));
    }
    if tables.lowered {
        edits.replace(id::TABLE, bounds::table_section(&outline, &tables)?);
    }
    let prepared = edits.apply(&outline)?;
    seen.modules = seen.modules.saturating_add(1);
    seen.functions = seen.functions.saturating_add(u32::try_from(outline.bodies.len()).unwrap_or(u32::MAX));
    seen.features = seen.features.union(validated.features);
    Ok(prepared)
}

#[cfg(test)]
mod tests;
