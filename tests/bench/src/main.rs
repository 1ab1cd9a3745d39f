//! Nanoseconds for a call of an instance and for a reset, on each engine of this machine, beside wasmtime used directly: a typed call, and a new
//! store with an instance. Everything is measured in turns in one process, so that what else the machine does falls on all alike; what counts are
//! the ratios. Prints one line for each figure.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program that measures, for people to read")]

use std::error::Error;
use std::time::{Duration, Instant};
use wasmrt_model::{FunctionType, RunSpec, Value, ValueType};
use wasmrt_runtime::{CallLimits, Imports, Instance, InstantiateOptions, Runtime, RuntimeConfig};

const GUEST: &str = r#"(module
    (import "env" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "host") (param i32 i32) (result i32) (call $f (local.get 0))))"#;

const ROUNDS: usize = 15;

type Work<'a> = Box<dyn FnMut() + 'a>;

/// The median over all rounds of what one of so many calls takes, in nanoseconds, for each of these; one after the other in each round.
fn measure(works: &mut [(String, u32, Work<'_>)]) -> Vec<f64> {
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); works.len()];
    for _ in 0..=ROUNDS {
        for ((_, times, work), taken) in works.iter_mut().zip(&mut taken) {
            let started = Instant::now();
            for _ in 0..*times {
                work();
            }
            taken.push(started.elapsed() / *times);
        }
    }
    let median = |taken: &mut Vec<Duration>| {
        // The first round warms up.
        taken.remove(0);
        taken.sort();
        taken.get(taken.len() / 2).map_or(0.0, |taken| taken.as_secs_f64() * 1e9)
    };
    taken.iter_mut().map(median).collect()
}

fn instance(runtime: &Runtime, engine: &str, limits: &str) -> Result<Instance, Box<dyn Error>> {
    let spec = format!(r#"{{"engine": "{engine}", "isolation": "in-process", "limits": {{{limits}}}}}"#);
    let signature = FunctionType::new(&[ValueType::I32], &[ValueType::I32]);
    let imports = Imports::new().function("env", "f", signature, |_, args| Ok(args.to_vec()));
    let module = wat::parse_str(GUEST)?;
    Ok(runtime.instantiate(&module, &RunSpec::from_json(&spec)?, imports, InstantiateOptions::default())?)
}

fn call(mut instance: Instance, export: &'static str, limits: CallLimits) -> Work<'static> {
    Box::new(move || {
        let outcome = instance.call(export, &[Value::I32(1), Value::I32(2)], limits).expect("the call ends");
        std::hint::black_box(outcome.into_values().expect("the guest returns"));
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, wat::parse_str(GUEST)?)?;
    let mut linker = wasmtime::Linker::new(&engine);
    linker.func_wrap("env", "f", |value: i32| value)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let made = linker.instantiate(&mut store, &module)?;
    let typed = made.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    let (untyped, host) = (
        made.get_func(&mut store, "add").ok_or("no add")?,
        made.get_typed_func::<(i32, i32), i32>(&mut store, "host")?,
    );
    let mut stores = [wasmtime::Store::new(&engine, ()), wasmtime::Store::new(&engine, ())];
    let [untyped_store, host_store] = &mut stores;
    let again = linker.instantiate(&mut *untyped_store, &module)?;
    let untyped = again.get_func(&mut *untyped_store, "add").unwrap_or(untyped);
    let again = linker.instantiate(&mut *host_store, &module)?;
    let host = again.get_typed_func::<(i32, i32), i32>(&mut *host_store, "host").unwrap_or(host);
    let pre = linker.instantiate_pre(&module)?;

    let runtime = Runtime::new(RuntimeConfig::default());
    let statuses = runtime.engines();
    let mut works: Vec<(String, u32, Work<'_>)> = vec![
        (
            "wasmtime itself, typed call".to_owned(),
            200_000,
            Box::new(move || {
                std::hint::black_box(typed.call(&mut store, (1, 2)).expect("it returns"));
            }),
        ),
        (
            "wasmtime itself, call with values".to_owned(),
            200_000,
            Box::new(move || {
                let mut results = [wasmtime::Val::I32(0)];
                untyped
                    .call(&mut *untyped_store, &[wasmtime::Val::I32(1), wasmtime::Val::I32(2)], &mut results)
                    .expect("it returns");
                std::hint::black_box(results);
            }),
        ),
        (
            "wasmtime itself, typed call that calls the host".to_owned(),
            200_000,
            Box::new(move || {
                std::hint::black_box(host.call(&mut *host_store, (1, 2)).expect("it returns"));
            }),
        ),
        (
            "wasmtime itself, new store and instance".to_owned(),
            2_000,
            Box::new(move || {
                let mut store = wasmtime::Store::new(&engine, ());
                std::hint::black_box(pre.instantiate(&mut store).expect("it is made"));
            }),
        ),
    ];
    for name in ["wasmtime", "wasmedge"] {
        if !statuses.iter().any(|status| status.name.as_str() == name && status.capabilities.is_ok()) {
            continue;
        }
        let none = CallLimits::default();
        let second = none.with_wall_time(Duration::from_secs(1));
        let metered = r#""fuel": 1000000"#;
        works.push((format!("{name}, call"), 100_000, call(instance(&runtime, name, "")?, "add", none)));
        works.push((
            format!("{name}, call with a deadline"),
            100_000,
            call(instance(&runtime, name, "")?, "add", second),
        ));
        works.push((format!("{name}, call with fuel"), 100_000, call(instance(&runtime, name, metered)?, "add", none)));
        works.push((
            format!("{name}, call that calls the host"),
            100_000,
            call(instance(&runtime, name, "")?, "host", none),
        ));
        let mut fresh = instance(&runtime, name, "")?;
        works.push((format!("{name}, reset"), 500, Box::new(move || fresh.reset().expect("it is reset"))));
        let mut fresh = instance(&runtime, name, "")?;
        fresh.cancel_handle()?;
        works.push((
            format!("{name}, reset of an instance that can be cancelled"),
            200,
            Box::new(move || fresh.reset().expect("it is reset")),
        ));
    }
    let figures = measure(&mut works);
    let of =
        |name: &str| works.iter().zip(&figures).find(|((work, ..), _)| work == name).map_or(1.0, |(_, figure)| *figure);
    let (typed, store) = (of("wasmtime itself, typed call"), of("wasmtime itself, new store and instance"));
    for ((name, ..), nanoseconds) in works.iter().zip(&figures) {
        let (peer, beside) = if name.contains("reset") || name.contains("store") {
            (store, "a new store")
        } else {
            (typed, "a typed call")
        };
        println!("{name:<58} {nanoseconds:>10.0} ns   {:>7.2} x {beside}", nanoseconds / peer);
    }
    Ok(())
}
