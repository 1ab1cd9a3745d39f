//! Endless recursion on threads with little stack: a trap, whatever the engine and the depth that was asked for.

use crate::room::{Room, call, engines, number, trap_of};
use wasmrt_runtime::model::{ErrorKind, TrapKind, Value};
use wasmrt_runtime::{CallLimits, Imports};

fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(bytes).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Recursion without an end: plain, mutual through a table, and with frames that are as large as frames that count once get.
fn guests() -> Vec<String> {
    let plain = "(func $f (export \"f\") (param i64) (result i64) (i64.add (i64.const 1) (call $f (local.get 0))))";
    let mutual = r#"(type $t (func (param i64) (result i64))) (table 2 funcref) (elem (i32.const 0) $f $g)
        (func $f (export "f") (type $t) (i64.add (local.get 0) (call_indirect (type $t) (local.get 0) (i32.const 1))))
        (func $g (type $t) (i64.add (local.get 0) (call_indirect (type $t) (local.get 0) (i32.const 0))))"#;
    let locals =
        (0..250).map(|n| format!("(local.set {n} (i64.add (local.get {n}) (local.get 0)))")).collect::<String>();
    let used = (1..250).fold("(local.get 0)".to_owned(), |sum, n| format!("(i64.xor {sum} (local.get {n}))"));
    let wide = format!(
        "(func $f (export \"f\") (param i64) (result i64) (local {}) {locals} (i64.add (call $f {used}) {used}))",
        "i64 ".repeat(250)
    );
    [plain, mutual, &wide]
        .map(|functions| format!("(module {functions} (func (export \"one\") (result i32) (i32.const 1)))"))
        .to_vec()
}

#[test]
fn endless_recursion_is_a_trap_on_a_small_stack() {
    let room = Room::new();
    for engine in engines() {
        for guest in guests() {
            for spec in ["", r#""limits": {"call_depth": 32768}"#] {
                on_stack(2 << 20, || {
                    let mut instance = room.make(engine, spec, &guest);
                    for _ in 0..3 {
                        let ended = call(&mut instance, "f", &[Value::I64(1)]).unwrap();
                        assert_eq!(trap_of(&ended), Some(TrapKind::StackOverflow), "{engine} {spec}");
                        instance.reset().unwrap();
                    }
                    assert_eq!(number(&mut instance, "one", &[]), 1);
                });
            }
        }
    }
}

#[test]
fn a_stack_that_does_not_do_is_refused_and_the_instance_stays_good() {
    let room = Room::new();
    let mut instance = room.make("wasmtime", "", &guests()[0]);
    let refused = on_stack(256 << 10, || {
        // A thread may be given a larger stack that another one left behind: then the call just works.
        match instance.call("one", &[], CallLimits::default()) {
            Ok(outcome) => outcome.into_values().unwrap().len() == 1,
            Err(error) => error.kind() == ErrorKind::Unsupported,
        }
    });
    assert!(refused && instance.spent().is_none());
    assert_eq!(number(&mut instance, "one", &[]), 1);
}

#[test]
fn a_host_function_has_stack_left() {
    let room = Room::new();
    let text = r#"(module (import "my" "deep" (func $deep))
        (func $f (export "f") (param i32)
            (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $deep)))))"#;
    for engine in engines() {
        on_stack(2 << 20, || {
            fn deeper(levels: usize) -> usize {
                let frame = std::hint::black_box([1u8; 16 << 10]);
                let below = if levels == 0 { 0 } else { deeper(levels - 1) };
                below + usize::from(std::hint::black_box(frame)[0])
            }
            let imports = Imports::new().function("my", "deep", Default::default(), |_, _| {
                assert_eq!(deeper(20), 21);
                Ok(Vec::new())
            });
            let mut instance = room.try_make(engine, "", text, imports).unwrap();
            let ended = call(&mut instance, "f", &[Value::I32(4000)]).unwrap();
            assert!(ended.into_values().unwrap().is_empty(), "{engine}");
        });
    }
}
