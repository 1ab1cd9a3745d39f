//! Thousands of guests, one after the other, leave nothing behind, and nobody starts threads unasked.

use crate::hosts::{Host, no_host};
use crate::prepared::prepare;
use crate::process::{Footprint, threads};
use crate::subject::Way;
use crate::{Subject, i32s};
use std::fs::File;
use wasmrt_model::backend::{Code, CompileOptions, Ending};
use wasmrt_model::{Feature, Trap, TrapKind};

/// A guest that calls the host when it starts and when it is called, and fills its memory.
fn guest(throws: bool) -> String {
    let throw = if throws { r#"(tag $oops) (func (export "throw") (throw $oops))"# } else { "" };
    format!(
        r#"(module (import "m" "f" (func $f (param i32) (result i32)))
        (memory (export "memory") 4 8) (table 100 funcref) (elem (i32.const 0) $inner) (data (i32.const 70000) "data")
        (type $t (func (param i32) (result i32)))
        (func $inner (param i32) (result i32)
          (memory.fill (i32.const 1000) (i32.const 1) (i32.const 200000)) (call $f (local.get 0)))
        (func $start (drop (call $f (i32.const -1)))) (start $start)
        (func (export "run") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))
        (func (export "trap") (drop (i32.load (i32.const -1)))) {throw})"#
    )
}

pub(crate) fn thousands_of_instances_leave_nothing_behind(subject: &Subject) {
    subject.alone(|| {
        let throws = subject.has(Feature::Exceptions);
        let prepared = prepare(&guest(throws));
        for way in subject.ways() {
            let module = subject.load(&prepared.bytes, way).unwrap();
            let round = |number: i32| {
                let host = Host(move |_, _: &mut [u8], args: &[u64], results: &mut [u64]| {
                    // Of four guests one ends in its start section and two in a call.
                    match (number % 4, args[0] == u64::from(u32::MAX)) {
                        (1, true) | (2, false) => Err(Ending::Exit(3)),
                        (3, false) => Err(Trap::new(TrapKind::BadPointer).with_detail("x".repeat(1000)).into()),
                        _ => {
                            results[0] = args[0];
                            Ok(())
                        }
                    }
                });
                match module.instantiate(&prepared.info, &prepared.imports, Box::new(host)) {
                    Ok(mut guest) => {
                        let result = guest.call("run", &i32s(&[number]));
                        assert_eq!(result.is_ok(), number % 4 == 0, "{way}: {result:?}");
                        assert!(guest.call("trap", &[]).is_err(), "{way}");
                        assert!(!throws || guest.call("throw", &[]).is_err(), "{way}");
                        assert_eq!(guest.memory_pages(), 4, "{way}");
                    }
                    Err(ending) => assert!(matches!(ending, Ending::Exit(3)) && number % 4 == 1, "{way}: {ending:?}"),
                }
            };
            (0..400).for_each(round);
            let before = Footprint::now();
            (0..2000).for_each(round);
            Footprint::now().is_no_more_than(before, &format!("{way}: 2000 instances"));
        }
    });
}

pub(crate) fn thousands_of_modules_leave_nothing_behind(subject: &Subject) {
    subject.alone(|| {
        let prepared = prepare(r#"(module (func (export "run")))"#);
        for way in subject.ways() {
            let artifact = match way {
                Way::Wasm => None,
                Way::Artifact(tier) => {
                    Some(subject.compile(&prepared.bytes, CompileOptions { tier, optimize: None }).unwrap())
                }
            };
            let code = || match &artifact {
                None => Code::Wasm(&prepared.bytes),
                Some(artifact) => Code::Artifact(artifact.try_clone().unwrap()),
            };
            let round = |_| {
                let module = subject.engine().load(code()).unwrap();
                module.instantiate(&prepared.info, &[], no_host()).unwrap().call("run", &[]).unwrap();
            };
            (0..400).for_each(round);
            let mut before = Footprint::now();
            if way == Way::Wasm && subject.differs.threads_in_place {
                before = before.with_room_for_threads();
            }
            (0..2000).for_each(round);
            Footprint::now().is_no_more_than(before, &format!("{way}: 2000 modules"));
        }
    });
}

pub(crate) fn neither_making_the_engine_nor_loading_starts_threads(subject: &Subject) {
    subject.alone(|| {
        let prepared = prepare(r#"(module (memory 1) (func (export "run")) (func) (func) (func) (func))"#);
        let run = |code| {
            let module = subject.engine().load(code).unwrap();
            module.instantiate(&prepared.info, &[], no_host()).unwrap().call("run", &[]).unwrap();
        };
        let before = threads();
        let options = subject.native().map(|tier| CompileOptions { tier, optimize: None });
        assert!(options.clone().all(|options| !subject.engine().fingerprint(options).is_empty()));
        assert_eq!(threads(), before);
        if !subject.differs.threads_in_place {
            run(Code::Wasm(&prepared.bytes));
            assert_eq!(threads(), before);
        }
        let artifacts: Vec<File> = options.map(|options| subject.compile(&prepared.bytes, options).unwrap()).collect();
        // Compiling may start threads, and they may stay.
        let compiled = threads();
        artifacts.into_iter().for_each(|artifact| run(Code::Artifact(artifact)));
        assert!(threads() <= compiled);
    });
}
