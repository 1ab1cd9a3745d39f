//! Ending a call from another thread.

use crate::room::{LONG, Room, call, engines, number, values};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use wasmrt_runtime::model::{ErrorKind, FunctionType, Value};
use wasmrt_runtime::{CallLimits, CancelHandle, Imports, Instance, Spent};

const GUEST: &str = r#"(module
    (import "env" "begun" (func $begun))
    (memory (export "memory") 1)
    (func (export "spin") (i32.store8 (i32.const 7) (i32.const 42)) (call $begun) (loop $again (br $again)))
    (func $recur (export "recur") (call $begun) (loop $again (call $nothing) (br $again)))
    (func $nothing)
    (func (export "one") (result i32) (i32.const 1)))"#;

/// An instance, and what hears of it when the guest has begun.
fn made(room: &Room, engine: &str) -> (Instance, mpsc::Receiver<()>) {
    let (begun, hears) = mpsc::channel();
    let imports = Imports::new().function("env", "begun", FunctionType::default(), move |_, _| {
        begun.send(()).unwrap();
        Ok(Vec::new())
    });
    (room.try_make(engine, "", GUEST, imports).unwrap(), hears)
}

/// Cancels the next call, as soon as there is one.
fn cancel_soon(handle: &CancelHandle) -> std::thread::JoinHandle<()> {
    let handle = handle.clone();
    std::thread::spawn(move || {
        let started = Instant::now();
        while !handle.cancel() {
            assert!(started.elapsed() < LONG, "there never was a call");
            std::thread::yield_now();
        }
    })
}

#[test]
fn a_handle_ends_the_call_and_nothing_else() {
    let room = Room::new();
    for engine in engines() {
        let (mut instance, _begun) = made(&room, engine);
        let handle = instance.cancel_handle().unwrap();
        for export in ["spin", "recur", "spin"] {
            // Without a call nothing happens, and the next call does not suffer.
            assert!(!handle.cancel());
            assert_eq!(number(&mut instance, "one", &[]), 1);
            let canceller = cancel_soon(&handle);
            let error = call(&mut instance, export, &[]).unwrap_err();
            canceller.join().unwrap();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{engine} {export}");
            assert!(matches!(instance.spent(), Some(Spent::Failed { kind: ErrorKind::Cancelled, .. })));
            assert_eq!(call(&mut instance, "one", &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
            // What it left behind can be looked at.
            assert!(instance.memory().unwrap().size() == 65536);
            instance.reset().unwrap();
        }
        assert_eq!(number(&mut instance, "one", &[]), 1);
    }
}

#[test]
fn a_guest_that_has_done_something_is_ended_where_it_is() {
    let room = Room::new();
    for engine in engines() {
        let (mut instance, begun) = made(&room, engine);
        let handle = instance.cancel_handle().unwrap();
        let canceller = std::thread::spawn(move || {
            begun.recv().unwrap();
            assert!(handle.cancel());
            assert!(!handle.cancel());
        });
        assert_eq!(call(&mut instance, "spin", &[]).unwrap_err().kind(), ErrorKind::Cancelled);
        canceller.join().unwrap();
        assert_eq!(instance.memory().unwrap().read(7, 1).unwrap(), [42], "{engine}");
        instance.reset().unwrap();
        assert_eq!(instance.memory().unwrap().read(7, 1).unwrap(), [0], "{engine}");
    }
}

#[test]
fn others_go_on() {
    let room = Room::new();
    let sum = r#"(module (func (export "sum") (param $n i32) (result i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (local.get $n)))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;
    for engine in engines() {
        let mut bystander = room.make(engine, "", sum);
        bystander.cancel_handle().unwrap();
        let (done, is_done) = mpsc::channel();
        let watched = std::thread::spawn(move || {
            for _ in 0..20 {
                assert_eq!(values(&mut bystander, "sum", &[Value::I32(50_000)]), [Value::I32(1_250_025_000)]);
            }
            done.send(()).unwrap();
        });
        let (mut instance, _begun) = made(&room, engine);
        let handle = instance.cancel_handle().unwrap();
        while is_done.try_recv().is_err() && !watched.is_finished() {
            let canceller = cancel_soon(&handle);
            assert_eq!(call(&mut instance, "spin", &[]).unwrap_err().kind(), ErrorKind::Cancelled);
            canceller.join().unwrap();
            instance.reset().unwrap();
        }
        watched.join().unwrap();
    }
}

#[test]
fn a_guest_that_waits_for_the_host_is_ended_too() {
    let room = Room::new();
    // Sleeps for an hour, or reads a pipe that nobody writes to.
    let text = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 48) "\00\01\00\00\10\00\00\00")
        (func (export "sleep") (result i32)
            (i64.store (i32.const 24) (i64.const 3600000000000))
            (i32.store (i32.const 16) (i32.const 1))
            (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
        (func (export "read") (result i32) (call $read (i32.const 0) (i32.const 48) (i32.const 1) (i32.const 128)))
        (func (export "one") (result i32) (i32.const 1)))"#;
    for engine in engines() {
        for export in ["sleep", "read"] {
            let (reader, _writer) = rustix::pipe::pipe().unwrap();
            let mut options = wasmrt_runtime::InstantiateOptions::default();
            options.piped.stdin = Some(reader);
            let module = wat::parse_str(text).unwrap();
            let spec = crate::room::spec_of(engine, r#""stdio": {"stdin": "piped"}"#);
            let mut instance = room.runtime.instantiate(&module, &spec, Imports::new(), options).unwrap();
            let limits = CallLimits::default().with_wall_time(Duration::from_millis(30));
            let ended = instance.call(export, &[], limits).unwrap();
            let limit = wasmrt_runtime::model::LimitKind::WallTime;
            assert_eq!(crate::room::limit_of(&ended), Some(limit), "{engine} {export}");
            instance.reset().unwrap();
            let canceller = cancel_soon(&instance.cancel_handle().unwrap());
            assert_eq!(call(&mut instance, export, &[]).unwrap_err().kind(), ErrorKind::Cancelled, "{engine} {export}");
            canceller.join().unwrap();
            instance.reset().unwrap();
            assert_eq!(number(&mut instance, "one", &[]), 1);
        }
    }
}
