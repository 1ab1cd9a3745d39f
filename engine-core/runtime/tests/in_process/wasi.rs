//! The one WASI host, for guests in this process.

use crate::room::{Room, call, engines, limit_of, number, spec_of};
use wasmrt_runtime::model::{ErrorKind, ExitStatus, FunctionType, LimitKind, Value, ValueType};
use wasmrt_runtime::{CallEnd, Imports, InstantiateOptions};

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\40\00\00\00\06\00\00\00\80\00\00\00\10\00\00\00")
    (data (i32.const 64) "hello\n")
    (func (export "say") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (func (export "read") (result i32)
        (drop (call $read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 32))) (i32.load (i32.const 32)))
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))) (call $exit (i32.const 3))))"#;

#[test]
fn a_command_runs_and_its_exit_ends_the_guest() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, r#""stdio": {"stdout": {"capture": {}}}"#, COMMAND);
        assert!(instance.spent().is_none());
        let ended = call(&mut instance, "_start", &[]).unwrap();
        assert_eq!(ended.end, CallEnd::Ended(ExitStatus::Exited { code: 3 }), "{engine}");
        assert_eq!(instance.take_stdout().unwrap().unwrap(), b"hello\n", "{engine}");
        assert_eq!(call(&mut instance, "say", &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(instance.usage().output_bytes, 6);
        instance.reset().unwrap();
        assert_eq!(instance.usage().output_bytes, 0);
        assert_eq!(number(&mut instance, "say", &[]), 0);
        assert_eq!(number(&mut instance, "say", &[]), 0);
        assert_eq!(instance.take_stdout().unwrap().unwrap(), b"hello\nhello\n", "{engine}");
        assert_eq!(instance.take_stdout().unwrap().unwrap(), b"", "{engine}");
        assert!(instance.take_stderr().unwrap().is_none());
    }
}

#[test]
fn input_starts_anew_with_each_guest() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, r#""stdio": {"stdin": {"bytes": "0123456789"}}"#, COMMAND);
        for _ in 0..2 {
            assert_eq!((number(&mut instance, "read", &[]), number(&mut instance, "read", &[])), (10, 0), "{engine}");
            assert_eq!(instance.memory().unwrap().read(128, 10).unwrap(), b"0123456789");
            instance.reset().unwrap();
        }
    }
}

#[test]
fn output_ends_a_guest_at_its_limit() {
    let room = Room::new();
    for engine in engines() {
        let spec = r#""stdio": {"stdout": {"capture": {}}}, "limits": {"output_bytes": 15}"#;
        let mut instance = room.make(engine, spec, COMMAND);
        assert_eq!((number(&mut instance, "say", &[]), number(&mut instance, "say", &[])), (0, 0));
        assert_eq!(limit_of(&call(&mut instance, "say", &[]).unwrap()), Some(LimitKind::OutputBytes), "{engine}");
        assert_eq!(instance.take_stdout().unwrap().unwrap(), b"hello\nhello\nhel", "{engine}");
    }
}

#[test]
fn files_are_those_of_the_preopens() {
    let room = Room::new();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("in"), "content").unwrap();
    let text = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "in") (data (i32.const 8) "../in") (data (i32.const 16) "\80\00\00\00\10\00\00\00")
        (func (export "open") (param i32 i32) (result i32)
            (call $open (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (i32.const 0) (i64.const 2) (i64.const 0)
                (i32.const 0) (i32.const 32)))
        (func (export "read") (result i32)
            (drop (call $read (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 36))) (i32.load (i32.const 36))))"#;
    for engine in engines() {
        let spec =
            format!(r#""preopens": [{{"host": "{}", "guest": "/data", "access": "ro"}}]"#, directory.path().display());
        let mut instance = room.make(engine, &spec, text);
        for _ in 0..2 {
            assert_eq!(number(&mut instance, "open", &[Value::I32(0), Value::I32(2)]), 0, "{engine}");
            assert_eq!(number(&mut instance, "read", &[]), 7, "{engine}");
            assert_eq!(instance.memory().unwrap().read(128, 7).unwrap(), b"content");
            assert_ne!(number(&mut instance, "open", &[Value::I32(8), Value::I32(5)]), 0, "{engine}");
            assert!(!instance.refusals().is_empty());
            instance.reset().unwrap();
            assert!(instance.refusals().is_empty());
        }
        // Named, whether the guest can use it or not.
        let missing = r#""preopens": [{"host": "/nonexistent/of/all", "guest": "/data"}]"#;
        let made = room.try_make(engine, missing, "(module)", Imports::new());
        assert_eq!(made.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn an_embedder_can_stand_in_for_a_function_of_wasi() {
    let room = Room::new();
    for engine in engines() {
        let signature = FunctionType::new(&[ValueType::I32; 4], &[ValueType::I32]);
        let imports =
            Imports::new().function("wasi_snapshot_preview1", "fd_write", signature, |_, _| Ok(vec![Value::I32(76)]));
        let module = wat::parse_str(COMMAND).unwrap();
        let spec = spec_of(engine, r#""stdio": {"stdin": {"bytes": "12"}}"#);
        let made = room.runtime.instantiate(&module, &spec, imports, InstantiateOptions::default());
        let mut instance = made.unwrap();
        assert_eq!((number(&mut instance, "say", &[]), number(&mut instance, "read", &[])), (76, 2), "{engine}");
    }
}
