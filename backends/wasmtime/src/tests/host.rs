//! What crosses between guest and host: order, values, memory, endings and panics.

use super::*;
use std::sync::{Arc, Mutex};
use wasmrt_model::{Error, ErrorKind, LimitKind};

/// What a host was called with.
type Log = Arc<Mutex<Vec<(usize, Vec<u64>)>>>;

#[test]
fn calls_arrive_in_order_with_every_bit_and_results_return_with_every_bit() {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let result = run_with(
        r#"(module
        (import "a" "mixed" (func $mixed (param i32 i64 f32 f64) (result i32 i64 f32 f64)))
        (import "b" "none" (func $none))
        (import "a" "again" (func $again (param f64 f32) (result f32)))
        (func (export "run") (result i32 i64 f32 f64 f32)
          (call $none)
          (call $mixed (i32.const -2) (i64.const -3) (f32.const nan:0x200001) (f64.const -nan:0x4000000000001))
          (call $again (f64.const -0.0) (f32.const -nan:0x600003))))"#,
        move |import, memory, args, results| {
            assert!(memory.is_empty(), "the guest has no memory");
            seen.lock().unwrap().push((import, args.to_vec()));
            match import {
                0 => results.copy_from_slice(&[0xffff_fffe, u64::MAX - 2, 0x7fa0_0001, 0xfff4_0000_0000_0001]),
                1 => assert!(results.is_empty()),
                _ => results.copy_from_slice(&[0xffa0_0003]),
            }
            Ok(())
        },
    );
    let values = [
        Value::I32(-2),
        Value::I64(-3),
        Value::F32(0x7fa0_0001),
        Value::F64(0xfff4_0000_0000_0001),
        Value::F32(0xffa0_0003),
    ];
    assert_eq!(result.unwrap(), values);
    let calls = log.lock().unwrap().clone();
    assert_eq!(
        calls,
        [
            (1, vec![]),
            (0, vec![0xffff_fffe, u64::MAX - 2, 0x7fa0_0001, 0xfff4_0000_0000_0001]),
            (2, vec![0x8000_0000_0000_0000, 0xffe0_0003]),
        ]
    );
}

/// WASI's signatures take a way of their own through wasmtime; a float or another result takes the general one.
#[test]
fn every_signature_passes_its_arguments_in_order() {
    for params in [
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
    ] {
        for (result, raw, value) in [("i32", 0xffff_fff9, Value::I32(-7)), ("i64", u64::MAX - 6, Value::I64(-7))] {
            let types: String = params.chars().map(|kind| if kind == 'i' { "i32 " } else { "i64 " }).collect();
            let args: String = (1..)
                .zip(params.chars())
                .map(|(at, kind)| format!("({}.const -{at})", if kind == 'i' { "i32" } else { "i64" }))
                .collect();
            let text = format!(
                r#"(module (import "" "f" (func $f (param {types}) (result {result})))
                (func (export "run") (result {result}) (call $f {args})))"#
            );
            let expected: Vec<_> = (1..)
                .zip(params.chars())
                .map(|(at, kind)| if kind == 'i' { Value::I32(-at) } else { Value::I64(-i64::from(at)) }.to_bits())
                .collect();
            let ran = run_with(&text, move |_, _, args, results| {
                assert_eq!(args, expected);
                results.copy_from_slice(&[raw]);
                Ok(())
            });
            assert_eq!(ran.unwrap(), [value], "({params}) -> {result}");
        }
    }
}

#[test]
fn more_values_than_fit_inline_cross_as_well() {
    let (params, results) = ("i32 ".repeat(40), "i64 ".repeat(40));
    let args: String = (0..40).map(|index| format!("(i32.const {index})")).collect();
    let text = format!(
        r#"(module (import "" "many" (func $many (param {params}) (result {results})))
        (func (export "run") (result {results}) (call $many {args})))"#
    );
    let result = run_with(&text, |_, _, args, results| {
        for (result, arg) in results.iter_mut().zip(args) {
            *result = arg * 1_000_000_007;
        }
        Ok(())
    });
    let expected: Vec<_> = (0..40).map(|index| Value::I64(index * 1_000_000_007)).collect();
    assert_eq!(result.unwrap(), expected);
}

#[test]
fn one_name_imported_with_two_signatures_stays_two_imports() {
    let result = run_with(
        r#"(module (import "m" "f" (func $a (result i32))) (import "m" "f" (func $b (param i32) (result i64)))
        (func (export "run") (result i32 i64) (call $a) (call $b (i32.const 5))))"#,
        |import, _, args, results| {
            results[0] = u64::try_from(import).unwrap() * 100 + args.first().copied().unwrap_or(1);
            Ok(())
        },
    );
    assert_eq!(result.unwrap(), [Value::I32(1), Value::I64(105)]);
}

#[test]
fn the_host_reads_and_writes_memory_of_its_present_size() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let result = run_with(
        r#"(module (import "" "touch" (func $touch)) (memory (export "memory") 1 16)
        (func (export "run") (result i32)
          (i32.store8 (i32.const 65535) (i32.const 7))
          (call $touch)
          (drop (memory.grow (i32.const 2)))
          (i32.store8 (i32.const 196607) (i32.const 9))
          (call $touch)
          (i32.load8_u (i32.const 0))))"#,
        move |_, memory, _, _| {
            memory[0] += memory[memory.len() - 1];
            seen.lock().unwrap().push(memory.len());
            Ok(())
        },
    );
    assert_eq!(result.unwrap(), [Value::I32(16)]);
    assert_eq!(*sizes.lock().unwrap(), [65536, 3 * 65536]);
}

#[test]
fn only_the_export_named_memory_is_shown() {
    let text =
        r#"(module (import "" "look" (func $look)) (memory (export "other") 1) (func (export "run") (call $look)))"#;
    let look = |_: usize, memory: &mut [u8], _: &[u64], _: &mut [u64]| {
        assert!(memory.is_empty());
        Ok(())
    };
    assert!(run_with(text, look).is_ok());
    let wrong_type =
        r#"(module (import "" "look" (func $look)) (func (export "memory")) (func (export "run") (call $look)))"#;
    assert!(run_with(wrong_type, look).is_ok());
}

/// So it is with a start section that is a function of the host, which metering makes an export.
#[test]
fn an_import_that_is_exported_again_sees_the_memory() {
    let wasm = wasm(
        r#"(module (import "" "touch" (func $touch (result i32))) (memory (export "memory") 1) (export "touch" (func $touch))
        (func (export "run") (result i32) (call $touch)))"#,
    );
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    let host = Host(|_, memory: &mut [u8], _: &[u64], results: &mut [u64]| {
        results[0] = u64::try_from(memory.len()).unwrap();
        Ok(())
    });
    let mut guest = module.instantiate(&small(), &imports(&wasm), Box::new(host)).unwrap();
    for export in ["touch", "run", "touch"] {
        assert_eq!(guest.call(export, &[]).unwrap(), [Value::I32(65536)], "{export}");
    }
}

#[test]
fn the_start_section_sees_host_and_memory() {
    let text = r#"(module (import "" "exit" (func $exit (param i32))) (memory (export "memory") 1)
        (data (i32.const 8) "hello")
        (func $start (call $exit (i32.const 8))) (start $start) (func (export "run")))"#;
    let result = run_with(text, |_, memory, args, _| {
        let at = usize::try_from(args[0]).unwrap();
        assert_eq!(&memory[at..at + 5], b"hello");
        Err(Ending::Exit(0xdead_beef))
    });
    assert!(matches!(result, Err(Ending::Exit(0xdead_beef))), "{result:?}");
}

#[test]
fn what_ends_the_guest_in_the_host_comes_out_unchanged() {
    let text = r#"(module (import "" "end" (func $end)) (func $inner (call $end) unreachable)
        (func $outer (export "run") (call $inner)))"#;
    let end = |make: fn() -> Ending| run_with(text, move |_, _, _, _| Err(make())).unwrap_err();
    assert!(matches!(end(|| Ending::Exit(u32::MAX)), Ending::Exit(u32::MAX)));
    assert!(matches!(end(|| Ending::Limit(LimitKind::Fuel)), Ending::Limit(LimitKind::Fuel)));
    match end(|| Error::new(ErrorKind::Unsupported, "not here").into()) {
        Ending::Failed(error) => assert_eq!((error.kind(), error.message()), (ErrorKind::Unsupported, "not here")),
        other => panic!("{other:?}"),
    }
    match end(|| Trap::new(TrapKind::BadPointer).with_detail("iovec").into()) {
        Ending::Trap(trap) => {
            assert_eq!((trap.kind, trap.detail.as_str()), (TrapKind::BadPointer, "iovec"));
            let names: Vec<_> = trap.backtrace.iter().map(|frame| frame.name.as_deref()).collect();
            assert_eq!(names, [Some("inner"), Some("outer")], "a host's trap says where in the guest");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_in_the_host_is_an_ending_and_not_the_end() {
    let wasm = wasm(
        r#"(module (import "" "panic" (func $panic (param i32))) (func (export "run") (param i32) (call $panic (local.get 0))))"#,
    );
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    let host = Host(|_, _: &mut [u8], args: &[u64], _: &mut [u64]| {
        assert_ne!(args[0], 1, "asked for");
        Ok(())
    });
    let mut guest = module.instantiate(&small(), &imports(&wasm), Box::new(host)).unwrap();
    match guest.call("run", &[Value::I32(1)]) {
        Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Internal),
        other => panic!("{other:?}"),
    }
    assert!(guest.call("run", &[Value::I32(2)]).is_ok());
}

#[test]
fn endings_do_not_leak_into_later_calls() {
    let wasm = wasm(
        r#"(module (import "" "exit" (func $exit)) (func (export "exit") (call $exit))
        (func (export "trap") unreachable) (func (export "fine")))"#,
    );
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    let host = Host(|_, _: &mut [u8], _: &[u64], _: &mut [u64]| Err(Ending::Exit(3)));
    let mut guest = module.instantiate(&small(), &imports(&wasm), Box::new(host)).unwrap();
    for _ in 0..2 {
        assert!(matches!(guest.call("exit", &[]), Err(Ending::Exit(3))));
        assert!(guest.call("fine", &[]).is_ok());
        assert_eq!(kind_of(guest.call("trap", &[])), TrapKind::Unreachable);
    }
}

#[test]
fn imports_that_do_not_fit_the_module_fail_and_run_nothing() {
    let wasm =
        wasm(r#"(module (import "" "f" (func $f (param i32))) (func $start (call $f (i32.const 0))) (start $start))"#);
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    let mut wrong = imports(&wasm);
    wrong[0].signature = FunctionType::new(&[], &[]);
    for given in [Vec::new(), wrong] {
        assert!(matches!(module.instantiate(&small(), &given, no_host()), Err(Ending::Failed(_))));
    }
    let mut vector = imports(&wasm);
    vector[0].signature = FunctionType::new(&[wasmrt_model::ValueType::V128], &[]);
    match module.instantiate(&small(), &vector, no_host()) {
        Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        other => panic!("{other:?}"),
    }
}
