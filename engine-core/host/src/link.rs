//! Matching what a module imports against what the host offers, before anything is started.

use crate::preview1::{Abi, Function};
use crate::refusals::harmless;
use std::fmt::Write as _;
use wasmrt_model::backend::ImportedFunction;
use wasmrt_model::module::{ExternType, Import};
use wasmrt_model::{Error, ErrorKind, FunctionType, ModuleInfo, Result};

/// The most wrong imports that a message lists.
const MAX_LISTED: usize = 50;

/// The functions that a module imports, in its own order.
///
/// # Errors
/// `MissingImports`, listing everything that the host does not offer, or not with that signature.
pub fn link(info: &ModuleInfo) -> Result<Vec<ImportedFunction>> {
    let mut linked = Vec::with_capacity(info.imports.len());
    let mut wrong = Vec::new();
    for import in &info.imports {
        match offered(import) {
            Ok(function) => linked.push(function),
            Err(why) => wrong.push(format!("{}.{}: {why}", harmless(&import.module), harmless(&import.name))),
        }
    }
    if wrong.is_empty() {
        return Ok(linked);
    }
    let mut message = match wrong.len() {
        1 => "the module imports something that is not offered".to_owned(),
        count => format!("the module imports {count} things that are not offered"),
    };
    for line in wrong.iter().take(MAX_LISTED) {
        // Writing to a String does not fail.
        let _ = write!(message, "\n  {line}");
    }
    if wrong.len() > MAX_LISTED {
        let _ = write!(message, "\n  and {} more", wrong.len() - MAX_LISTED);
    }
    Err(Error::new(ErrorKind::MissingImports, message).with_operation("link").with_hint(hint(info)))
}

fn hint(info: &ModuleInfo) -> String {
    let offered = Abi::MODULES.map(|(name, _)| name).join(" and ");
    let browser = info.imports.iter().any(|import| import.module == "wbg" || import.module.contains("bindgen"));
    let emscripten = info.imports.iter().any(|import| import.module == "env" && import.name.starts_with("emscripten_"));
    let why = if browser {
        ": this module was built for JavaScript (wasm-bindgen); build it for a WASI target such as wasm32-wasip1"
    } else if emscripten {
        ": this module was built by Emscripten for JavaScript; build it with wasi-sdk, or with -sSTANDALONE_WASM"
    } else {
        ""
    };
    format!("the modules offered are {offered}{why}")
}

fn offered(import: &Import) -> Result<ImportedFunction, String> {
    let ExternType::Function(wanted) = &import.extern_type else {
        return Err(format!("wanted {}; only functions are offered", import.extern_type));
    };
    let abi = Abi::of_module(&import.module);
    let forms: Vec<FunctionType> = abi
        .into_iter()
        .flat_map(|abi| Function::of_name(abi, &import.name))
        .map(|function| FunctionType::new(function.params(), function.results()))
        .collect();
    if forms.is_empty() {
        return Err(format!("wanted func {wanted}"));
    }
    if !forms.contains(wanted) {
        let forms: Vec<String> = forms.iter().map(|form| format!("func {form}")).collect();
        return Err(format!("wanted func {wanted}, offered is {}", forms.join(" or ")));
    }
    let signature = wanted.clone();
    Ok(ImportedFunction { module: import.module.clone(), name: import.name.clone(), signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmrt_model::ValueType::{I32, I64};
    use wasmrt_model::module::Size;

    fn import(module: &str, name: &str, extern_type: ExternType) -> Import {
        Import { module: module.to_owned(), name: name.to_owned(), extern_type }
    }

    fn function(params: &[wasmrt_model::ValueType], results: &[wasmrt_model::ValueType]) -> ExternType {
        ExternType::Function(FunctionType::new(params, results))
    }

    fn module(imports: Vec<Import>) -> ModuleInfo {
        ModuleInfo { imports, ..ModuleInfo::default() }
    }

    #[test]
    fn what_is_offered_is_linked_in_order() {
        let info = module(vec![
            import("wasi_unstable", "proc_exit", function(&[I32], &[])),
            import("wasi_snapshot_preview1", "fd_seek", function(&[I32, I64, I32, I32], &[I32])),
            import("wasi_snapshot_preview1", "sock_accept", function(&[I32, I32, I32], &[I32])),
        ]);
        let linked = link(&info).unwrap();
        let names: Vec<_> = linked.iter().map(|function| (function.module.as_str(), function.name.as_str())).collect();
        assert_eq!(
            names,
            [
                ("wasi_unstable", "proc_exit"),
                ("wasi_snapshot_preview1", "fd_seek"),
                ("wasi_snapshot_preview1", "sock_accept")
            ]
        );
    }

    #[test]
    fn both_versions_are_complete() {
        let count =
            |abi| Function::ALL.iter().filter(|f| Function::of_name(abi, f.name()).any(|found| found == **f)).count();
        // 46 of preview1, and 15 of WasmEdge.
        assert_eq!(count(Abi::Snapshot1), 61);
        assert_eq!(count(Abi::Unstable), 45);
    }

    #[test]
    fn names_do_nothing_to_a_terminal_and_do_not_flood_it() {
        let long = "x".repeat(100_000);
        let info = module(vec![import("env\u{1b}[2J", &long, function(&[], &[]))]);
        let text = link(&info).unwrap_err().to_string();
        assert!(!text.contains('\u{1b}') && text.contains("env") && text.len() < 1000, "{text}");
    }

    #[test]
    fn everything_wrong_is_listed_at_once() {
        let info = module(vec![
            import("env", "helper", function(&[I32], &[I32])),
            import("wasi_snapshot_preview1", "fd_write", function(&[I32, I32], &[I32])),
            import("wasi_snapshot_preview1", "fd_wrote", function(&[], &[])),
            import("wasi_unstable", "sock_accept", function(&[I32, I32, I32], &[I32])),
            import("env", "memory", ExternType::Memory(Size { minimum: 1, maximum: None })),
            import("wasi_snapshot_preview1", "args_get", function(&[I32, I32], &[I32])),
        ]);
        let error = link(&info).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingImports);
        let text = error.to_string();
        for part in [
            "env.helper",
            "wasi_snapshot_preview1.fd_write",
            "(i32, i32, i32, i32) -> i32",
            "fd_wrote",
            "wasi_unstable.sock_accept",
            "env.memory",
            "memory 1..",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("args_get"));
    }
}
