//! Exports: calling them, globals, memories, and making many instances.

use super::*;
use wasmrt_model::ErrorKind;

fn invalid<T: fmt::Debug>(result: Result<T, Ending>) -> bool {
    matches!(&result, Err(Ending::Failed(error)) if error.kind() == ErrorKind::InvalidInput)
}

#[test]
fn calls_check_names_and_arguments() {
    let mut guest = instance(
        r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i64) (result i64)
          (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
        (func (export "reference") (result funcref) (ref.null func)))"#,
    );
    let fine = [Value::I32(-1), Value::I64(i64::MIN)];
    assert_eq!(guest.call("add", &fine).unwrap(), [Value::I64(i64::MAX)]);
    for (export, args) in [
        ("missing", &fine[..]),
        ("memory", &[]),
        ("add", &[]),
        ("add", &fine[..1]),
        ("add", &[Value::I64(1), Value::I64(1)]),
        ("add", &[fine[0], fine[1], fine[0]]),
        ("reference", &[]),
    ] {
        assert!(invalid(guest.call(export, args)), "{export} {args:?}");
    }
    assert_eq!(guest.call("add", &fine).unwrap(), [Value::I64(i64::MAX)]);
}

#[test]
fn values_keep_their_bits_through_a_call() {
    let mut guest = instance(
        r#"(module (func (export "swap") (param f32 f64 i32 i64) (result i64 i32 f64 f32)
          (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#,
    );
    let args = [Value::F32(0xffa0_0001), Value::F64(0x7ff4_0000_0000_0001), Value::I32(i32::MIN), Value::I64(i64::MIN)];
    let mut back = guest.call("swap", &args).unwrap();
    back.reverse();
    assert_eq!(back, args);
}

#[test]
fn globals_are_read_and_set_by_type() {
    let mut guest = instance(
        r#"(module (global (export "i") (mut i32) (i32.const 1)) (global (export "l") i64 (i64.const 2))
        (global (export "f") (mut f32) (f32.const nan:0x200000)) (global (export "d") (mut f64) (f64.const 1))
        (global (export "r") (mut funcref) (ref.null func)) (func (export "get") (result i32) (global.get 0)))"#,
    );
    assert_eq!(guest.global("i"), Some(Value::I32(1)));
    assert_eq!(guest.global("l"), Some(Value::I64(2)));
    assert_eq!(guest.global("f"), Some(Value::F32(0x7fa0_0000)));
    for absent in ["r", "get", "missing"] {
        assert_eq!(guest.global(absent), None);
        assert!(!guest.set_global(absent, Value::I32(0)));
    }
    assert!(!guest.set_global("l", Value::I64(9)), "it is constant");
    assert!(!guest.set_global("i", Value::I64(9)), "it has another type");
    assert!(guest.set_global("i", Value::I32(-9)));
    assert_eq!(guest.call("get", &[]).unwrap(), [Value::I32(-9)]);
    assert!(guest.set_global("d", Value::F64(0xfff4_0000_0000_0001)));
    assert_eq!(guest.global("d"), Some(Value::F64(0xfff4_0000_0000_0001)));
}

#[test]
fn instances_share_nothing() {
    let module = load(
        r#"(module (memory 1 2) (global $count (mut i32) (i32.const 0)) (data (i32.const 0) "\01")
        (func (export "count") (result i32)
          (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (i32.add (i32.mul (global.get $count) (i32.const 100)) (i32.load8_u (i32.const 0)))))"#,
    );
    let mut guests: Vec<_> = (0..3).map(|_| module.instantiate(&info(), &[], no_host()).unwrap()).collect();
    for round in 1..=3 {
        for guest in &mut guests {
            assert_eq!(guest.call("count", &[]).unwrap(), [Value::I32(round * 100 + round + 1)]);
        }
    }
}

#[test]
fn all_memories_count_exported_or_not() {
    let mut guest = instance(
        r#"(module (memory $a 1 9) (memory $b (export "memory") 2 3) (func (export "grow") (param i32) (result i32)
          (drop (memory.grow $b (local.get 0))) (memory.grow $a (local.get 0))))"#,
    );
    assert_eq!(guest.memory_pages(), 3);
    assert_eq!(guest.call("grow", &[Value::I32(1)]).unwrap(), [Value::I32(1)]);
    assert_eq!(guest.memory_pages(), 5);
    assert_eq!(guest.call("grow", &[Value::I32(4)]).unwrap(), [Value::I32(2)], "the second is full, the first is not");
    assert_eq!(guest.memory_pages(), 9);
    assert_eq!(guest.call("grow", &[Value::I32(4)]).unwrap(), [Value::I32(-1)]);
    assert_eq!(guest.memory_pages(), 9);
}

/// Resident memory that no file stands for, and the number of mappings.
fn footprint() -> (i64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    let kib: i64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (kib * 1024, std::fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

#[test]
fn thousands_of_instances_leave_nothing_behind() {
    // In a process of its own, where no other test allocates.
    run_alone("instances::child_makes_thousands_of_instances", "");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_makes_thousands_of_instances() {
    let wasm = wasm(
        r#"(module (import "" "end" (func $end (param i32))) (memory (export "memory") 4 8) (table 10 funcref)
        (data (i32.const 0) "data")
        (func (export "run") (param i32)
          (memory.fill (i32.const 1000) (i32.const 1) (i32.const 200000))
          (call $end (local.get 0)) unreachable))"#,
    );
    let module = artifacts::round_trip(&wasm);
    let imports = imports(&wasm);
    let round = |index: i32| {
        let host = Host(|_, _: &mut [u8], args: &[u64], _: &mut [u64]| match args[0] % 3 {
            0 => Err(Ending::Exit(0)),
            1 => Err(Trap::new(TrapKind::BadPointer).with_detail("x".repeat(1000)).into()),
            _ => Ok(()),
        });
        let mut guest = module.instantiate(&info(), &imports, Box::new(host)).unwrap();
        assert!(guest.call("run", &[Value::I32(index)]).is_err());
    };
    (0..400).for_each(round);
    let before = footprint();
    (0..2000).for_each(round);
    let after = footprint();
    assert!(after.0 < before.0 + (1 << 20), "resident bytes: {before:?}, then {after:?}");
    assert!(after.1 < before.1 + 10, "mappings: {before:?}, then {after:?}");
}

#[test]
fn thousands_of_modules_leave_nothing_behind() {
    run_alone("instances::child_loads_thousands_of_modules", "");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_loads_thousands_of_modules() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(&wasm(r#"(module (func (export "run")))"#), BASELINE, &path).unwrap();
    let engine = engine();
    let round = |_| {
        let module = engine.load(Code::Artifact(std::fs::File::open(&path).unwrap())).unwrap();
        module.instantiate(&info(), &[], no_host()).unwrap().call("run", &[]).unwrap();
    };
    (0..400).for_each(round);
    let before = footprint();
    (0..2000).for_each(round);
    let after = footprint();
    assert!(after.0 < before.0 + (1 << 20), "resident bytes: {before:?}, then {after:?}");
    assert!(after.1 < before.1 + 10, "mappings: {before:?}, then {after:?}");
}

#[test]
fn an_instance_outlives_its_module() {
    let module = artifacts::round_trip(&wasm(r#"(module (func (export "run") (result i32) (i32.const 42)))"#));
    let mut guest = module.instantiate(&info(), &[], no_host()).unwrap();
    drop(module);
    assert_eq!(guest.call("run", &[]).unwrap(), [Value::I32(42)]);
}

#[test]
fn making_the_engine_starts_no_threads_and_loading_an_artifact_does_not_either() {
    run_alone("instances::child_counts_threads", "");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_counts_threads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    assert!(!engine().fingerprint(BASELINE).is_empty());
    assert_eq!(threads(), before);
    engine().compile(&wasm(r#"(module (func (export "run")))"#), BASELINE, &path).unwrap();
    let compiled = threads();
    let module = engine().load(Code::Artifact(std::fs::File::open(&path).unwrap())).unwrap();
    module.instantiate(&info(), &[], no_host()).unwrap().call("run", &[]).unwrap();
    assert!(threads() <= compiled);
}
