//! Exports: calling them, globals, and making many instances.

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
        (func (export "vector") (param v128)) (func (export "reference") (result funcref) (ref.null func)))"#,
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
        ("vector", &[]),
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
    let mut guests: Vec<_> = (0..3).map(|_| module.instantiate(&small(), &[], no_host()).unwrap()).collect();
    for round in 1..=3 {
        for guest in &mut guests {
            assert_eq!(guest.call("count", &[]).unwrap(), [Value::I32(round * 100 + round + 1)]);
        }
    }
}

/// Resident memory and the number of mappings.
fn footprint() -> (u64, usize) {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
    (resident * 4096, std::fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

#[test]
fn two_thousand_instances_of_one_module_leave_nothing_behind() {
    let wasm = wasm(
        r#"(module (import "" "end" (func $end (param i32))) (memory (export "memory") 4 8) (table 10 funcref)
        (tag $oops) (data (i32.const 0) "data")
        (func (export "run") (param i32)
          (memory.fill (i32.const 1000) (i32.const 1) (i32.const 200000))
          (call $end (local.get 0)) (throw $oops)))"#,
    );
    let module = artifacts::round_trip(&wasm, OPTIMIZED);
    let imports = imports(&wasm);
    let round = |index: i32| {
        let host = Host(|_, _: &mut [u8], args: &[u64], _: &mut [u64]| match args[0] % 3 {
            0 => Err(Ending::Exit(0)),
            1 => Err(Trap::new(TrapKind::BadPointer).with_detail("x".repeat(1000)).into()),
            _ => Ok(()),
        });
        let mut guest = module.instantiate(&info(&[(4, Some(8))]), &imports, Box::new(host)).unwrap();
        assert!(guest.call("run", &[Value::I32(index)]).is_err());
    };
    (0..200).for_each(round);
    let before = footprint();
    (0..2000).for_each(round);
    let after = footprint();
    // Other tests run in this process at the same time; 2,000 leaked guests would be 400 MiB and 2,000 mappings.
    assert!(after.0 < before.0 + (64 << 20), "resident bytes: {before:?}, then {after:?}");
    assert!(after.1 < before.1 + 500, "mappings: {before:?}, then {after:?}");
}

#[test]
fn making_the_engine_starts_no_threads_and_loading_does_not_either() {
    // In a process of its own, since the test harness has threads.
    const CHILD: &str = "WASMRT_TEST_COUNT_THREADS";
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    if std::env::var_os(CHILD).is_some() {
        let before = threads();
        let module = load("(module (memory 1) (func (export \"run\")) (func) (func) (func) (func))");
        module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[]).unwrap();
        assert!(!engine().fingerprint(OPTIMIZED).is_empty());
        assert_eq!(threads(), before);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::instances::making_the_engine_starts_no_threads_and_loading_does_not_either"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the child ran no test");
}
