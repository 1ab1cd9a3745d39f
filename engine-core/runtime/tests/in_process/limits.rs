//! Each limit: under, at, over, and around it. What cannot hold here is refused by name.

use crate::room::{LONG, Room, call, engines, limit_of, number, spec_of, trap_of, values};
use std::time::{Duration, Instant};
use wasmrt_runtime::model::{ErrorKind, ExitStatus, LimitKind, TrapKind, Value};
use wasmrt_runtime::{CallLimits, Imports, InstantiateOptions, Spent};

const LOOPS: &str = r#"(module
    (func (export "sum") (param $n i32) (result i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (local.get $n)))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "spin") (loop $again (br $again)))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 1)))))"#;

#[test]
fn fuel_is_counted_for_each_call_and_exactly() {
    let room = Room::new();
    let mut used = Vec::new();
    for engine in engines() {
        let mut instance = room.make(engine, r#""limits": {"fuel": 100000}"#, LOOPS);
        let args = [Value::I32(100)];
        let first = call(&mut instance, "sum", &args).unwrap();
        let fuel = first.usage.fuel.unwrap();
        used.push(fuel);
        // Each call starts with all of its fuel.
        for _ in 0..100_000 / fuel + 2 {
            assert_eq!(call(&mut instance, "sum", &args).unwrap().usage.fuel, Some(fuel), "{engine}");
        }
        let at = instance.call("sum", &args, CallLimits::default().with_fuel(fuel)).unwrap();
        assert_eq!(at.into_values().unwrap(), [Value::I32(5050)], "{engine}");
        let over = instance.call("sum", &args, CallLimits::default().with_fuel(fuel - 1)).unwrap();
        assert_eq!(limit_of(&over), Some(LimitKind::Fuel), "{engine}");
        assert!(matches!(instance.spent(), Some(Spent::Ended(ExitStatus::LimitReached { limit: LimitKind::Fuel }))));
        instance.reset().unwrap();
        let spin = call(&mut instance, "spin", &[]).unwrap();
        assert_eq!((limit_of(&spin), spin.usage.fuel), (Some(LimitKind::Fuel), Some(100_000)), "{engine}");
    }
    assert!(used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[test]
fn a_call_can_tighten_and_not_widen() {
    let room = Room::new();
    for engine in engines() {
        let mut metered = room.make(engine, r#""limits": {"fuel": 1000, "wall_time": 60}"#, LOOPS);
        let above = CallLimits::default().with_fuel(1001);
        assert_eq!(metered.call("sum", &[Value::I32(1)], above).unwrap_err().kind(), ErrorKind::Denied);
        let above = CallLimits::default().with_wall_time(Duration::from_secs(61));
        assert_eq!(metered.call("sum", &[Value::I32(1)], above).unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(number(&mut metered, "sum", &[Value::I32(1)]), 1);
        let mut unmetered = room.make(engine, "", LOOPS);
        let asked = unmetered.call("sum", &[Value::I32(1)], CallLimits::default().with_fuel(1000));
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(call(&mut unmetered, "sum", &[Value::I32(1)]).unwrap().usage.fuel, None);
    }
}

#[test]
fn call_depth_holds_for_each_call() {
    let room = Room::new();
    for engine in engines() {
        for (spec, depth) in
            [("", 4096), (r#""limits": {"call_depth": 100}"#, 100), (r#""limits": {"call_depth": 1}"#, 1)]
        {
            let mut instance = room.make(engine, spec, LOOPS);
            for _ in 0..3 {
                assert_eq!(number(&mut instance, "deep", &[Value::I32(depth - 1)]), depth, "{engine} {depth}");
            }
            let over = call(&mut instance, "deep", &[Value::I32(depth)]).unwrap();
            assert_eq!(trap_of(&over), Some(TrapKind::StackOverflow), "{engine} {depth}");
            instance.reset().unwrap();
            assert_eq!(number(&mut instance, "deep", &[Value::I32(depth - 1)]), depth, "{engine} {depth}");
        }
    }
}

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    let room = Room::new();
    let text = r#"(module (memory (export "memory") 1)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    for engine in engines() {
        let mut instance = room.make(engine, r#""limits": {"memory_bytes": "640k"}"#, text);
        assert_eq!(number(&mut instance, "grow", &[Value::I32(10)]), -1, "{engine}");
        assert_eq!(number(&mut instance, "grow", &[Value::I32(9)]), 1, "{engine}");
        assert_eq!(number(&mut instance, "grow", &[Value::I32(1)]), -1, "{engine}");
        assert_eq!(instance.usage().memory_pages, 10, "{engine}");
        assert_eq!(instance.memory().unwrap().size(), 640 << 10, "{engine}");
        let over = room.try_make(engine, r#""limits": {"memory_bytes": "64k"}"#, "(module (memory 2))", Imports::new());
        assert_eq!(over.unwrap_err().kind(), ErrorKind::LimitExceeded, "{engine}");
    }
}

#[test]
fn a_deadline_ends_a_guest_that_computes() {
    let room = Room::new();
    for engine in engines() {
        let mut instance = room.make(engine, "", LOOPS);
        let limits = CallLimits::default().with_wall_time(Duration::from_millis(50));
        let started = Instant::now();
        let ended = instance.call("spin", &[], limits).unwrap();
        assert_eq!(limit_of(&ended), Some(LimitKind::WallTime), "{engine}");
        assert!(ended.usage.wall_time >= Duration::from_millis(50) && started.elapsed() < LONG, "{engine}");
        assert_eq!(call(&mut instance, "sum", &[Value::I32(1)]).unwrap_err().kind(), ErrorKind::InvalidInput);
        // Later calls are not the worse for it, with and without a deadline, and an earlier deadline than the last one counts.
        instance.reset().unwrap();
        assert_eq!(number(&mut instance, "sum", &[Value::I32(100)]), 5050, "{engine}");
        let long = CallLimits::default().with_wall_time(LONG);
        assert_eq!(instance.call("sum", &[Value::I32(9)], long).unwrap().into_values().unwrap(), [Value::I32(45)]);
        assert_eq!(limit_of(&instance.call("spin", &[], limits).unwrap()), Some(LimitKind::WallTime), "{engine}");
    }
}

#[test]
fn many_deadlines_at_once_end_the_right_guests() {
    let room = Room::new();
    for engine in engines() {
        let mut instances: Vec<_> = (0..6).map(|_| room.make(engine, "", LOOPS)).collect();
        std::thread::scope(|scope| {
            for (index, instance) in (0u64..).zip(&mut instances) {
                scope.spawn(move || {
                    for round in 0..20u64 {
                        if (round + index).is_multiple_of(3) {
                            let limits = CallLimits::default().with_wall_time(Duration::from_millis(2 + round));
                            let ended = instance.call("spin", &[], limits).unwrap();
                            assert_eq!(limit_of(&ended), Some(LimitKind::WallTime));
                            instance.reset().unwrap();
                        } else {
                            let limits = CallLimits::default().with_wall_time(LONG);
                            let ended = instance.call("sum", &[Value::I32(1000)], limits).unwrap();
                            assert_eq!(ended.into_values().unwrap(), [Value::I32(500_500)]);
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn start_up_is_bounded_too() {
    let room = Room::new();
    let texts = [
        r#"(module (start $s) (func $s (loop $again (br $again))) (func (export "f")))"#,
        r#"(module (func (export "_initialize") (loop $again (br $again))) (func (export "f")))"#,
    ];
    for engine in engines() {
        for text in texts {
            for (spec, limit) in [
                (r#""limits": {"wall_time": 0.05}"#, LimitKind::WallTime),
                (r#""limits": {"fuel": 1000}"#, LimitKind::Fuel),
            ] {
                let mut instance = room.make(engine, spec, text);
                let spent = Spent::Ended(ExitStatus::LimitReached { limit });
                assert_eq!(instance.spent(), Some(&spent), "{engine}");
                assert_eq!(call(&mut instance, "f", &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
                instance.reset().unwrap();
                assert_eq!(instance.spent(), Some(&spent), "{engine}");
            }
        }
    }
}

#[test]
fn start_up_runs_once_for_each_guest() {
    let room = Room::new();
    let text = r#"(module (global $g (mut i32) (i32.const 0)) (start $s)
        (func $s (global.set $g (i32.add (global.get $g) (i32.const 1))))
        (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 10))))
        (func (export "get") (result i32) (global.get $g)))"#;
    for engine in engines() {
        let mut instance = room.make(engine, "", text);
        assert_eq!(values(&mut instance, "get", &[]), values(&mut instance, "get", &[]));
        assert_eq!(number(&mut instance, "get", &[]), 11, "{engine}");
        instance.reset().unwrap();
        assert_eq!(number(&mut instance, "get", &[]), 11, "{engine}");
    }
}

#[test]
fn what_cannot_hold_here_is_refused_by_name() {
    let room = Room::new();
    for engine in engines() {
        for (spec, named) in [
            (r#""limits": {"cpu_time": 1}"#, "cpu_time"),
            (r#""limits": {"compile_time": 1}"#, "compile_time"),
            (r#""limits": {"call_depth": "unlimited"}"#, "call_depth"),
            (r#""limits": {"call_depth": 32769}"#, "call_depth"),
            (r#""network": {"allow": ["connect=*:443"]}"#, "network"),
        ] {
            let error = room.try_make(engine, spec, LOOPS, Imports::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{engine} {spec}");
            assert!(error.message().contains(named), "{error}");
        }
        let module = wat::parse_str(LOOPS).unwrap();
        let mut spec = spec_of(engine, "");
        spec.isolation = wasmrt_runtime::model::IsolationLevel::Process;
        let made = room.runtime.instantiate(&module, &spec, Imports::new(), InstantiateOptions::default());
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
        let entry = r#""entry": {"invoke": {"name": "sum", "args": ["1"]}}"#;
        let made = room.try_make(engine, entry, LOOPS, Imports::new());
        assert_eq!(made.unwrap_err().kind(), ErrorKind::InvalidInput);
        // A run is something else, and says so.
        let run = room.runtime.run(&module, &spec_of(engine, ""), wasmrt_runtime::RunOptions::default());
        assert_eq!(run.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn native_code_of_wasmedge_is_refused_by_name() {
    let room = Room::new();
    if !engines().contains(&"wasmedge") {
        return;
    }
    for (spec, named) in [(r#""aot": "always""#, "aot"), (r#""optimize": 0"#, "optimize")] {
        let error = room.try_make("wasmedge", spec, LOOPS, Imports::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(named) && error.message().contains("native code of wasmedge"), "{error}");
    }
    assert_eq!(number(&mut room.make("wasmedge", r#""aot": "never""#, LOOPS), "sum", &[Value::I32(2)]), 3);
    let error = room.try_make("wasmtime", r#""aot": "never""#, LOOPS, Imports::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
