//! Deaths of every process involved: what is left, who is told, and that life goes on.

use crate::guests::{HELLO, endless, hello};
use crate::room::{LONG, PIPED, Room, Watched, children, engines, spec_of};
use rustix::process::{Pid, Signal};
use std::io::Read;
use std::time::Duration;
use wasmrt_runtime::model::{ErrorKind, ExitStatus};
use wasmrt_runtime::{Run, StartOptions};

/// A run that is under way, and its supervisor and worker.
fn under_way(room: &Room, engine: &str) -> (Run, Pid, Pid) {
    let before = room.embedder.status().worker.map(|_| children(room.worker())).unwrap_or_default();
    let run = room.start(&endless(), &spec_of(engine, PIPED));
    run.take_stdout().unwrap().read_exact(&mut [0; 6]).unwrap();
    let supervisors = children(room.worker());
    let supervisor = *supervisors.iter().find(|pid| !before.contains(pid)).unwrap();
    let worker = children(supervisor)[0];
    (run, supervisor, worker)
}

#[test]
fn a_crash_of_one_guest_leaves_the_others_alone() {
    for engine in engines() {
        let room = Room::new();
        let (victim, _, worker) = under_way(&room, engine);
        let (other, ..) = under_way(&room, engine);
        // WasmEdge takes a bad access, wherever it comes from, for a trap of the guest's; a bad system call is nobody's.
        let signal = if engine == "wasmedge" { Signal::SYS } else { Signal::SEGV };
        // A handler for stack overflows may swallow the first one, which no instruction of its own has caused.
        let outcome = std::iter::repeat_with(|| {
            let _ = rustix::process::kill_process(worker, signal);
            victim.wait_timeout(Duration::from_millis(10))
        });
        let outcome = outcome.flatten().next().unwrap().unwrap();
        assert_eq!(outcome.status, ExitStatus::EngineCrashed { signal: signal.as_raw() }, "{engine}");
        assert!(other.try_wait().is_none());
        assert!(room.run(&hello(), &spec_of(engine, "")).status.success());
        other.cancel();
        assert_eq!(other.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(room.embedder.status().restarts, 0);
    }
}

#[test]
fn a_supervisor_that_dies_is_told_of_and_takes_its_worker_along() {
    let room = Room::new();
    let (victim, supervisor, worker) = under_way(&room, "wasmtime");
    let (other, ..) = under_way(&room, "wasmtime");
    let worker = Watched::new(worker);
    rustix::process::kill_process(supervisor, Signal::ABORT).unwrap();
    let error = victim.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().contains("supervisor") && error.message().contains('6'));
    assert!(worker.ends());
    assert!(other.try_wait().is_none());
}

#[test]
fn a_worker_process_that_was_killed_is_started_again() {
    for engine in engines() {
        let room = Room::new();
        let (run, supervisor, worker) = under_way(&room, engine);
        let gone = [supervisor, worker].map(Watched::new);
        let first = room.worker();
        rustix::process::kill_process(first, Signal::KILL).unwrap();
        let error = run.wait_timeout(LONG).expect("it ends").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("signal 9"), "{error}");
        assert!(gone.iter().all(Watched::ends), "{engine}");
        let outcome = room.run(&hello(), &spec_of(engine, ""));
        assert_eq!(outcome.stdout.unwrap().bytes, HELLO.as_bytes());
        assert_ne!(room.worker(), first);
        assert_eq!(room.embedder.status().restarts, 1);
    }
}

#[test]
fn one_that_dies_again_and_again_is_not_started_without_end() {
    let room = Room::new();
    let module = room.embedder.module(&hello()).unwrap();
    let spec = spec_of("wasmtime", "");
    let refused = (0..20).find_map(|_| {
        let error = room.embedder.run(&module, &spec, StartOptions::default()).err();
        if error.is_none() {
            let watched = Watched::new(room.worker());
            rustix::process::kill_process(room.worker(), Signal::KILL).unwrap();
            assert!(watched.ends());
        }
        error
    });
    assert_eq!(refused.unwrap().kind(), ErrorKind::Internal);
}

#[test]
fn nothing_outlives_an_embedder_that_was_dropped_or_closed() {
    for engine in engines() {
        let room = Room::new();
        let (run, supervisor, worker) = under_way(&room, engine);
        let all = [room.worker(), supervisor, worker].map(Watched::new);
        let _cache = room.into_cache();
        // The run holds on to it.
        assert!(run.try_wait().is_none());
        drop(run);
        assert!(all.iter().all(Watched::ends), "{engine}");

        let room = Room::new();
        let (run, supervisor, worker) = under_way(&room, engine);
        let all = [room.worker(), supervisor, worker].map(Watched::new);
        room.embedder.close();
        assert!(all.iter().all(Watched::ends), "{engine}");
        assert_eq!(run.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        let module = room.embedder.module(&hello()).unwrap();
        let refused = room.embedder.start(&module, &spec_of(engine, ""), StartOptions::default());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
