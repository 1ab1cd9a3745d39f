//! A guest's memory from outside, and memories that a guest imports and gets to own.

use crate::room::{Room, call, engines, number, values};
use wasmrt_runtime::Imports;
use wasmrt_runtime::model::{ErrorKind, FunctionType, Value, ValueType};

/// As policies are built that expect their embedder to bring the memory.
const POLICY: &str = r#"(module
    (import "env" "memory" (memory 2))
    (import "env" "abort" (func $abort (param i32)))
    (func $unused (import "env" "note") (param i32) (result i32))
    (data (i32.const 1024) "policy")
    (global $heap (mut i32) (i32.const 4096))
    (func (export "alloc") (param i32) (result i32)
        (global.get $heap) (global.set $heap (i32.add (global.get $heap) (local.get 0))))
    (func (export "sum") (param $at i32) (param $length i32) (result i32) (local $sum i32)
        (block $end
            (loop $next
                (br_if $end (i32.eqz (local.get $length)))
                (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $length (i32.sub (local.get $length) (i32.const 1)))
                (br $next)))
        (local.get $sum))
    (func (export "note") (param i32) (result i32) (call $unused (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

fn offered(pages: u64) -> Imports {
    Imports::new()
        .memory("env", "memory", pages)
        .function("env", "abort", FunctionType::new(&[ValueType::I32], &[]), |_, _| Ok(Vec::new()))
        .function("env", "note", FunctionType::new(&[ValueType::I32], &[ValueType::I32]), |caller, args| {
            let Some(Value::I32(at)) = args.first() else { panic!("{args:?}") };
            let byte = caller.memory().read(u64::try_from(*at).unwrap(), 1)?[0];
            Ok(vec![Value::I32(i32::from(byte))])
        })
}

#[test]
fn an_imported_memory_is_the_guests_own() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.try_make(engine, r#""limits": {"memory_bytes": "512k"}"#, POLICY, offered(0)).unwrap();
        assert_eq!(instance.memory().unwrap().read(1024, 6).unwrap(), b"policy", "{engine}");
        let at = number(&mut instance, "alloc", &[Value::I32(4)]);
        instance.memory().unwrap().write(u64::try_from(at).unwrap(), &[1, 2, 3, 250]).unwrap();
        assert_eq!(number(&mut instance, "sum", &[Value::I32(at), Value::I32(4)]), 256, "{engine}");
        assert_eq!(number(&mut instance, "note", &[Value::I32(at + 3)]), 250, "{engine}");
        // It counts against the limit as any other: eight pages are all.
        assert_eq!(number(&mut instance, "grow", &[Value::I32(7)]), -1, "{engine}");
        assert_eq!(number(&mut instance, "grow", &[Value::I32(6)]), 2, "{engine}");
        assert_eq!(instance.memory().unwrap().size(), 512 << 10);
        assert_eq!(instance.usage().memory_pages, 8);
        instance.reset().unwrap();
        assert_eq!(number(&mut instance, "size", &[]), 2, "{engine}");
        assert_eq!(instance.memory().unwrap().read(4096, 4).unwrap(), [0; 4]);
        let mut larger = room.try_make(engine, "", POLICY, offered(5)).unwrap();
        assert_eq!(number(&mut larger, "size", &[]), 5, "{engine}");
    }
}

#[test]
fn a_memory_that_does_not_fit_is_refused() {
    let room = Room::new();
    for engine in engines() {
        let kind = |spec: &str, text: &str, imports| room.try_make(engine, spec, text, imports).unwrap_err().kind();
        let memory = |pages| Imports::new().memory("env", "memory", pages);
        // Nobody offers one, or not all.
        assert_eq!(kind("", POLICY, Imports::new()), ErrorKind::MissingImports);
        let two = r#"(module (import "env" "memory" (memory 1)) (import "env" "more" (memory 1)))"#;
        assert_eq!(kind("", two, memory(0)), ErrorKind::MissingImports);
        let twice = r#"(module (import "env" "memory" (memory 1)) (import "env" "memory" (memory 1)))"#;
        assert_eq!(kind("", twice, memory(0)), ErrorKind::Unsupported);
        // Above the limit, or above its own maximum.
        let one = r#"(module (import "env" "memory" (memory 2 3)))"#;
        assert_eq!(kind(r#""limits": {"memory_bytes": "64k"}"#, one, memory(0)), ErrorKind::LimitExceeded);
        assert_eq!(kind(r#""limits": {"memory_bytes": "128k"}"#, one, memory(3)), ErrorKind::LimitExceeded);
        assert_eq!(kind("", one, memory(4)), ErrorKind::InvalidInput);
        assert!(room.try_make(engine, r#""limits": {"memory_bytes": "192k"}"#, one, memory(3)).is_ok());
        let not_a_memory = r#"(module (import "env" "memory" (func)))"#;
        assert_eq!(kind("", not_a_memory, memory(1)), ErrorKind::MissingImports);
    }
}

#[test]
fn own_and_imported_memories_share_the_limit() {
    let room = Room::new();
    let text = r#"(module
        (import "env" "memory" (memory $theirs 1))
        (memory $mine 1)
        (export "mine" (memory $mine))
        (data (memory $mine) (i32.const 0) "mine")
        (data (memory $theirs) (i32.const 0) "theirs")
        (func (export "grow") (param i32) (result i32) (memory.grow $theirs (local.get 0)))
        (func (export "grow_mine") (param i32) (result i32) (memory.grow $mine (local.get 0))))"#;
    for engine in engines() {
        let imports = Imports::new().memory("env", "memory", 0);
        let mut instance = room.try_make(engine, r#""limits": {"memory_bytes": "384k"}"#, text, imports).unwrap();
        assert_eq!(instance.memory().unwrap().read(0, 6).unwrap(), b"theirs", "{engine}");
        assert_eq!(instance.memory_named("mine").unwrap().read(0, 4).unwrap(), b"mine", "{engine}");
        assert_eq!(number(&mut instance, "grow", &[Value::I32(2)]), 1, "{engine}");
        assert_eq!(number(&mut instance, "grow_mine", &[Value::I32(3)]), -1, "{engine}");
        assert_eq!(number(&mut instance, "grow_mine", &[Value::I32(2)]), 1, "{engine}");
        assert_eq!(number(&mut instance, "grow", &[Value::I32(1)]), -1, "{engine}");
    }
}

#[test]
fn a_guest_without_a_memory_has_none() {
    let room = Room::new();
    for engine in engines() {
        let text = r#"(module (import "my" "look" (func $look)) (memory 1) (func (export "look") (call $look)))"#;
        let imports = Imports::new().function("my", "look", FunctionType::default(), |caller, _| {
            assert_eq!(caller.memory().size(), 0);
            assert_eq!(caller.memory().read(0, 1).unwrap_err().kind(), ErrorKind::InvalidInput);
            Ok(Vec::new())
        });
        let mut instance = room.try_make(engine, "", text, imports).unwrap();
        assert_eq!(instance.memory().unwrap_err().kind(), ErrorKind::MissingExport, "{engine}");
        assert!(values(&mut instance, "look", &[]).is_empty());
        let mut empty = room.make(engine, "", r#"(module (memory (export "memory") 0) (func (export "f")))"#);
        assert_eq!(empty.memory().unwrap().size(), 0, "{engine}");
        assert!(call(&mut empty, "f", &[]).is_ok());
    }
}
