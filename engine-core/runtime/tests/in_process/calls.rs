//! Values in, values out; what does not fit is refused before the guest runs.

use crate::room::{Room, call, engines, number, values};
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{ErrorKind, Tier, Value};
use wasmrt_runtime::{CancelHandle, Imports, Instance, Runtime};

const VALUES: &str = r#"(module
    (global $calls (mut i32) (i32.const 0))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "all") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
        (local.get 3) (local.get 2) (local.get 1) (local.get 0))
    (func (export "count") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls))
    (func (export "reference") (result externref) (ref.null extern))
    (func (export "nothing")))"#;

#[test]
fn values_of_every_number_type_survive() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", VALUES);
        assert_eq!(number(&mut instance, "add", &[Value::I32(i32::MAX), Value::I32(1)]), i32::MIN, "{engine}");
        // A signalling NaN with a payload, and a negative zero.
        let args = [Value::I32(-1), Value::I64(i64::MIN), Value::F32(0x7fa0_0001), Value::F64((-0.0f64).to_bits())];
        let mut back = args;
        back.reverse();
        assert_eq!(values(&mut instance, "all", &args), back, "{engine}");
        assert!(values(&mut instance, "nothing", &[]).is_empty());
    }
}

#[test]
fn a_guest_keeps_its_state_from_call_to_call() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", VALUES);
        assert_eq!([1, 2, 3].map(|_| number(&mut instance, "count", &[])), [1, 2, 3], "{engine}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_spends_nothing() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", VALUES);
        let kind =
            |instance: &mut Instance, export: &str, args: &[Value]| call(instance, export, args).unwrap_err().kind();
        assert_eq!(kind(&mut instance, "subtract", &[]), ErrorKind::MissingExport);
        assert_eq!(kind(&mut instance, "add", &[Value::I32(1)]), ErrorKind::InvalidInput);
        assert_eq!(kind(&mut instance, "add", &[Value::I32(1), Value::I64(1)]), ErrorKind::InvalidInput);
        assert_eq!(kind(&mut instance, "nothing", &[Value::I32(1)]), ErrorKind::InvalidInput);
        assert_eq!(kind(&mut instance, "reference", &[]), ErrorKind::Unsupported);
        assert!(instance.spent().is_none());
        assert_eq!(number(&mut instance, "count", &[]), 1, "{engine}");
    }
}

#[test]
fn a_vector_does_not_cross_where_there_are_vectors() {
    let room = Room::new();
    let text = r#"(module (func (export "vector") (result v128) (v128.const i64x2 1 2)))"#;
    for engine in engines() {
        // wasmer's compiler has none.
        let refused = match room.try_make(engine, "", text, Imports::new()) {
            Ok(mut instance) => call(&mut instance, "vector", &[]).unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{engine}");
    }
}

#[test]
fn exports_are_the_guests_own_and_the_meters_are_out_of_reach() {
    let room = Room::new();
    for engine in engines() {
        let text = r#"(module (memory (export "memory") 1) (start $s) (func $s) (func (export "f")))"#;
        let mut instance = room.make(engine, r#""limits": {"fuel": 1000}"#, text);
        let names: Vec<&str> = instance.exports().iter().map(|export| export.name.as_str()).collect();
        assert_eq!(names, ["memory", "f"]);
        assert!(matches!(instance.exports()[0].extern_type, ExternType::Memory(_)));
        assert_eq!(call(&mut instance, "wasmrt:start", &[]).unwrap_err().kind(), ErrorKind::MissingExport);
    }
}

#[test]
fn an_instance_goes_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Instance>();
    is_send::<Imports>();
    is_shared::<CancelHandle>();
    is_shared::<Runtime>();
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", VALUES);
        for expected in 1..=3 {
            instance = std::thread::spawn(move || {
                assert_eq!(number(&mut instance, "count", &[]), expected);
                instance
            })
            .join()
            .unwrap();
        }
        drop(instance);
    }
}

#[test]
fn each_engine_runs_the_tier_that_may_run_here() {
    let room = Room::new();
    for engine in engines() {
        let instance = room.make(engine, "", VALUES);
        let tier = match engine {
            "wasmedge" => Tier::Interpreter,
            "wasmer" => Tier::Baseline,
            _ => Tier::Optimized,
        };
        assert_eq!((instance.engine().as_str(), instance.tier()), (engine, tier));
    }
    assert_eq!(room.make("auto", "", VALUES).engine().as_str(), "wasmtime");
}
