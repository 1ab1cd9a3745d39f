//! WebAssembly functions between a guest and the host, for guests whose tail calls may lead to the host.
//!
//! The interpreter of WasmEdge 0.14 does not come back from a tail call of a host function as it should: it goes on one instruction too early.
//! In the middle of a guest that is the call over again; in a function that was called from outside it is the end of a function that has been left
//! already, and the process crashes. Which function a tail call leads to is not known before it happens (tables, references), so such a guest
//! gets, in place of each function of the host, one of WebAssembly that calls it. Nothing else tells them apart, but that a start section which calls
//! the host runs before the instance is there to look for its memory in, and the caller that the host finds is the function in between.

use std::collections::{HashMap, HashSet};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, Module, TypeSection,
    ValType,
};
use wasmrt_model::backend::ImportedFunction;
use wasmrt_model::{Feature, FeatureSet, ValueType};

/// Whether a guest that needs these features can make tail calls.
pub(super) fn is_needed(features: FeatureSet) -> bool {
    // return_call_ref belongs to both.
    features.contains(Feature::TailCall) || features.contains(Feature::FunctionReferences)
}

/// A module name under which the host's functions do not get into a guest's way.
pub(super) fn hidden_name(imports: &[ImportedFunction]) -> String {
    let mut name = String::from("wasmrt:host");
    while imports.iter().any(|import| import.module == name) {
        name.push('\'');
    }
    name
}

/// The same imports under this module name, each by its number.
pub(super) fn hidden(imports: &[ImportedFunction], name: &str) -> Vec<ImportedFunction> {
    let hide = |(index, import): (usize, &ImportedFunction)| ImportedFunction {
        module: name.to_owned(),
        name: index.to_string(),
        signature: import.signature.clone(),
    };
    imports.iter().enumerate().map(hide).collect()
}

/// For each module that the guest imports from, its name and a module that offers the functions and calls the hidden ones. None when a signature
/// has types that cannot cross.
pub(super) fn modules<'a>(imports: &'a [ImportedFunction], hidden_name: &str) -> Option<Vec<(&'a str, Vec<u8>)>> {
    let mut seen = HashSet::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut parts: Vec<(&str, Vec<(usize, &ImportedFunction)>)> = Vec::new();
    for (index, import) in imports.iter().enumerate() {
        if !seen.insert((&import.module, &import.name)) {
            // Imported twice: the first one answers for both.
            continue;
        }
        let place = *places.entry(&import.module).or_insert_with(|| {
            parts.push((&import.module, Vec::new()));
            parts.len() - 1
        });
        if let Some((_, functions)) = parts.get_mut(place) {
            functions.push((index, import));
        }
    }
    parts.into_iter().map(|(name, functions)| Some((name, module(&functions, hidden_name)?))).collect()
}

fn module(functions: &[(usize, &ImportedFunction)], hidden_name: &str) -> Option<Vec<u8>> {
    let (mut types, mut imports, mut defined) = (TypeSection::new(), ImportSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    let count = u32::try_from(functions.len()).ok()?;
    for (own, (index, function)) in (0..count).zip(functions) {
        let numbers =
            |types: &[ValueType]| types.iter().map(|value_type| number(*value_type)).collect::<Option<Vec<_>>>();
        let params = numbers(&function.signature.params)?;
        let arity = u32::try_from(params.len()).ok()?;
        types.ty().function(params, numbers(&function.signature.results)?);
        imports.import(hidden_name, &index.to_string(), EntityType::Function(own));
        defined.function(own);
        exports.export(&function.name, ExportKind::Func, count + own);
        let mut body = Function::new([]);
        let mut instructions = body.instructions();
        for param in 0..arity {
            instructions.local_get(param);
        }
        instructions.call(own).end();
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&defined).section(&exports).section(&code);
    Some(module.finish())
}

fn number(value_type: ValueType) -> Option<ValType> {
    match value_type {
        ValueType::I32 => Some(ValType::I32),
        ValueType::I64 => Some(ValType::I64),
        ValueType::F32 => Some(ValType::F32),
        ValueType::F64 => Some(ValType::F64),
        _ => None,
    }
}
