//! What the guard does not let through, and as what.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

use wasmrt_guard::{GuardOptions, Kind, Refusal, StructureCaps, inspect, prepare, sniff};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{ErrorKind, Feature, FeatureSet, Limit, Limits};

fn options() -> GuardOptions {
    let mut options = GuardOptions::new(Feature::ALL.iter().copied().collect(), &Limits::default());
    // What is metered has its own tests.
    options.metering = None;
    options
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn refusal(bytes: &[u8], options: &GuardOptions) -> Refusal {
    prepare(bytes, options).unwrap_err()
}

/// A module whose only function has these bytes as code, locals included.
fn with_body(body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec();
    let mut content = vec![1];
    leb(body.len(), &mut content);
    content.extend_from_slice(body);
    module.push(10);
    leb(content.len(), &mut module);
    module.extend(content);
    module
}

fn leb(mut number: usize, output: &mut Vec<u8>) {
    while number >= 0x80 {
        output.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    output.push(u8::try_from(number).unwrap());
}

#[test]
fn what_is_no_module_is_refused_by_name() {
    let cases: &[(&[u8], ErrorKind)] = &[
        (b"", ErrorKind::NotWasm),
        (b"\x7fELF\x02\x01\x01\0", ErrorKind::NotWasm),
        (b"\x7fELF\x02\x01\x01\xc8", ErrorKind::NotWasm),
        (b"#!/bin/sh\necho", ErrorKind::NotWasm),
        (b"(module)", ErrorKind::NotWasm),
        (b"\0as", ErrorKind::NotWasm),
        (b"\0asm\x02\0\0\0", ErrorKind::NotWasm),
        (b"\0asm\x0d\0\x01\0", ErrorKind::Unsupported),
    ];
    for (bytes, kind) in cases {
        let inspected = inspect(bytes, &StructureCaps::default());
        // What can be looked at need not be what can be run.
        assert_eq!(inspected.is_ok(), *kind == ErrorKind::Unsupported, "{bytes:?}");
        for refusal in inspected.err().into_iter().chain([refusal(bytes, &options())]) {
            assert_eq!(refusal.kind(), *kind, "{bytes:?}");
            if *kind == ErrorKind::NotWasm {
                assert!(refusal.to_string().contains(&sniff(bytes).to_string()), "{refusal}");
            }
        }
    }
    let component = refusal(b"\0asm\x0d\0\x01\0", &options());
    assert_eq!(component.missing_features(), FeatureSet::of(&[Feature::ComponentModel]));
    assert_eq!(sniff(b"\x7fELF\x02\x01\x01\xc8"), Kind::WasmtimeArtifact);
}

#[test]
fn damage_is_invalid_and_says_where() {
    let cases = [
        with_body(b"\0\x6a\x0b"),
        with_body(b"\0\xff\x0b"),
        with_body(b"\0\x10\x07\x0b"),
        with_body(b"\0"),
        b"\0asm\x01\0\0\0\x01\x7f".to_vec(),
        b"\0asm\x01\0\0\0\x0a\x01\0\x01\x01\0".to_vec(),
        b"\0asm\x01\0\0\0\x0e\x01\0".to_vec(),
        b"\0asm\x01\0\0\0\x03\x02\x01\0".to_vec(),
    ];
    for bytes in cases {
        let refusal = refusal(&bytes, &options());
        assert_eq!(refusal.kind(), ErrorKind::InvalidModule, "{bytes:?}: {refusal}");
        assert!(refusal.into_error().context().iter().any(|(key, _)| *key == "offset"));
    }
}

#[test]
fn missing_features_are_all_named() {
    let module = wat("(module (func (param v128)) (func return_call 1) (func i32.const 0 i32.extend8_s drop))");
    let needed = [Feature::Simd, Feature::TailCall, Feature::SignExtension];
    let mut options = options();
    assert!(prepare(&module, &options).is_ok());
    options.features = FeatureSet::of(&needed);
    assert_eq!(prepare(&module, &options).unwrap().info().features, FeatureSet::of(&needed));
    for offered in [&needed[..2], &needed[..1], &[]] {
        options.features = FeatureSet::of(offered);
        let refusal = refusal(&module, &options);
        assert_eq!(refusal.kind(), ErrorKind::Unsupported);
        assert_eq!(refusal.missing_features(), FeatureSet::of(&needed).difference(options.features));
    }
}

#[test]
fn shared_memory_is_refused_wherever_it_comes_from() {
    for text in ["(module (memory 1 2 shared))", "(module (import \"a\" \"b\" (memory 1 2 shared)))"] {
        let refusal = refusal(&wat(text), &options());
        assert_eq!((refusal.kind(), refusal.missing_features()), (ErrorKind::Unsupported, FeatureSet::EMPTY), "{text}");
    }
    // Atomics on a memory of one's own are no matter of sharing.
    assert!(prepare(&wat("(module (memory 1) (func i32.const 0 i32.atomic.load drop))"), &options()).is_ok());
}

#[test]
fn what_starts_above_its_limit_is_refused() {
    let mut options = options();
    options.memory_bytes = Limit::At(Bytes(3 << 16));
    options.table_elements = Limit::At(Count(10));
    let cases = [
        ("(module (memory 3) (table 10 funcref))", true),
        ("(module (memory 4))", false),
        ("(module (memory 65536))", false),
        ("(module (memory 2) (memory 2))", false),
        ("(module (import \"a\" \"b\" (memory 2)) (memory 2))", false),
        ("(module (memory i64 0x1000000000000))", false),
        ("(module (memory 0x30000 (pagesize 1)))", true),
        ("(module (memory 0x30001 (pagesize 1)))", false),
        ("(module (table 11 funcref))", false),
        ("(module (table 500000000 funcref))", false),
        ("(module (table 6 funcref) (table 5 externref))", false),
        ("(module (import \"a\" \"b\" (table 11 funcref)))", false),
        ("(module (table i64 11 funcref))", false),
    ];
    for (text, passes) in cases {
        match prepare(&wat(text), &options) {
            Ok(_) => assert!(passes, "{text}"),
            Err(refusal) => {
                assert!(!passes, "{text}: {refusal}");
                assert_eq!(refusal.kind(), ErrorKind::LimitExceeded, "{text}: {refusal}");
            }
        }
    }
    // Without a limit of the sum, one table still has its cap.
    options.table_elements = Limit::Unlimited;
    assert!(prepare(&wat("(module (table 10000000 funcref))"), &options).is_ok());
    let huge = refusal(&wat("(module (table 10000001 funcref))"), &options);
    assert_eq!(huge.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_module_above_its_size_limit_is_refused_before_it_is_read() {
    let mut options = options();
    let module = wat("(module)");
    for (limit, passes) in [(8, true), (7, false)] {
        options.module_bytes = Limit::At(Bytes(limit));
        assert_eq!(prepare(&module, &options).is_ok(), passes);
    }
    assert_eq!(refusal(&[0xff; 9], &options).kind(), ErrorKind::LimitExceeded);
}

/// Compile bombs: one step above each cap is refused as above a limit, the cap itself is let through.
#[test]
fn compile_bombs_are_refused_by_the_cap_they_break() {
    let mut options = options();
    let caps = &mut options.caps;
    (caps.functions, caps.types, caps.globals, caps.imports, caps.exports) = (10, 10, 10, 10, 10);
    (caps.data_segments, caps.element_segments, caps.tags, caps.tables, caps.memories) = (10, 10, 10, 2, 2);
    (caps.nesting, caps.locals, caps.branch_targets, caps.params, caps.results) = (10, 10, 10, 10, 10);
    (caps.custom_sections, caps.body_bytes) = (10, 100);
    let repeat = |count: usize, text: &str| format!("(module {})", text.repeat(count));
    let cases: &[(&str, &dyn Fn(usize) -> String)] = &[
        ("functions", &|count| repeat(count, "(func)")),
        ("types", &|count| repeat(count, "(type (func))")),
        ("globals", &|count| repeat(count, "(global i32 (i32.const 0))")),
        ("imports", &|count| repeat(count, "(import \"a\" \"b\" (func))")),
        ("exports", &|count| {
            let exports: String = (0..count).map(|number| format!("(export \"{number}\" (func 0))")).collect();
            format!("(module (func) {exports})")
        }),
        ("data", &|count| repeat(count, "(data \"\")")),
        ("elements", &|count| repeat(count, "(elem func)")),
        ("tags", &|count| repeat(count, "(tag)")),
        ("nesting", &|count| format!("(module (func {} {}))", "block ".repeat(count), "end ".repeat(count))),
        ("loops", &|count| format!("(module (func {} {}))", "loop ".repeat(count), "end ".repeat(count))),
        ("ifs", &|count| format!("(module (func {} {}))", "i32.const 0 if ".repeat(count), "end ".repeat(count))),
        ("locals", &|count| format!("(module (func (local {})))", "i32 ".repeat(count))),
        ("targets", &|count| format!("(module (func i32.const 0 br_table {} 0))", "0 ".repeat(count))),
        ("params", &|count| format!("(module (func (param {})))", "i32 ".repeat(count))),
        ("results", &|count| format!("(module (type (func (result {}))))", "i32 ".repeat(count))),
        ("customs", &|count| repeat(count, "(@custom \"a\" \"\")")),
        ("body", &|count| format!("(module (func {}))", "nop ".repeat(count * 10 - 2))),
    ];
    for (name, text) in cases {
        let at = prepare(&wat(&text(10)), &options);
        assert!(at.is_ok(), "{name}: {}", at.unwrap_err());
        let above = refusal(&wat(&text(11)), &options);
        assert_eq!(above.kind(), ErrorKind::LimitExceeded, "{name}: {above}");
    }
    for text in ["(memory 0)", "(table 0 funcref)"] {
        assert!(prepare(&wat(&repeat(2, text)), &options).is_ok());
        assert_eq!(refusal(&wat(&repeat(3, text)), &options).kind(), ErrorKind::LimitExceeded);
    }
}

#[test]
fn compile_bombs_break_the_usual_caps() {
    let usual = options();
    let mut huge_locals = vec![1];
    leb(50_000, &mut huge_locals);
    huge_locals.extend_from_slice(&[0x7f, 0x0b]);
    let mut deep = vec![0];
    deep.extend([0x02, 0x40].repeat(1_000_000));
    deep.extend([0x0b].repeat(1_000_001));
    let mut branches = vec![0, 0x41, 0, 0x0e];
    leb(1_000_000, &mut branches);
    branches.extend(vec![0; 1_000_001]);
    branches.push(0x0b);
    let mut long = vec![0];
    long.extend(vec![0x01; 10 << 20]);
    long.push(0x0b);
    for body in [huge_locals, deep, branches, long] {
        let refusal = refusal(&with_body(&body), &usual);
        assert_eq!(refusal.kind(), ErrorKind::LimitExceeded, "{refusal}");
    }
    let mut functions = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
    let mut declared = Vec::new();
    leb(1_000_001, &mut declared);
    declared.extend(vec![0; 1_000_001]);
    functions.push(3);
    leb(declared.len(), &mut functions);
    functions.extend(declared);
    assert_eq!(refusal(&functions, &usual).kind(), ErrorKind::LimitExceeded);
}
