//! Many runs: at once, one after the other, more than fit.

use crate::guests::{HELLO, exits, hello, waits};
use crate::room::{LONG, PIPED, Room, children, ended, engines, spec_of};
use std::io::Write;
use std::time::Duration;
use wasmrt_runtime::model::{ErrorKind, ExitStatus};
use wasmrt_runtime::{Run, StartOptions, WhenFull};

#[test]
fn threads_run_guests_side_by_side() {
    for engine in engines() {
        let room = Room::new();
        let spec = spec_of(engine, "");
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let (room, spec) = (&room, &spec);
                scope.spawn(move || {
                    let module = room.embedder.module(&exits(thread)).unwrap();
                    for _ in 0..4 {
                        let outcome = room.embedder.run(&module, spec, StartOptions::default()).unwrap();
                        assert_eq!(outcome.status, ExitStatus::Exited { code: thread }, "{engine}");
                    }
                });
            }
        });
        assert_eq!(room.embedder.status().restarts, 0);
    }
}

#[test]
fn sixty_four_run_at_once_and_the_next_ones_wait_or_are_refused() {
    for engine in engines() {
        let room = Room::with(|config| config.queue = 2);
        let module = room.embedder.module(&waits()).unwrap();
        let spec = spec_of(engine, PIPED);
        let start = |when_full| {
            let mut options = StartOptions::default();
            options.when_full = when_full;
            room.embedder.start(&module, &spec, options)
        };
        let mut runs: Vec<Run> = (0..66).map(|_| start(WhenFull::Refuse).unwrap()).collect();
        let status = room.embedder.status();
        assert_eq!((status.running, status.queued), (64, 2), "{engine}");
        for when_full in [WhenFull::Refuse, WhenFull::WaitFor(Duration::from_millis(10))] {
            let busy = start(when_full).unwrap_err();
            assert_eq!(busy.kind(), ErrorKind::Busy);
            assert!(busy.context().iter().any(|(key, value)| *key == "running" && value == "64"));
        }
        // All 64 answer their own input, in any order; those that waited do so afterwards.
        std::thread::scope(|scope| {
            let late = scope.spawn(|| start(WhenFull::Wait).unwrap());
            for run in runs.iter().rev() {
                run.take_stdin().unwrap().write_all(b"x").unwrap();
            }
            let late = late.join().unwrap();
            late.take_stdin().unwrap().write_all(b"x").unwrap();
            runs.push(late);
        });
        for run in &runs {
            assert_eq!(ended(run).status, ExitStatus::Exited { code: 0 });
        }
        let status = room.embedder.status();
        assert_eq!((status.running, status.queued), (0, 0));
    }
}

#[test]
fn a_run_that_waits_can_be_cancelled_before_it_starts() {
    let room = Room::with(|config| config.max_runs = 1);
    let spec = spec_of("wasmtime", PIPED);
    let first = room.start(&waits(), &spec);
    let second = room.start(&waits(), &spec);
    let third = room.start(&waits(), &spec);
    second.cancel();
    let cancelled = second.wait_timeout(LONG).expect("it ends while the first one runs");
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(first.try_wait().is_none());
    drop(first);
    drop(third.take_stdin());
    assert!(ended(&third).status.success());
}

#[test]
fn runs_leave_no_descriptor_and_no_process_behind() {
    let room = Room::new();
    let module = room.embedder.module(&hello()).unwrap();
    let spec = spec_of("wasmtime", "");
    let run = || room.embedder.run(&module, &spec, StartOptions::default()).unwrap();
    run();
    let worker = room.worker();
    let descriptors = |process: &str| std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let workers = worker.as_raw_nonzero().to_string();
    // The last supervisor may not have been reaped yet when its answer is here already: a few messages later, it has been.
    let settle = || {
        let settled = (0..1000).any(|_| {
            room.embedder.engines().unwrap();
            children(worker).is_empty()
        });
        assert!(settled);
        (descriptors("self"), descriptors(&workers))
    };
    let before = settle();
    for number in 0..1000 {
        if number % 10 == 0 {
            // One that nobody waits for.
            drop(room.embedder.start(&module, &spec, StartOptions::default()).unwrap());
        }
        assert_eq!(run().stdout.unwrap().bytes, HELLO.as_bytes());
    }
    assert_eq!(room.worker(), worker);
    assert_eq!(settle(), before);
}
