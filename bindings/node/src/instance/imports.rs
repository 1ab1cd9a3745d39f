//! What users offer to a guest, as the JavaScript half writes it, and as functions that go to JavaScript.

use crate::bridge::{self, Hop, HostFunction};
use serde::Deserialize;
use std::sync::Arc;
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{Error, ErrorKind, FunctionType, ModuleInfo, Result, ValueType};
use wasmrt_runtime::{Imports, Runtime};

/// Everything that is offered, functions by their number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    functions: Vec<Function>,
    memories: Vec<Memory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    module: String,
    name: String,
    /// None: the types that the module imports it with.
    types: Option<FunctionType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    module: String,
    name: String,
    pages: u64,
}

pub(super) fn read(json: &str) -> Result<Asked> {
    serde_json::from_str(json).map_err(|source| {
        Error::new(
            ErrorKind::InvalidInput,
            "imports are functions, { params, results, call } or { memory: pages }, by module and name",
        )
        .with_source(source)
    })
}

pub(super) fn offer(runtime: &Runtime, asked: &Asked, module: &[u8], hop: &Arc<Hop>) -> Result<Imports> {
    // Read only where it is needed: for functions that come without types.
    let info = match asked.functions.iter().any(|function| function.types.is_none()) {
        true => runtime.describe(module)?,
        false => ModuleInfo::default(),
    };
    let mut imports = Imports::new();
    for (index, Function { module, name, types }) in (0u32..).zip(&asked.functions) {
        let types = match types.clone().or_else(|| imported(&info, module, name)) {
            Some(types) => types,
            // The module does not import it, so nothing calls it.
            None => FunctionType::new(&[], &[] as &[ValueType]),
        };
        let host = HostFunction {
            index,
            name: format!("{module}.{name}"),
            results: types.results.clone(),
            hop: Arc::clone(hop),
        };
        imports = imports.function(module, name, types, move |caller, args| bridge::call_host(&host, caller, args));
    }
    for Memory { module, name, pages } in &asked.memories {
        imports = imports.memory(module, name, *pages);
    }
    Ok(imports)
}

fn imported(info: &ModuleInfo, module: &str, name: &str) -> Option<FunctionType> {
    info.imports.iter().find(|import| import.module == module && import.name == name).and_then(|import| {
        match &import.extern_type {
            ExternType::Function(types) => Some(types.clone()),
            _ => None,
        }
    })
}
