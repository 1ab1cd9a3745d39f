//! Functions of the embedder: what they get, what they give, how they fail.

use crate::room::{Room, call, engines, number, trap_of, values};
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmrt_runtime::model::ValueType::{F32, F64, I32, I64};
use wasmrt_runtime::model::{Error, ErrorKind, FunctionType, TrapKind, Value, ValueType};
use wasmrt_runtime::{Imports, Spent};

#[derive(Debug)]
struct OfMyOwn(u32);

impl fmt::Display for OfMyOwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of my own {}", self.0)
    }
}

impl std::error::Error for OfMyOwn {}

#[test]
fn values_and_memory_go_both_ways() {
    let room = Room::new();
    let text = r#"(module
        (import "my" "mix" (func $mix (param i32 i64 f32 f64) (result f64)))
        (import "my" "upper" (func $upper (param i32 i32)))
        (import "my" "many" (func $many (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 100) "hello")
        (func (export "mix") (result f64) (call $mix (i32.const -1) (i64.const -2) (f32.const 1.5) (f64.const 2.5)))
        (func (export "upper") (call $upper (i32.const 100) (i32.const 5)))
        (func (export "many") (result i32)
            (call $many (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6) (i32.const 7) (i32.const 8)
                (i32.const 9) (i32.const 10) (i32.const 11) (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15) (i32.const 16)
                (i32.const 17) (i32.const 18))))"#;
    for engine in engines() {
        let mut calls = 0.0f64;
        let imports = Imports::new()
            .function("my", "mix", FunctionType::new(&[I32, I64, F32, F64], &[F64]), move |_, args| {
                calls += 1.0;
                let expected =
                    [Value::I32(-1), Value::I64(-2), Value::F32(1.5f32.to_bits()), Value::F64(2.5f64.to_bits())];
                assert_eq!(args, expected);
                Ok(vec![Value::F64(calls.to_bits())])
            })
            .function("my", "upper", FunctionType::new(&[I32, I32], &[]), |caller, args| {
                let [Value::I32(at), Value::I32(length)] = args else { panic!("{args:?}") };
                let (at, length) = (u64::try_from(*at).unwrap(), u64::try_from(*length).unwrap());
                let mut memory = caller.memory();
                let text = memory.read(at, length)?.to_ascii_uppercase();
                memory.write(at, &text)?;
                Ok(Vec::new())
            })
            .function("my", "many", FunctionType::new(&[I32; 18], &[I32]), |_, args| {
                let sum = args.iter().map(|arg| if let Value::I32(number) = arg { *number } else { 0 }).sum();
                Ok(vec![Value::I32(sum)])
            });
        let mut instance = room.try_make(engine, "", text, imports).unwrap();
        for count in [1.0f64, 2.0, 3.0] {
            assert_eq!(values(&mut instance, "mix", &[]), [Value::F64(count.to_bits())], "{engine}");
        }
        values(&mut instance, "upper", &[]);
        assert_eq!(instance.memory().unwrap().read(100, 5).unwrap(), b"HELLO", "{engine}");
        assert_eq!(number(&mut instance, "many", &[]), 171, "{engine}");
        // What a function has captured lives on; what the guest had does not.
        instance.reset().unwrap();
        assert_eq!(instance.memory().unwrap().read(100, 5).unwrap(), b"hello", "{engine}");
        assert_eq!(values(&mut instance, "mix", &[]), [Value::F64(4.0f64.to_bits())], "{engine}");
    }
}

#[test]
fn several_results_come_back_or_are_refused_by_name() {
    let room = Room::new();
    let text = r#"(module (import "my" "pair" (func $pair (result f64 i32)))
        (func (export "pair") (result f64 i32) (call $pair)))"#;
    for engine in engines() {
        let pair = || vec![Value::F64(4.0f64.to_bits()), Value::I32(5)];
        let imports =
            Imports::new().function("my", "pair", FunctionType::new(&[], &[F64, I32]), move |_, _| Ok(pair()));
        match room.try_make(engine, "", text, imports) {
            Ok(mut instance) => assert_eq!(values(&mut instance, "pair", &[]), pair(), "{engine}"),
            Err(error) => {
                assert_eq!((engine, error.kind()), ("wasmer", ErrorKind::Unsupported));
                assert!(error.to_string().contains("my.pair"), "{error}");
            }
        }
    }
}

const CALLS_HOST: &str = r#"(module
    (import "my" "f" (func $f (result i32)))
    (global $g (mut i32) (i32.const 0))
    (func (export "run") (result i32) (global.set $g (i32.const 1)) (call $f))
    (func (export "get") (result i32) (global.get $g)))"#;

#[test]
fn an_error_arrives_as_it_is() {
    let room = Room::new();
    for engine in engines() {
        let imports = Imports::new().function("my", "f", FunctionType::new(&[], &[I32]), |_, _| {
            Err(Error::new(ErrorKind::PermissionDenied, "no").with_hint("ask nicely").with_source(OfMyOwn(7)))
        });
        let mut instance = room.try_make(engine, "", CALLS_HOST, imports).unwrap();
        for _ in 0..2 {
            let error = call(&mut instance, "run", &[]).unwrap_err();
            assert_eq!(
                (error.kind(), error.message(), error.hint()),
                (ErrorKind::PermissionDenied, "no", Some("ask nicely"))
            );
            assert_eq!(error.source().unwrap().downcast_ref::<OfMyOwn>().unwrap().0, 7, "{engine}");
            assert!(matches!(instance.spent(), Some(Spent::Failed { kind: ErrorKind::PermissionDenied, .. })));
            assert_eq!(call(&mut instance, "get", &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
            instance.reset().unwrap();
            assert_eq!(number(&mut instance, "get", &[]), 0, "{engine}");
        }
    }
}

#[test]
fn kinds_that_mean_something_to_us_pass_too() {
    let room = Room::new();
    for engine in engines() {
        for kind in [ErrorKind::Cancelled, ErrorKind::Unsupported, ErrorKind::InvalidInput] {
            let imports = Imports::new()
                .function("my", "f", FunctionType::new(&[], &[I32]), move |_, _| Err(Error::new(kind, "mine")));
            let mut instance = room.try_make(engine, "", CALLS_HOST, imports).unwrap();
            let error = call(&mut instance, "run", &[]).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, "mine"), "{engine}");
            assert!(instance.spent().is_some(), "{engine} {kind}");
        }
    }
}

#[test]
fn a_panic_is_an_error_and_the_process_lives() {
    let room = Room::new();
    std::panic::set_hook(Box::new(|_| {}));
    for engine in engines() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let imports = Imports::new().function("my", "f", FunctionType::new(&[], &[I32]), move |_, _| {
            match count.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("plain"),
                1 => panic!("with a number {}", 2),
                2 => std::panic::panic_any(3u8),
                more => Ok(vec![Value::I32(i32::try_from(more).unwrap())]),
            }
        });
        let mut instance = room.try_make(engine, "", CALLS_HOST, imports).unwrap();
        for text in ["plain", "with a number 2", "no message"] {
            let error = call(&mut instance, "run", &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{engine}");
            assert!(error.message().contains(text) && error.message().contains("my.f"), "{error}");
            instance.reset().unwrap();
        }
        assert_eq!(number(&mut instance, "run", &[]), 3, "{engine}");
        assert_eq!(seen.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn results_have_to_fit() {
    let room = Room::new();
    for engine in engines() {
        for wrong in [vec![], vec![Value::I64(1)], vec![Value::I32(1), Value::I32(2)]] {
            let imports =
                Imports::new().function("my", "f", FunctionType::new(&[], &[I32]), move |_, _| Ok(wrong.clone()));
            let mut instance = room.try_make(engine, "", CALLS_HOST, imports).unwrap();
            assert_eq!(call(&mut instance, "run", &[]).unwrap_err().kind(), ErrorKind::InvalidInput, "{engine}");
        }
    }
}

#[test]
fn imports_have_to_fit() {
    let room = Room::new();
    let nothing = |types: (&[ValueType], &[ValueType])| {
        Imports::new().function("my", "f", FunctionType::new(types.0, types.1), |_, _| Ok(Vec::new()))
    };
    for engine in engines() {
        let kind = |imports| room.try_make(engine, "", CALLS_HOST, imports).unwrap_err().kind();
        assert_eq!(kind(Imports::new()), ErrorKind::MissingImports);
        assert_eq!(kind(nothing((&[I32], &[I32]))), ErrorKind::MissingImports);
        assert_eq!(kind(nothing((&[], &[ValueType::V128]))), ErrorKind::InvalidInput);
        let twice = nothing((&[], &[I32])).function("my", "f", FunctionType::default(), |_, _| Ok(Vec::new()));
        assert_eq!(kind(twice), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_guest_that_traps_is_spent_until_reset() {
    let room = Room::new();
    let text = r#"(module (memory (export "memory") 1)
        (func (export "trap") (i32.store8 (i32.const 0) (i32.const 9)) (unreachable))
        (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"#;
    for engine in engines() {
        let mut instance = room.make(engine, "", text);
        for (export, args, kind) in [
            ("trap", vec![], TrapKind::Unreachable),
            ("divide", vec![Value::I32(0)], TrapKind::IntegerDivideByZero),
            ("load", vec![Value::I32(-1)], TrapKind::MemoryOutOfBounds),
        ] {
            assert_eq!(trap_of(&call(&mut instance, export, &args).unwrap()), Some(kind), "{engine}");
            assert_eq!(call(&mut instance, "divide", &[Value::I32(1)]).unwrap_err().kind(), ErrorKind::InvalidInput);
            if export == "trap" {
                assert_eq!(instance.memory().unwrap().read(0, 1).unwrap(), [9]);
            }
            instance.reset().unwrap();
            assert_eq!(number(&mut instance, "divide", &[Value::I32(1)]), 1, "{engine}");
            assert_eq!(instance.memory().unwrap().read(0, 1).unwrap(), [0]);
        }
    }
}
