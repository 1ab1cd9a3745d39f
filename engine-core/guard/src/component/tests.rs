use crate::{GuardOptions, PreparedModule, Refusal, StructureCaps, inspect, prepare};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{ErrorKind, Feature, Limit, Limits};

fn options() -> GuardOptions {
    let mut options = GuardOptions::new(Feature::ALL.iter().copied().collect(), &Limits::default());
    options.components = true;
    options
}

fn bounded(pages: u64, elements: u64) -> GuardOptions {
    let mut options = options();
    options.memory_bytes = Limit::At(Bytes(pages << 16));
    options.table_elements = Limit::At(Count(elements));
    options
}

fn prepared(text: &str, options: &GuardOptions) -> PreparedModule {
    let prepared = prepare(&wat::parse_str(text).unwrap(), options).unwrap();
    Validator::new_with_features(WasmFeatures::default()).validate_all(prepared.bytes()).unwrap();
    prepared
}

fn refusal(text: &str, options: &GuardOptions) -> Refusal {
    prepare(&wat::parse_str(text).unwrap(), options).unwrap_err()
}

/// The maxima of all memories and tables, on every level.
fn maxima(bytes: &[u8]) -> (Vec<Option<u64>>, Vec<Option<u64>>) {
    let (mut memories, mut tables) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::MemorySection(section) => {
                memories.extend(section.into_iter().map(|memory| memory.unwrap().maximum))
            }
            Payload::TableSection(section) => tables.extend(section.into_iter().map(|table| table.unwrap().ty.maximum)),
            _ => {}
        }
    }
    (memories, tables)
}

fn customs(bytes: &[u8]) -> Vec<String> {
    Parser::new(0)
        .parse_all(bytes)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(custom) => Some(custom.name().to_owned()),
            _ => None,
        })
        .collect()
}

/// A component with so many components around it.
fn nested(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "(component ".repeat(levels), ")".repeat(levels))
}

#[test]
fn modules_are_bounded_on_every_level() {
    let text = "(component
        (core module (memory 1) (table 2 funcref))
        (component (core module (memory 3 200) (table 1 100 funcref)))
        (core module (memory 2 2)))";
    let prepared = prepared(text, &bounded(10, 20));
    assert_eq!(maxima(prepared.bytes()), (vec![Some(10), Some(10), Some(2)], vec![Some(20), Some(20)]));
    let component = prepared.info().component.as_ref().unwrap();
    assert_eq!(component.modules, 3);
    assert!(prepared.meters().is_none());
}

#[test]
fn what_starts_above_its_limit_is_refused_on_every_level() {
    for (module, refused) in [
        ("(memory 4)", false),
        ("(memory 5)", true),
        ("(table 8 funcref)", false),
        ("(table 9 funcref)", true),
        ("(memory 3) (memory 2)", true),
    ] {
        for levels in [1, 2, 5] {
            let text = nested(levels, &format!("(core module {module})"));
            let result = prepare(&wat::parse_str(&text).unwrap(), &bounded(4, 8));
            let kind = result.as_ref().err().map(Refusal::kind);
            assert_eq!(kind, refused.then_some(ErrorKind::LimitExceeded), "{text}");
        }
    }
}

#[test]
fn native_code_is_stripped_on_every_level_and_the_rest_stays() {
    let text = "(component
        (@custom \"wasmedge\" \"code\") (@custom \"note\" \"text\")
        (core module (@custom \"wasmedge\" \"code\") (@custom \"inner\" \"text\"))
        (component (@custom \"wasmedge\" \"code\") (core module (@custom \"wasmedge\" \"code\"))))";
    let bytes = wat::parse_str(text).unwrap();
    assert_eq!(customs(&bytes).iter().filter(|name| *name == "wasmedge").count(), 4);
    assert_eq!(customs(prepared(text, &options()).bytes()), ["note", "inner"]);
}

#[test]
fn a_component_that_needs_no_change_comes_out_as_it_went_in() {
    let text = "(component
        (import \"wasi:cli/environment@0.2.0\" (instance $env (export \"initial-cwd\" (func (result (option string))))))
        (core module $m (memory (export \"m\") 1 1) (func (export \"run\") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i \"run\")))
        (instance $out (export \"run\" (func $run)))
        (export \"wasi:cli/run@0.2.0\" (instance $out)))";
    let bytes = wat::parse_str(text).unwrap();
    let prepared = prepared(text, &options());
    assert_eq!(prepared.bytes(), bytes);
    let info = prepared.info();
    let component = info.component.as_ref().unwrap();
    assert_eq!(component.imports, ["wasi:cli/environment@0.2.0"]);
    assert_eq!(component.exports, ["wasi:cli/run@0.2.0"]);
    assert!(info.features.contains(Feature::ComponentModel) && info.functions == 1);
    assert_eq!(*info, inspect(&bytes, &StructureCaps::default()).unwrap());
}

#[test]
fn depth_and_number_of_parts_are_bounded() {
    let at_most = usize::try_from(StructureCaps::default().component_depth).unwrap();
    assert!(prepare(&wat::parse_str(nested(at_most, "")).unwrap(), &options()).is_ok());
    assert_eq!(refusal(&nested(at_most + 1, ""), &options()).kind(), ErrorKind::LimitExceeded);
    let wide = |parts| format!("(component {})", "(core module)".repeat(parts));
    assert!(prepare(&wat::parse_str(wide(999)).unwrap(), &options()).is_ok());
    assert_eq!(refusal(&wide(1000), &options()).kind(), ErrorKind::LimitExceeded);
}

#[test]
fn features_and_shared_memories_of_nested_modules_count() {
    let text = "(component (core module (func (result v128) v128.const i64x2 0 0)))";
    assert!(prepare(&wat::parse_str(text).unwrap(), &options()).is_ok());
    let mut without = options();
    without.features = without.features.without(Feature::Simd);
    assert!(refusal(text, &without).missing_features().contains(Feature::Simd));
    let shared = "(component (core module (memory 1 2 shared)))";
    assert_eq!(refusal(shared, &options()).kind(), ErrorKind::Unsupported);
}

#[test]
fn damage_in_a_nested_module_is_invalid() {
    let mut bytes = wat::parse_str("(component (core module (func (result i32) i32.const 7)))").unwrap();
    let constant = bytes.windows(2).position(|pair| pair == [0x41, 7]).unwrap();
    bytes[constant] = 0x6a;
    assert_eq!(prepare(&bytes, &options()).unwrap_err().kind(), ErrorKind::InvalidModule);
    for length in 9..bytes.len() {
        let result = prepare(&bytes[..length], &options());
        assert!(result.is_err() || length == bytes.len(), "{length}");
    }
}

#[test]
fn engines_without_components_refuse_them_by_name() {
    let mut options = options();
    options.components = false;
    let refusal = refusal("(component)", &options);
    assert_eq!(refusal.kind(), ErrorKind::Unsupported);
    assert!(refusal.missing_features().contains(Feature::ComponentModel));
}
