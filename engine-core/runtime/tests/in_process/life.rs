//! Many instances and many resets: nothing is left behind, nothing of the embedder's is touched.

use crate::room::{LONG, Room, call, engines, number};
use std::time::Duration;
use wasmrt_runtime::model::{ExitStatus, FunctionType, TrapKind, Value};
use wasmrt_runtime::{CallLimits, Imports, Spent};

const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (memory (export "memory") 1)
    (func (export "yield") (result i32) (call $yield))
    (func (export "spin") (loop $again (br $again))))"#;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn resets_leave_no_descriptor_and_no_thread_behind() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, r#""limits": {"wall_time": 60}"#, GUEST);
        instance.cancel_handle().unwrap();
        assert_eq!(number(&mut instance, "yield", &[]), 0);
        instance.reset().unwrap();
        let (descriptors, running) = (open_descriptors(), threads());
        for _ in 0..200 {
            assert_eq!(number(&mut instance, "yield", &[]), 0);
            instance.reset().unwrap();
        }
        assert_eq!(open_descriptors(), descriptors, "{engine}");
        // A thread that has done its work may take a moment to be gone.
        assert!(threads() <= running + 2, "{engine}: {} threads, {running} before", threads());
    }
}

#[test]
fn instances_leave_nothing_behind() {
    let room = Room::new();
    for engine in engines() {
        drop(room.make(engine, "", GUEST));
        let descriptors = open_descriptors();
        for _ in 0..100 {
            let mut instance = room.make(engine, "", GUEST);
            assert_eq!(number(&mut instance, "yield", &[]), 0);
        }
        assert_eq!(open_descriptors(), descriptors, "{engine}");
    }
}

#[test]
fn a_handle_outlives_its_instance() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", GUEST);
        let handle = instance.cancel_handle().unwrap();
        drop(instance);
        assert!(!handle.cancel(), "{engine}");
    }
}

#[test]
fn an_instance_outlives_its_runtime() {
    for engine in engines() {
        let room = Room::new();
        let mut instance = room.make(engine, "", GUEST);
        drop(room);
        assert_eq!(number(&mut instance, "yield", &[]), 0);
        let limits = CallLimits::default().with_wall_time(Duration::from_millis(20));
        assert!(instance.call("spin", &[], limits).unwrap().into_values().is_err(), "{engine}");
        instance.reset().unwrap();
        assert_eq!(number(&mut instance, "yield", &[]), 0);
    }
}

#[test]
fn a_guest_that_cannot_start_is_spent_from_the_start() {
    let room = Room::new();
    for (text, kind) in [
        (r#"(module (memory 1) (data (i32.const 65536) "x") (func (export "f")))"#, TrapKind::MemoryOutOfBounds),
        (r#"(module (start $s) (func $s (unreachable)) (func (export "f")))"#, TrapKind::Unreachable),
    ] {
        for engine in engines() {
            let mut instance = room.make(engine, "", text);
            for _ in 0..2 {
                match instance.spent() {
                    Some(Spent::Ended(ExitStatus::Trapped { trap })) => assert_eq!(trap.kind, kind, "{engine}"),
                    other => panic!("{engine}: {other:?}"),
                }
                assert!(call(&mut instance, "f", &[]).is_err());
                instance.reset().unwrap();
            }
        }
    }
}

#[test]
fn an_instance_within_a_host_function_of_another() {
    let room = Room::new();
    for outer in engines() {
        for inner in engines() {
            let text =
                r#"(module (func $f (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
            let mut doubling = room.make(inner, "", text);
            let signature =
                FunctionType::new(&[wasmrt_runtime::model::ValueType::I32], &[wasmrt_runtime::model::ValueType::I32]);
            let imports = Imports::new().function("my", "double", signature, move |_, args| {
                let limits = CallLimits::default().with_wall_time(LONG);
                Ok(doubling.call("f", args, limits)?.into_values().unwrap())
            });
            let text = r#"(module (import "my" "double" (func $d (param i32) (result i32)))
                (func (export "g") (param i32) (result i32) (i32.add (i32.const 1) (call $d (local.get 0)))))"#;
            let mut instance = room.try_make(outer, "", text, imports).unwrap();
            assert_eq!(number(&mut instance, "g", &[Value::I32(20)]), 41, "{outer} {inner}");
        }
    }
}

/// Which signals have a handler, as the kernel sees it.
fn caught_signals() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned()
}

#[test]
fn the_interpreter_of_wasmedge_leaves_signals_alone() {
    if !engines().contains(&"wasmedge") {
        return;
    }
    let room = Room::new();
    let before = caught_signals();
    let expected = before.clone();
    let text = r#"(module (import "my" "look" (func $look)) (memory 1)
        (func (export "look") (call $look))
        (func (export "load") (drop (i32.load (i32.const -1)))))"#;
    let imports = Imports::new().function("my", "look", FunctionType::default(), move |_, _| {
        assert_eq!(caught_signals(), expected);
        Ok(Vec::new())
    });
    let mut instance = room.try_make("wasmedge", "", text, imports).unwrap();
    instance.cancel_handle().unwrap();
    assert!(call(&mut instance, "look", &[]).unwrap().into_values().is_ok());
    assert!(call(&mut instance, "load", &[]).unwrap().into_values().is_err());
    assert_eq!(caught_signals(), before);
}
