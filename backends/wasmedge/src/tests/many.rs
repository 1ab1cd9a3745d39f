//! Thousands of instances, one after the other and side by side, leave nothing behind.

use super::{NoHost, Script, TIERS, Tier, engine, i32s, load, prepare};
use wasmrt_model::backend::{Ending, WasmEngine};

/// Pages that are resident and not shared with a file.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

const GUEST: &str = r#"(module (import "m" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 4) (table 100 funcref) (elem (i32.const 0) $inner) (data (i32.const 70000) "data")
    (type $t (func (param i32) (result i32)))
    (func $inner (param i32) (result i32) (i32.store (i32.const 100000) (local.get 0)) (call $f (local.get 0)))
    (func $start (drop (call $f (i32.const -1)))) (start $start)
    (func (export "run") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))
    (func (export "trap") (drop (i32.load (i32.const -1)))))"#;

#[test]
fn thousands_of_instances_leave_nothing_behind() {
    let Some(_) = engine() else { return };
    // In a process of its own, where no other test allocates.
    super::run_alone("many::child_makes_thousands_of_instances");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_makes_thousands_of_instances() {
    let engine = engine().unwrap();
    let prepared = prepare(GUEST);
    for tier in TIERS {
        let module = load(&engine, &prepared.bytes, tier).unwrap();
        let round = |number: i32| {
            let (host, _) = Script::new(move |_, _, args, results| {
                // Every fourth guest ends in its start section, every other fourth in a call.
                match (number % 4, args[0] == u64::from(u32::MAX)) {
                    (1, true) | (2, false) => Err(Ending::Exit(3)),
                    _ => {
                        results[0] = args[0];
                        Ok(())
                    }
                }
            });
            match module.instantiate(&prepared.info, &prepared.imports, Box::new(host)) {
                Ok(mut guest) => {
                    let result = guest.call("run", &i32s(&[number]));
                    assert_eq!(result.is_ok(), number % 4 != 2);
                    assert!(guest.call("trap", &[]).is_err());
                    assert_eq!(guest.memory_pages(), 4);
                }
                Err(ending) => assert!(matches!(ending, Ending::Exit(3)) && number % 4 == 1),
            }
        };
        (0..400).for_each(round);
        let (before, files) = (resident_bytes(), open_files());
        (0..2000).for_each(round);
        let grown = resident_bytes() - before;
        assert!(grown < 1 << 20, "{tier}: {grown} bytes more after 2000 instances");
        assert_eq!(open_files(), files, "{tier}");
    }
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_loads_thousands_of_modules() {
    let engine = engine().unwrap();
    let prepared = prepare(r#"(module (func (export "run")))"#);
    let artifact = super::compile(&engine, &prepared.bytes, super::options(Tier::Baseline)).unwrap();
    for native in [false, true] {
        let round = |_| {
            let code = if native {
                wasmrt_model::backend::Code::Artifact(artifact.try_clone().unwrap())
            } else {
                wasmrt_model::backend::Code::Wasm(&prepared.bytes)
            };
            let module = engine.load(code).unwrap();
            let mut guest = module.instantiate(&prepared.info, &[], Box::new(NoHost)).unwrap();
            guest.call("run", &[]).unwrap();
        };
        (0..400).for_each(round);
        let (before, files) = (resident_bytes(), open_files());
        (0..2000).for_each(round);
        let grown = resident_bytes() - before;
        assert!(grown < 1 << 20, "native {native}: {grown} bytes more after 2000 modules");
        assert_eq!(open_files(), files, "native {native}");
    }
}

#[test]
fn thousands_of_modules_leave_nothing_behind() {
    let Some(_) = engine() else { return };
    super::run_alone("many::child_loads_thousands_of_modules");
}

#[test]
fn instances_of_one_module_share_nothing() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory 1) (global $g (mut i32) (i32.const 0)) (table 1 externref)
        (func (export "run") (result i32)
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (global.set $g (i32.add (global.get $g) (i32.const 10)))
            (i32.add (global.get $g) (i32.load (i32.const 0)))))"#;
    let prepared = prepare(text);
    for tier in TIERS {
        let module = load(&engine, &prepared.bytes, tier).unwrap();
        let mut guests: Vec<_> =
            (0..50).map(|_| module.instantiate(&prepared.info, &[], Box::new(NoHost)).unwrap()).collect();
        drop(module);
        for round in 1..=3 {
            for guest in &mut guests {
                assert_eq!(guest.call("run", &[]).unwrap(), i32s(&[11 * round]), "{tier}");
            }
        }
        // Not in the order in which they were made.
        while guests.len() > 1 {
            guests.swap_remove(guests.len() / 2);
            assert_eq!(guests[0].call("run", &[]).unwrap().len(), 1, "{tier}");
        }
    }
}
