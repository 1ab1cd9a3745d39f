//! How the host ends a guest: from a call, from the start section, by a panic, or before it has begun.

use crate::hosts::{Host, Log, no_host};
use crate::prepared::prepare;
use crate::{Subject, failure_of, i32s, trap_of};
use std::sync::atomic::{AtomicU32, Ordering};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, LimitKind, Trap, TrapKind, Value, ValueType};

/// A guest that calls the host from many calls down or from one, by two signatures, and notes when that returned.
const RUN: &str = r#"(module (import "m" "f" (func $f (param i32) (result i32))) (import "m" "end" (func $end))
    (global $after (export "after") (mut i32) (i32.const 0))
    (func $inner (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $inner (i32.sub (local.get 0) (i32.const 1))))
            (else (call $f (i32.const 7)))))
    (func $outer (export "run") (param i32) (result i32)
        (call $inner (local.get 0)) (global.set $after (i32.const 1)))
    (func $ends (export "end") (call $end) (global.set $after (i32.const 1)))
    (func (export "pure") (result i32) (i32.const 11)))"#;

/// Each ending that a host can make.
fn made(number: u32) -> Ending {
    match number {
        0 => Ending::Exit(u32::MAX),
        1 => Ending::Limit(LimitKind::Fuel),
        2 => Ending::Limit(LimitKind::OutputBytes),
        3 => Error::new(ErrorKind::Unsupported, "not here").into(),
        4 => Error::new(ErrorKind::Denied, "no").into(),
        5 => Trap::new(TrapKind::BadPointer).with_detail("iovec").into(),
        _ => panic!("the host has a defect"),
    }
}

pub(crate) fn what_ends_the_guest_in_the_host_comes_out_unchanged(subject: &Subject) {
    for way in subject.ways() {
        let deep = [vec!["inner"; 51], vec!["outer"]].concat();
        for (export, args, callers) in [("run", i32s(&[50]), deep), ("end", Vec::new(), vec!["ends"])] {
            let log = Log::default();
            let round = AtomicU32::new(0);
            let host = log.host(move |_, _, _, results| {
                results.fill(77);
                match round.fetch_add(1, Ordering::Relaxed) {
                    number @ 0..=6 => Err(made(number)),
                    _ => Ok(()),
                }
            });
            let mut guest = subject.start(RUN, way, host).unwrap();
            let mut end = || guest.call(export, &args);
            assert!(matches!(end(), Err(Ending::Exit(u32::MAX))), "{way}");
            assert!(matches!(end(), Err(Ending::Limit(LimitKind::Fuel))), "{way}");
            assert!(matches!(end(), Err(Ending::Limit(LimitKind::OutputBytes))), "{way}");
            for (kind, message) in [(ErrorKind::Unsupported, "not here"), (ErrorKind::Denied, "no")] {
                match end() {
                    Err(Ending::Failed(error)) => assert_eq!((error.kind(), error.message()), (kind, message), "{way}"),
                    other => panic!("{way}: {other:?}"),
                }
            }
            let trap = trap_of(end());
            assert_eq!((trap.kind, trap.detail.as_str()), (TrapKind::BadPointer, "iovec"), "{way}");
            let names: Vec<_> = trap.backtrace.iter().map(|frame| frame.name.as_deref().unwrap_or_default()).collect();
            let callers = if subject.capabilities().backtrace { callers } else { Vec::new() };
            assert_eq!(names, callers, "{way}: a host's trap says where in the guest");
            assert_eq!(failure_of(end()), ErrorKind::Internal, "{way}");
            assert_eq!(guest.global("after"), Some(Value::I32(0)), "{way}: nothing ran after the ending");
            assert_eq!(guest.call("pure", &[]).unwrap(), i32s(&[11]), "{way}");
            let returned = if export == "run" { i32s(&[77]) } else { Vec::new() };
            assert_eq!(guest.call(export, &args).unwrap(), returned, "{way}");
            assert_eq!(guest.global("after"), Some(Value::I32(1)), "{way}");
            assert_eq!(log.calls().len(), 8, "{way}");
        }
    }
}

pub(crate) fn a_panic_in_the_host_is_an_ending_and_not_the_end(subject: &Subject) {
    let text = r#"(module (import "" "panic" (func $panic (param i32)))
        (func (export "run") (param i32) (call $panic (local.get 0))))"#;
    for way in subject.ways() {
        let host = Host(|_, _: &mut [u8], args: &[u64], _: &mut [u64]| {
            assert_ne!(args[0], 1, "asked for");
            Ok(())
        });
        let mut guest = subject.start(text, way, Box::new(host)).unwrap();
        match guest.call("run", &i32s(&[1])) {
            Err(Ending::Failed(error)) => {
                assert_eq!(error.kind(), ErrorKind::Internal, "{way}");
                assert!(error.message().contains("asked for"), "{way}: {error}");
            }
            other => panic!("{way}: {other:?}"),
        }
        assert!(guest.call("run", &i32s(&[2])).is_ok(), "{way}");
    }
}

pub(crate) fn endings_do_not_leak_into_later_calls(subject: &Subject) {
    let text = r#"(module (import "" "exit" (func $exit)) (func (export "exit") (call $exit))
        (func (export "trap") unreachable) (func (export "fine")))"#;
    for way in subject.ways() {
        let host = Host(|_, _: &mut [u8], _: &[u64], _: &mut [u64]| Err(Ending::Exit(3)));
        let mut guest = subject.start(text, way, Box::new(host)).unwrap();
        for _ in 0..2 {
            assert!(matches!(guest.call("exit", &[]), Err(Ending::Exit(3))), "{way}");
            assert!(guest.call("fine", &[]).is_ok(), "{way}");
            assert_eq!(trap_of(guest.call("trap", &[])).kind, TrapKind::Unreachable, "{way}");
        }
    }
}

const START: &str = r#"(module (import "m" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 1) (global $seen (export "seen") (mut i32) (i32.const 0))
    (data (i32.const 8) "hello")
    (func $start (global.set $seen (call $f (i32.const 8)))) (start $start) (func (export "run")))"#;

pub(crate) fn the_start_section_sees_host_and_memory(subject: &Subject) {
    for way in subject.ways() {
        let log = Log::default();
        let host = log.host(|_, memory, args, results| {
            let at = usize::try_from(args[0]).unwrap();
            assert_eq!(&memory[at..at + 5], b"hello");
            results[0] = u64::from(memory[at]);
            Ok(())
        });
        let mut guest = subject.start(START, way, host).unwrap();
        assert_eq!(guest.global("seen"), Some(Value::I32(i32::from(b'h'))), "{way}");
        let call = log.calls().remove(0);
        assert_eq!((call.import, call.memory, call.args), (0, 65536, vec![8]), "{way}");
    }
}

pub(crate) fn the_start_section_may_end_the_guest(subject: &Subject) {
    for way in subject.ways() {
        let exits = Host(|_, memory: &mut [u8], args: &[u64], _: &mut [u64]| {
            let at = usize::try_from(args[0]).unwrap();
            assert_eq!(&memory[at..at + 5], b"hello");
            Err(Ending::Exit(0xdead_beef))
        });
        let exited = subject.start(START, way, Box::new(exits));
        assert!(matches!(exited, Err(Ending::Exit(0xdead_beef))), "{way}: {exited:?}");
        assert_eq!(failure_of(subject.start(START, way, no_host())), ErrorKind::Internal, "{way}: the host panics");
        let trapping = "(module (func $start unreachable) (start $start))";
        assert_eq!(trap_of(subject.start(trapping, way, no_host())).kind, TrapKind::Unreachable, "{way}");
    }
}

pub(crate) fn imports_that_do_not_fit_the_module_fail_and_run_nothing(subject: &Subject) {
    for text in
        [r#"(module (import "" "f" (func $f (param i32))) (func $start (call $f (i32.const 0))) (start $start))"#, RUN]
    {
        let prepared = prepare(text);
        for way in subject.ways() {
            let module = subject.load(&prepared.bytes, way).unwrap();
            let (mut other_params, mut other_results) = (prepared.imports.clone(), prepared.imports.clone());
            other_params[0].signature.params.clear();
            other_results[0].signature.results = vec![ValueType::I64];
            for given in [Vec::new(), other_params, other_results] {
                let refused = module.instantiate(&prepared.info, &given, no_host());
                assert_eq!(failure_of(refused), subject.differs.mislinked, "{way}: {given:?}");
            }
            let mut vector = prepared.imports.clone();
            vector[0].signature.params = vec![ValueType::V128];
            let refused = module.instantiate(&prepared.info, &vector, no_host());
            assert_eq!(failure_of(refused), ErrorKind::Unsupported, "{way}");
        }
    }
}

pub(crate) fn a_host_function_may_run_another_guest(subject: &Subject) {
    let inner =
        prepare(r#"(module (memory 1) (func (export "run") (param i32) (result i32) (i32.load (local.get 0))))"#);
    for way in subject.ways() {
        let module = subject.load(&inner.bytes, way).unwrap();
        let info = inner.info.clone();
        let host = Log::default().host(move |_, _, args, results| {
            let mut guest = module.instantiate(&info, &[], no_host())?;
            assert_eq!(guest.call("run", &i32s(&[0])).unwrap(), i32s(&[0]));
            let trapped = guest.call("run", &i32s(&[-1])).is_err();
            results[0] = args[0] + u64::from(trapped);
            Ok(())
        });
        let mut outer = subject.start(RUN, way, host).unwrap();
        assert_eq!(outer.call("run", &i32s(&[3])).unwrap(), i32s(&[8]), "{way}");
    }
}
