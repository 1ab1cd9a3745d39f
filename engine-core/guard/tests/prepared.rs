//! What comes out of the guard: the same module, bounded, without what engines would take as more than WebAssembly.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use wasmparser::{ExternalKind, Parser, Payload, Validator, WasmFeatures};
use wasmrt_guard::{GuardOptions, OwnMemory, PreparedModule, StructureCaps, inspect, prepare, sniff};
use wasmrt_model::module::{ExternType, Size};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{Feature, FeatureSet, FunctionType, Limit, Limits, ValueType};

const PAGE: u64 = 1 << 16;

fn options() -> GuardOptions {
    let mut options = GuardOptions::new(Feature::ALL.iter().copied().collect(), &Limits::default());
    // What is metered has its own tests.
    options.metering = None;
    options
}

fn bounded(memory_bytes: u64, table_elements: u64) -> GuardOptions {
    let mut options = options();
    options.memory_bytes = Limit::At(Bytes(memory_bytes));
    options.table_elements = Limit::At(Count(table_elements));
    options
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn prepared(text: &str, options: &GuardOptions) -> PreparedModule {
    let module = prepare(&wat(text), options).unwrap();
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(module.bytes()).unwrap();
    module
}

/// The names of the custom sections.
fn customs(bytes: &[u8]) -> Vec<String> {
    Parser::new(0)
        .parse_all(bytes)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) => Some(section.name().to_owned()),
            _ => None,
        })
        .collect()
}

/// Exports as (name, kind, index).
fn exports(bytes: &[u8]) -> Vec<(String, ExternalKind, u32)> {
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            for export in section {
                let export = export.unwrap();
                exports.push((export.name.to_owned(), export.kind, export.index));
            }
        }
    }
    exports
}

#[test]
fn a_module_that_needs_no_change_stays_as_it_is() {
    for text in [
        "(module)",
        "(module (memory (export \"memory\") 1 1) (data (i32.const 0) \"x\"))",
        "(module (func $named (export \"f\") (param i32) (result i32) local.get 0) (@producers (language \"C\" \"11\")))",
        "(module (memory 1 2) (table 1 2 funcref) (func i32.const 1 memory.grow drop) (@custom \"later\" (after data) \"x\"))",
    ] {
        let module = wat(text);
        assert_eq!(prepare(&module, &options()).unwrap().bytes(), module, "{text}");
    }
}

#[test]
fn native_code_is_stripped_and_the_rest_of_the_custom_sections_kept() {
    let module = prepared(
        "(module (@custom \"wasmedge\" (before first) \"\\7fELF\") (func $f) (@custom \"wasmedge\" (after code) \"x\")
            (@custom \"WasmEdge\" \"x\") (@custom \".debug_info\" \"x\") (@custom \"wasmedge\" (after last) \"x\"))",
        &options(),
    );
    assert_eq!(customs(module.bytes()), ["WasmEdge", ".debug_info", "name"]);
}

#[test]
fn one_memory_gets_the_limit_as_its_maximum() {
    let options = bounded(10 * PAGE + 5, 100);
    let cases = [
        ("(memory 1)", 1, Some(10)),
        ("(memory 1 5)", 1, Some(5)),
        ("(memory 1 50)", 1, Some(10)),
        ("(memory 10)", 10, Some(10)),
        ("(memory i64 1)", 1, Some(10)),
        ("(memory i64 1 0x1000000000000)", 1, Some(10)),
        ("(memory 1 (pagesize 1))", 1, Some(10 * PAGE + 5)),
        ("(memory i64 1 (pagesize 1))", 1, Some(10 * PAGE + 5)),
    ];
    for (memory, minimum, maximum) in cases {
        let module = prepared(&format!("(module {memory} (export \"m\" (memory 0)))"), &options);
        assert_eq!(module.info().memories, [Size { minimum, maximum }], "{memory}");
        let seen = inspect(module.bytes(), &StructureCaps::default()).unwrap();
        assert_eq!(seen.memories, module.info().memories);
        assert_eq!(seen.exports, module.info().exports);
    }
}

#[test]
fn one_table_gets_the_limit_as_its_maximum() {
    let options = bounded(PAGE, 100);
    let cases = [
        ("(table 1 funcref)", 1, Some(100)),
        ("(table 1 5 externref)", 1, Some(5)),
        ("(table 1 1000 funcref)", 1, Some(100)),
        ("(table i64 1 funcref)", 1, Some(100)),
        ("(table 3 (ref $t) (ref.func $f))", 3, Some(100)),
    ];
    for (table, minimum, maximum) in cases {
        let module = prepared(&format!("(module (type $t (func)) {table} (func $f (type $t)))"), &options);
        assert_eq!(module.info().tables, [Size { minimum, maximum }], "{table}");
        assert_eq!(inspect(module.bytes(), &StructureCaps::default()).unwrap().tables, module.info().tables);
    }
}

#[test]
fn without_a_limit_nothing_is_lowered() {
    let mut options = options();
    (options.memory_bytes, options.table_elements) = (Limit::Unlimited, Limit::Unlimited);
    let module = wat("(module (memory 1) (memory 1) (table 1 funcref) (table 1 funcref)
        (func i32.const 1 memory.grow 1 drop ref.null func i32.const 1 table.grow 1 drop))");
    assert_eq!(prepare(&module, &options).unwrap().bytes(), module);
}

/// Several memories share the limit: what is injected is appended, so that nothing of the guest is renumbered.
#[test]
fn shared_limits_inject_at_the_ends_of_the_index_spaces() {
    let text = "(module
        (import \"a\" \"b\" (func $imported (param i32)))
        (memory $x 1) (memory $y 1) (table $t 1 funcref) (table $u 1 externref) (global $g (mut i32) (i32.const 7))
        (func $first (export \"first\") (param i32) (result i32)
            (call $imported (i32.const 1)) (memory.grow $x (local.get 0)) (drop) (memory.grow $y (local.get 0)))
        (func $second (export \"second\") (result i32) (table.grow $u (ref.null extern) (i32.const 2)))
        (export \"g\" (global $g)) (@custom \".debug_line\" \"x\"))";
    let module = prepared(text, &bounded(10 * PAGE, 10));
    assert_eq!(exports(module.bytes()), exports(&wat(text)));
    assert_eq!(customs(module.bytes()), ["name"], "offsets in the code have changed");
    let before = inspect(&wat(text), &StructureCaps::default()).unwrap();
    assert_eq!(module.info().functions, before.functions);
    assert_eq!(module.info().imports, before.imports);
    assert_eq!(module.info().exports, before.exports);
    assert_eq!(module.info().memories, [Size { minimum: 1, maximum: Some(9) }; 2]);
    let after = inspect(module.bytes(), &StructureCaps::default()).unwrap();
    assert_eq!(after.functions, before.functions + 4);
    assert_eq!(after.features.difference(before.features), FeatureSet::EMPTY);
    // The guest's own code can name none of it: what it names is checked before anything is injected.
    let thief = "(module (memory 1) (memory 1) (func i64.const 9 global.set 0))";
    assert!(prepare(&wat_unchecked(thief), &bounded(10 * PAGE, 10)).is_err());
}

/// The text format lets indices through that mean nothing.
fn wat_unchecked(text: &str) -> Vec<u8> {
    wat(text)
}

#[test]
fn the_facts_of_a_module_are_told() {
    let info = inspect(
        &wat("(module (import \"env\" \"f\" (func (param i32 f64) (result i64))) (import \"env\" \"g\" (global (mut i32)))
            (import \"env\" \"m\" (memory 1 2)) (import \"env\" \"t\" (table 3 funcref)) (import \"env\" \"e\" (tag))
            (func $s) (start $s) (export \"f\" (func 0)) (export \"v\" (global 1)) (global v128 (v128.const i64x2 0 0)))"),
        &StructureCaps::default(),
    )
    .unwrap();
    let signature = FunctionType::new(&[ValueType::I32, ValueType::F64], &[ValueType::I64]);
    let imported: Vec<_> =
        info.imports.iter().map(|import| (import.name.as_str(), import.extern_type.clone())).collect();
    assert_eq!(
        imported,
        [
            ("f", ExternType::Function(signature.clone())),
            ("g", ExternType::Global { content: "i32".to_owned(), mutable: true }),
            ("m", ExternType::Memory(Size { minimum: 1, maximum: Some(2) })),
            ("t", ExternType::Table(Size { minimum: 3, maximum: None })),
            ("e", ExternType::Tag),
        ]
    );
    assert_eq!(info.exported_function("f"), Some(&signature));
    assert_eq!(info.exports[1].extern_type, ExternType::Global { content: "v128".to_owned(), mutable: false });
    assert_eq!((info.functions, info.has_start, info.memories.len(), info.tables.len()), (1, true, 0, 0));
}

const SMALL: &str = "(module (import \"a\" \"b\" (func (param i32))) (memory 1) (memory 2) (table 1 funcref)
    (global (mut i64) (i64.const 5)) (tag (param i32)) (export \"f\" (func 1)) (elem (i32.const 0) func 1) (data (i32.const 3) \"abc\")
    (func (param i32) (result i32) (local f64) block loop local.get 0 br_if 0 end end i32.const 3 memory.grow 1)
    (@custom \"wasmedge\" \"native\"))";

#[test]
fn a_module_cut_off_anywhere_is_refused_or_whole() {
    let module = wat(SMALL);
    let options = bounded(10 * PAGE, 10);
    for length in 0..module.len() {
        // Between sections a shorter module may be a module.
        if let Ok(prepared) = prepare(&module[..length], &options) {
            Validator::new_with_features(WasmFeatures::all()).validate_all(prepared.bytes()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = sniff(&bytes);
        prop_assert!(prepare(&bytes, &options()).is_err());
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend(bytes);
        let _ = prepare(&module, &bounded(10 * PAGE, 10));
    }

    #[test]
    fn what_passes_validates_again(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut module = wat(SMALL);
        for (position, byte) in flips {
            let position = position.index(module.len());
            module[position] = byte;
        }
        if let Ok(prepared) = prepare(&module, &bounded(10 * PAGE, 10)) {
            Validator::new_with_features(WasmFeatures::all()).validate_all(prepared.bytes()).unwrap();
            prop_assert_eq!(exports(prepared.bytes()), exports(&module));
            prop_assert!(!customs(prepared.bytes()).iter().any(|name| name == "wasmedge"));
            let again = inspect(prepared.bytes(), &StructureCaps::default()).unwrap();
            prop_assert_eq!(again.features, prepared.info().features);
        }
    }
}

/// Imports as (module, name).
fn imports(bytes: &[u8]) -> Vec<(String, String)> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            for import in section.into_imports() {
                let import = import.unwrap();
                imports.push((import.module.to_owned(), import.name.to_owned()));
            }
        }
    }
    imports
}

fn owning(memory_bytes: u64, pages: u64) -> GuardOptions {
    let mut options = bounded(memory_bytes, 100);
    let own = |name: &str| OwnMemory { module: "env".to_owned(), name: name.to_owned(), pages };
    options.own_memories = vec![own("memory"), own("more")];
    options
}

#[test]
fn imported_memories_become_the_modules_own() {
    let text = r#"(module
        (import "env" "before" (func (param i32)))
        (import "env" "memory" (memory 2))
        (import "env" "table" (table 1 funcref))
        (import "env" "global" (global (mut i64)))
        (import "env" "more" (memory i64 1 5))
        (import "env" "after" (func (result f32)))
        (memory $own 1)
        (data (memory $own) (i32.const 0) "x")
        (func (export "f") (result i64) (i64.load8_u 1 (memory.size 1))))"#;
    let module = prepared(text, &owning(10 * PAGE, 3));
    let names: Vec<String> = imports(module.bytes()).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["before", "table", "global", "after"]);
    let told: Vec<&str> = module.info().imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(told, ["before", "table", "global", "after"]);
    let sizes: Vec<(u64, Option<u64>)> =
        module.info().memories.iter().map(|size| (size.minimum, size.maximum)).collect();
    assert_eq!(sizes, [(3, Some(6)), (3, Some(5)), (1, Some(4))]);
    assert!(exports(module.bytes()).contains(&("memory".to_owned(), ExternalKind::Memory, 0)));
    // What was prepared is complete: nothing is left to be done to it.
    assert_eq!(prepare(module.bytes(), &owning(10 * PAGE, 3)).unwrap().info().memories, module.info().memories);
}

#[test]
fn an_export_called_memory_stays_the_modules() {
    let text = r#"(module (import "env" "memory" (memory 1)) (memory $b 2) (export "memory" (memory $b)))"#;
    let module = prepared(text, &owning(10 * PAGE, 0));
    assert_eq!(exports(module.bytes()), [("memory".to_owned(), ExternalKind::Memory, 1)]);
}

#[test]
fn what_is_not_offered_stays_an_import() {
    let text = r#"(module (import "env" "memory" (memory 1)))"#;
    let module = prepared(text, &bounded(10 * PAGE, 0));
    assert_eq!(module.bytes(), wat(text));
    let without = "(module (memory 1 1))";
    assert_eq!(prepared(without, &owning(PAGE, 5)).bytes(), wat(without));
}
