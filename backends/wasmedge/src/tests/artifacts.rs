//! Native code comes from artifacts alone.

use super::{engine, i32s, no_host, wasm};
use crate::WasmEdgeEngine;
use crate::config;
use crate::sys::{self, CompilerSettings, Library, Output, Settings};
use std::ffi::CString;
use std::sync::Arc;
use wasmrt_model::backend::{Code, WasmEngine, WasmModule};

fn returning(number: i32) -> Vec<u8> {
    wasm(&format!(r#"(module (func (export "run") (result i32) (i32.const {number})))"#))
}

fn run_module(module: &dyn WasmModule) -> Vec<wasmrt_model::Value> {
    let mut guest = module.instantiate(&wasmrt_model::ModuleInfo::default(), &[], no_host()).unwrap();
    guest.call("run", &[]).unwrap()
}

#[test]
fn native_code_inside_a_module_is_not_executed() {
    let Some(_) = engine() else { return };
    let library = Library::load().unwrap();
    let settings = |native| Settings::new(library, &config::proposals(config::COMPILED), native).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("universal.wasm");
    let compiler = settings(true).with_compiler(CompilerSettings { optimize: 0, output: Output::Universal });
    let path = CString::new(output.to_str().unwrap()).unwrap();
    sys::compile(&compiler, &returning(666), &path).unwrap();

    // The custom section of one module at the end of another one.
    let universal = std::fs::read(output).unwrap();
    let section = wasmparser::Parser::new(0)
        .parse_all(&universal)
        .find_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CustomSection(section) if section.name() == "wasmedge" => Some(section.range()),
            _ => None,
        })
        .unwrap();
    let mut hostile = returning(42);
    // The range starts behind id and size; the size is written again, in full length.
    let size = u32::try_from(section.len()).unwrap();
    hostile.push(0);
    hostile.extend((0..5).map(|i| {
        let bits = u8::try_from(size >> (7 * i) & 0x7f).unwrap();
        if i < 4 { bits | 0x80 } else { bits }
    }));
    hostile.extend(&universal[section]);

    let run = |native| {
        let settings = Arc::new(settings(native));
        let module = Arc::new(sys::Module::from_bytes(&settings, &hostile).unwrap());
        let mut guest = sys::Guest::new(&settings, &module, wasmrt_model::FeatureSet::EMPTY, &[], no_host()).unwrap();
        guest.call("run", &[]).unwrap().unwrap()
    };
    assert_eq!(run(true), i32s(&[666]), "the attack is real");
    assert_eq!(run(false), i32s(&[42]));
    let engine = WasmEdgeEngine::load().unwrap();
    assert_eq!(run_module(&*engine.load(Code::Wasm(&hostile)).unwrap()), i32s(&[42]));
}
