//! What crosses between guest and host: order, values, numbers of values, types.

use crate::hosts::{Log, no_host};
use crate::prepared::{Prepared, prepare};
use crate::{Subject, failure_of, i32s};
use wasmrt_model::backend::Code;
use wasmrt_model::{ErrorKind, Feature, FeatureSet, Value};

/// Each import as the host saw it called.
fn seen(log: &Log) -> Vec<(usize, Vec<u64>)> {
    log.calls().into_iter().map(|call| (call.import, call.args)).collect()
}

pub(crate) fn calls_arrive_in_order_with_every_bit_and_results_return_with_every_bit(subject: &Subject) {
    let text = r#"(module
        (import "a" "mixed" (func $mixed (param i32 i64 f32 f64) (result f64)))
        (import "b" "none" (func $none))
        (import "a" "again" (func $again (param f64 f32) (result f32)))
        (import "b" "mixed" (func $long (result i64)))
        (func (export "run") (result f64 f32 i64)
          (call $none)
          (call $mixed (i32.const -2) (i64.const -3) (f32.const nan:0x200001) (f64.const -nan:0x4000000000001))
          (call $again (f64.const -0.0) (f32.const -nan:0x600003))
          (call $long))
        (func (export "other") (param i32) (result f64)
          (call $mixed (local.get 0) (i64.const -1) (f32.const nan:0x200001) (f64.const nan:0x4000000000001))))"#;
    let nan = 0x7ff4_0000_0000_0001;
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(|import, memory, args, results| {
            assert!(memory.is_empty(), "the guest has no memory");
            match import {
                0 => results.copy_from_slice(&args[3..]),
                1 => assert!(results.is_empty()),
                2 => results.copy_from_slice(&[0xffa0_0003]),
                _ => results.copy_from_slice(&[u64::MAX - 1]),
            }
            Ok(())
        });
        let mut guest = subject.start(text, way, host).unwrap();
        let values = [Value::F64(0xfff4_0000_0000_0001), Value::F32(0xffa0_0003), Value::I64(-2)];
        assert_eq!(guest.call("run", &[]).unwrap(), values, "{way}");
        assert_eq!(guest.call("other", &i32s(&[-5])).unwrap(), [Value::F64(nan)], "{way}");
        assert_eq!(
            seen(&log),
            [
                (1, vec![]),
                (0, vec![0xffff_fffe, u64::MAX - 2, 0x7fa0_0001, 0xfff4_0000_0000_0001]),
                (2, vec![0x8000_0000_0000_0000, 0xffe0_0003]),
                (3, vec![]),
                (0, vec![0xffff_fffb, u64::MAX, 0x7fa0_0001, nan]),
            ],
            "{way}"
        );
    }
}

/// i for an i32, l for an i64. WASI's signatures with an i32 as the result may take a way of their own through an engine; others take the general one.
const PARAMS: [&str; 20] = [
    "",
    "i",
    "ii",
    "iii",
    "iiii",
    "iiiii",
    "iiiiii",
    "iiiiiii",
    "iiiiiiii",
    "l",
    "il",
    "ili",
    "ill",
    "ilii",
    "illi",
    "iiili",
    "iiiilli",
    "iiiiillii",
    "li",
    "ilil",
];

/// The types of results, in the same letters, each with the bits that the host answers and the value that they are.
const RESULTS: [(&str, &[u64], &[Value]); 3] =
    [("", &[], &[]), ("i32", &[0xffff_fff9], &[Value::I32(-7)]), ("i64", &[u64::MAX - 6], &[Value::I64(-7)])];

pub(crate) fn every_signature_passes_its_arguments_in_order(subject: &Subject) {
    let value_type = |kind| if kind == 'i' { "i32" } else { "i64" };
    let (mut imports, mut exports) = (String::new(), String::new());
    for params in PARAMS {
        for (result, ..) in RESULTS {
            let types: String = params.chars().map(|kind| format!("{} ", value_type(kind))).collect();
            let args: String =
                (1..).zip(params.chars()).map(|(at, kind)| format!("({}.const -{at})", value_type(kind))).collect();
            let name = format!("{params} {result}");
            imports +=
                &format!("(import \"\" \"{name}\" (func $f{params}_{result} (param {types}) (result {result})))");
            exports += &format!("(func (export \"{name}\") (result {result}) (call $f{params}_{result} {args}))");
        }
    }
    let text = format!("(module {imports} {exports})");
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(|import, _, _, results| {
            results.copy_from_slice(RESULTS[import % RESULTS.len()].1);
            Ok(())
        });
        let mut guest = subject.start(&text, way, host).unwrap();
        let mut expected = Vec::new();
        for params in PARAMS {
            for (result, _, values) in RESULTS {
                let args = (1..)
                    .zip(params.chars())
                    .map(|(at, kind)| if kind == 'i' { Value::I32(-at) } else { Value::I64(-i64::from(at)) }.to_bits());
                expected.push((expected.len(), args.collect()));
                let ran = guest.call(&format!("{params} {result}"), &[]);
                assert_eq!(ran.unwrap(), values, "{way}: ({params}) -> {result}");
                assert_eq!(seen(&log), expected, "{way}: ({params}) -> {result}");
            }
        }
    }
}

pub(crate) fn more_values_than_fit_inline_cross_as_well(subject: &Subject) {
    for kind in ["i32", "i64"] {
        let params = format!("{kind} ").repeat(40);
        let args: String = (0..40).map(|number| format!("({kind}.const {number})")).collect();
        // Imported twice by one name and type: which of the two numbers the host is called with is not said.
        let text = format!(
            r#"(module (import "m" "f" (func $f (param {params}) (result i64)))
            (import "m" "f" (func $again (param {params}) (result i64)))
            (func (export "run") (result i64) (i64.add (call $f {args}) (call $again {args}))))"#
        );
        for way in subject.ways() {
            let log = Log::default();
            let host = log.host(|_, _, args, results| {
                assert!(args.iter().copied().eq(0..40));
                results[0] = args.iter().sum();
                Ok(())
            });
            let result = subject.start(&text, way, host).unwrap().call("run", &[]);
            assert_eq!(result.unwrap(), [Value::I64(2 * 780)], "{way}");
            assert_eq!(log.calls().len(), 2, "{way}");
        }
    }
}

pub(crate) fn several_results_cross_or_are_refused_by_name(subject: &Subject) {
    if !subject.differs.imports_several_results {
        let wasm = prepare(r#"(module (import "m" "fine" (func)) (import "m" "many" (func (result i32 i32))))"#).bytes;
        let refused = subject.engine().load(Code::Wasm(&wasm)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("m.many"), "{refused}");
        return;
    }
    let (params, results) = ("i32 ".repeat(40), "i64 ".repeat(40));
    let args: String = (0..40).map(|index| format!("(i32.const {index})")).collect();
    let text = format!(
        r#"(module (import "" "many" (func $many (param {params}) (result {results})))
        (import "a" "mixed" (func $mixed (param i32 i64 f32 f64) (result i32 i64 f32 f64)))
        (func (export "many") (result {results}) (call $many {args}))
        (func (export "mixed") (result i32 i64 f32 f64)
          (call $mixed (i32.const -2) (i64.const -3) (f32.const nan:0x200001) (f64.const -nan:0x4000000000001))))"#
    );
    let expected: Vec<_> = (0..40).map(|index| Value::I64(index * 1_000_000_007)).collect();
    let bits = [0xffff_fffe, u64::MAX - 2, 0x7fa0_0001, 0xfff4_0000_0000_0001];
    let mixed = [Value::I32(-2), Value::I64(-3), Value::F32(0x7fa0_0001), Value::F64(0xfff4_0000_0000_0001)];
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(move |import, _, args, results| {
            if import == 1 {
                assert_eq!(args, bits);
                results.copy_from_slice(&bits);
                return Ok(());
            }
            for (result, arg) in results.iter_mut().zip(args) {
                *result = arg * 1_000_000_007;
            }
            Ok(())
        });
        let mut guest = subject.start(&text, way, host).unwrap();
        assert_eq!(guest.call("many", &[]).unwrap(), expected, "{way}");
        assert_eq!(guest.call("mixed", &[]).unwrap(), mixed, "{way}");
    }
}

pub(crate) fn one_name_imported_with_two_signatures_is_two_imports_or_refused(subject: &Subject) {
    let text = r#"(module (import "m" "f" (func $a (result i32))) (import "m" "f" (func $b (param i32) (result i64)))
        (func (export "run") (result i32 i64) (call $a) (call $b (i32.const 5))))"#;
    for way in subject.ways() {
        if !subject.differs.imports_by_position {
            assert_eq!(failure_of(subject.start(text, way, no_host())), subject.differs.mislinked, "{way}");
            continue;
        }
        let host = Log::default().host(|import, _, args, results| {
            results[0] = u64::try_from(import).unwrap() * 100 + args.first().copied().unwrap_or(1);
            Ok(())
        });
        let result = subject.start(text, way, host).unwrap().call("run", &[]);
        assert_eq!(result.unwrap(), [Value::I32(1), Value::I64(105)], "{way}");
    }
}

pub(crate) fn tail_calls_of_the_host_come_back_to_the_caller(subject: &Subject) {
    let text = r#"(module
        (type $t (func (param i32) (result i32)))
        (import "m" "f" (func $f (type $t))) (import "wasmrt:host" "0" (func $other (result i64))) (import "m" "none" (func $none))
        (import "m" "f" (func $again (type $t)))
        (memory (export "memory") 1) (table funcref (elem $f)) (elem declare func $f $again)
        (func $direct (type $t) (local i64 f64) (return_call $f (local.get 0)))
        (func $table (type $t) (return_call_indirect (type $t) (local.get 0) (i32.const 0)))
        (func $reference (type $t) (return_call_ref $t (local.get 0) (ref.func $again)))
        (func $nothing (return_call $none))
        (func (export "inside") (param i32) (result i32)
            (call $nothing)
            (i32.add (call $direct (local.get 0)) (i32.add (call $table (local.get 0)) (call $reference (local.get 0)))))
        (func (export "outside") (param i32) (result i32) (return_call $f (local.get 0)))
        (func (export "wide") (result i64) (return_call $other))
        (export "again" (func $again)))"#;
    if !subject.has(Feature::TailCall) || !subject.has(Feature::FunctionReferences) {
        return;
    }
    let Prepared { bytes, mut info, imports } = prepare(text);
    info.features = FeatureSet::of(&[Feature::TailCall]);
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(|import, memory, args, results| {
            assert_eq!(memory.len(), 65536);
            match import {
                0 | 3 => results[0] = args[0] + 1,
                1 => results[0] = 7,
                _ => {}
            }
            Ok(())
        });
        let mut guest = subject.load(&bytes, way).unwrap().instantiate(&info, &imports, host).unwrap();
        assert_eq!(guest.call("inside", &i32s(&[10])).unwrap(), i32s(&[33]), "{way}");
        assert_eq!(guest.call("outside", &i32s(&[20])).unwrap(), i32s(&[21]), "{way}");
        assert_eq!(guest.call("wide", &[]).unwrap(), [Value::I64(7)], "{way}");
        assert_eq!(guest.call("again", &i32s(&[30])).unwrap(), i32s(&[31]), "{way}");
        // Where imports go by name, the first one answers for both of one name.
        let again = if subject.differs.imports_by_position { 3 } else { 0 };
        let seen: Vec<_> = log.calls().iter().map(|call| call.import).collect();
        assert_eq!(seen, [2, 0, 0, again, 0, 1, again], "{way}");
    }
}
