//! Modules in text, and what the guard would know of them.

use wasmparser::{CompositeInnerType, Parser, Payload, TypeRef, ValType};
use wasmrt_model::backend::ImportedFunction;
use wasmrt_model::module::Size;
use wasmrt_model::{FunctionType, ModuleInfo, ValueType};

/// A module with what an engine is told of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The module.
    pub bytes: Vec<u8>,
    /// Its memories and tables.
    pub info: ModuleInfo,
    /// Its imports, all of which are functions.
    pub imports: Vec<ImportedFunction>,
}

/// The binary form of a module in text.
///
/// # Panics
/// When the text is wrong.
#[must_use]
pub fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the guest's text is right")
}

/// A module in text, with what the guard would know of it.
///
/// # Panics
/// When the text is wrong, or something but functions is imported.
#[must_use]
pub fn prepare(text: &str) -> Prepared {
    let bytes = wasm(text);
    let mut info = ModuleInfo::default();
    let mut imports = Vec::new();
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::TypeSection(section) => {
                for group in section {
                    types.extend(group.unwrap().into_types().map(|sub_type| signature(&sub_type.composite_type.inner)));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    let TypeRef::Func(index) = import.ty else { panic!("only functions are imported") };
                    imports.push(ImportedFunction {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        signature: types[usize::try_from(index).unwrap()].clone(),
                    });
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.unwrap().ty;
                    info.tables.push(Size { minimum: table.initial, maximum: table.maximum });
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.unwrap();
                    info.memories.push(Size { minimum: memory.initial, maximum: memory.maximum });
                }
            }
            _ => {}
        }
    }
    Prepared { bytes, info, imports }
}

/// Of what is no function, a type with nothing in it, so that indices fit.
fn signature(inner: &CompositeInnerType) -> FunctionType {
    let values = |types: &[ValType]| types.iter().map(|value| value_type(*value)).collect();
    match inner {
        CompositeInnerType::Func(function) => {
            FunctionType { params: values(function.params()), results: values(function.results()) }
        }
        _ => FunctionType::default(),
    }
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
