//! One run: its outcome, its end, its errors.

use crate::guests::{HELLO, echo, endless, exits, hello, writes};
use crate::room::{LONG, PIPED, Room, ended, engines, readable, spec_of};
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;
use wasmrt_runtime::StartOptions;
use wasmrt_runtime::model::{ErrorKind, ExitStatus, LimitKind, RunSpec};

#[test]
fn a_guest_runs_and_its_outcome_comes_back() {
    for engine in engines() {
        let room = Room::new();
        let outcome = room.run(&hello(), &spec_of(engine, r#""limits": {"fuel": 100000}"#));
        assert_eq!(outcome.status, ExitStatus::Exited { code: 0 }, "{engine}");
        assert_eq!(outcome.engine.as_str(), engine);
        assert_eq!(outcome.stdout.unwrap().bytes, HELLO.as_bytes());
        assert!(outcome.usage.fuel.is_some() && outcome.usage.cpu_time > Duration::ZERO);
        assert!(outcome.os_sandbox.is_some());
        assert_eq!(room.run(&exits(77), &spec_of(engine, "")).status, ExitStatus::Exited { code: 77 });
    }
}

#[test]
fn nothing_is_started_before_it_is_needed() {
    let room = Room::with(|config| config.worker = Some("/nowhere/wasmrt-worker".into()));
    let module = room.embedder.module(&hello()).unwrap();
    assert_eq!(room.embedder.status().worker, None);
    let refused = room.embedder.start(&module, &RunSpec::default(), StartOptions::default());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_no_wasmrt_worker_is_not_waited_for() {
    let room = Room::with(|config| config.worker = Some("/bin/true".into()));
    let module = room.embedder.module(&hello()).unwrap();
    let refused = room.embedder.start(&module, &RunSpec::default(), StartOptions::default());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn limits_hold_and_errors_say_what_they_say_elsewhere() {
    for engine in engines() {
        let room = Room::new();
        let outcome = room.run(&endless(), &spec_of(engine, r#""limits": {"wall_time": "200ms"}"#));
        assert_eq!(outcome.status, ExitStatus::LimitReached { limit: LimitKind::WallTime }, "{engine}");
        assert_eq!(outcome.stdout.unwrap().bytes, HELLO.as_bytes());
        for (bytes, kind) in [(&b"\x7fELF"[..], ErrorKind::NotWasm), (b"\0asm\x01\0\0\0\xff", ErrorKind::InvalidModule)]
        {
            let error = room.start(bytes, &spec_of(engine, "")).wait().unwrap_err();
            assert_eq!(error.kind(), kind, "{engine}");
        }
        let spec = spec_of(engine, r#""entry": {"invoke": {"name": "nothing"}}"#);
        let error = room.start(&hello(), &spec).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingExport);
        assert!(error.hint().is_some_and(|hint| hint.contains("_start")));
    }
}

#[test]
fn a_run_is_cancelled_from_another_thread() {
    for engine in engines() {
        let room = Room::new();
        let run = room.start(&endless(), &spec_of(engine, PIPED));
        // It is under way.
        run.take_stdout().unwrap().read_exact(&mut [0; 6]).unwrap();
        assert!(run.try_wait().is_none());
        assert!(run.wait_timeout(Duration::from_millis(1)).is_none());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| run.wait());
            run.cancel();
            assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled, "{engine}");
        });
        assert_eq!(room.embedder.status().running, 0);
    }
}

#[test]
fn an_end_can_be_polled_for_and_is_told_once() {
    let room = Room::new();
    let run = room.start(&echo(), &spec_of("wasmtime", PIPED));
    assert!(!readable(run.as_fd(), Duration::ZERO));
    drop(run.take_stdin());
    assert!(readable(run.as_fd(), LONG));
    assert_eq!(run.try_wait().unwrap().unwrap().status, ExitStatus::Exited { code: 0 });
    assert_eq!(run.wait().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(readable(run.as_fd(), LONG));
}

#[test]
fn much_output_comes_back_and_keeps_nobody_waiting() {
    let room = Room::with(|config| config.max_runs = 1);
    let much = room.start(&writes(3000), &spec_of("wasmtime", ""));
    // Nobody has asked for the first one's outcome yet, and there is room for the next one all the same.
    assert_eq!(room.run(&exits(5), &spec_of("wasmtime", "")).status, ExitStatus::Exited { code: 5 });
    assert_eq!(ended(&much).stdout.unwrap().bytes, vec![0; 3000 << 10]);
}

#[test]
fn modules_are_looked_at_compiled_and_preloaded_elsewhere() {
    for engine in engines() {
        let room = Room::new();
        let module = room.embedder.module(&hello()).unwrap();
        assert_eq!(room.embedder.inspect(&module).unwrap().bytes, module.size());
        let spec = spec_of(engine, r#""aot": "always""#);
        let compiled = room.embedder.compile(&module, &spec).unwrap();
        assert!(compiled.elapsed.is_some() && compiled.engine.as_str() == engine);
        assert!(room.embedder.compile(&module, &spec).unwrap().elapsed.is_none());
        room.embedder.preload(&module, &spec).unwrap();
        let outcome = room.embedder.run(&module, &spec, StartOptions::default()).unwrap();
        assert_eq!(outcome.usage.compile_time, None, "{engine}");
        let other = room.embedder.module(b"no module").unwrap();
        assert_eq!(room.embedder.preload(&other, &spec).unwrap_err().kind(), ErrorKind::NotWasm);
        assert_eq!(room.embedder.inspect(&other).unwrap_err().kind(), ErrorKind::NotWasm);
    }
}

#[test]
fn paths_variables_and_long_specs_are_the_callers() {
    let room = Room::new();
    // Longer than a packet.
    let long = "x".repeat(200 << 10);
    let spec = spec_of(
        "wasmtime",
        &format!(r#""args": ["guest", "{long}"], "env": {{"inherit": ["PATH", "WASMRT_NOT_SET"]}}"#),
    );
    assert_eq!(room.run(&hello(), &spec).status, ExitStatus::Exited { code: 0 });
}
