//! What a validated module says of itself, in the model's words.

use crate::adopt::Adopted;
use crate::bounds::Bound;
use crate::outline::{Outline, id};
use crate::refusal::Result;
use crate::validate::Validated;
use wasmparser::types::{CoreTypeId, TypesRef};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, ValType};
use wasmrt_model::module::{Export, ExternType, Import, ModuleInfo, Size};
use wasmrt_model::{FunctionType, ValueType};

/// The facts about the guest's own module. `memories` and `tables` are the bounds under which the engine will see them.
pub(crate) fn module_info(
    outline: &Outline<'_>,
    validated: &Validated,
    memories: &Bound,
    tables: &Bound,
    adopted: Adopted,
) -> Result<ModuleInfo> {
    let types = Types { types: validated.types.as_ref(), outline, memories, tables };
    let mut info = ModuleInfo {
        functions: u32::try_from(outline.bodies.len()).unwrap_or(u32::MAX),
        has_start: outline.section(id::START).is_some(),
        features: validated.features,
        ..ModuleInfo::default()
    };
    for (memory, index) in outline.memories.iter().zip(0..) {
        if !memory.imported {
            info.memories.push(types.memory(index));
        }
    }
    for (table, index) in outline.tables.iter().zip(0..) {
        if !table.imported {
            info.tables.push(types.table(index));
        }
    }
    // Code is stepped over once more here, which costs nothing: only section headers are read.
    for payload in Parser::new(0).parse_all(outline.bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                let mut next = Counts::default();
                for import in section.into_imports() {
                    let import = import?;
                    let extern_type = next.take(import.ty, &types);
                    if adopted == Adopted::Memories && matches!(extern_type, ExternType::Memory(_)) {
                        continue;
                    }
                    info.imports.push(Import {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        extern_type,
                    });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let extern_type = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => types.function(export.index),
                        ExternalKind::Table => ExternType::Table(types.table(export.index)),
                        ExternalKind::Memory => ExternType::Memory(types.memory(export.index)),
                        ExternalKind::Global => types.global(export.index),
                        ExternalKind::Tag => ExternType::Tag,
                    };
                    info.exports.push(Export { name: export.name.to_owned(), extern_type });
                }
            }
            // Imports and exports both come before code.
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Ok(info)
}

/// The next index of each kind of import.
#[derive(Default)]
struct Counts {
    functions: u32,
    tables: u32,
    memories: u32,
    globals: u32,
}

impl Counts {
    fn take(&mut self, type_ref: TypeRef, types: &Types<'_>) -> ExternType {
        let next = |count: &mut u32| {
            *count += 1;
            *count - 1
        };
        match type_ref {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => types.function(next(&mut self.functions)),
            TypeRef::Table(_) => ExternType::Table(types.table(next(&mut self.tables))),
            TypeRef::Memory(_) => ExternType::Memory(types.memory(next(&mut self.memories))),
            TypeRef::Global(_) => types.global(next(&mut self.globals)),
            TypeRef::Tag(_) => ExternType::Tag,
        }
    }
}

/// What the indices of a valid module mean.
struct Types<'a> {
    types: TypesRef<'a>,
    outline: &'a Outline<'a>,
    memories: &'a Bound,
    tables: &'a Bound,
}

impl Types<'_> {
    fn function(&self, index: u32) -> ExternType {
        ExternType::Function(function_type(self.types, self.types.core_function_at(index)))
    }

    fn memory(&self, index: u32) -> Size {
        let memory = usize::try_from(index).ok().and_then(|index| self.outline.memories.get(index));
        Size { minimum: memory.map_or(0, |memory| memory.memory_type.initial), maximum: maximum(self.memories, index) }
    }

    fn table(&self, index: u32) -> Size {
        Size { minimum: self.types.table_at(index).initial, maximum: maximum(self.tables, index) }
    }

    fn global(&self, index: u32) -> ExternType {
        let global = self.types.global_at(index);
        ExternType::Global { content: global.content_type.to_string(), mutable: global.mutable }
    }
}

fn maximum(bound: &Bound, index: u32) -> Option<u64> {
    usize::try_from(index).ok().and_then(|index| bound.maxima.get(index)).copied().flatten()
}

fn function_type(types: TypesRef<'_>, id: CoreTypeId) -> FunctionType {
    let signature = types[id].unwrap_func();
    let values = |values: &[ValType]| values.iter().map(|value| value_type(*value)).collect();
    FunctionType { params: values(signature.params()), results: values(signature.results()) }
}

fn value_type(value: ValType) -> ValueType {
    match value {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(_) => ValueType::Ref,
    }
}
