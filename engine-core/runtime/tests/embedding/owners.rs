//! Owners that fork, and owners that are killed.
#![expect(unsafe_code, reason = "forking a process with threads is what is tested")]

use crate::guests::{endless, exits, hello};
use crate::room::{PIPED, Room, Watched, children, ended, pid, spec_of};
use rustix::process::{Pid, Signal};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use wasmrt_runtime::StartOptions;
use wasmrt_runtime::model::{ErrorKind, ExitStatus};

/// What `test` says in a fork of this process: nothing when all is well.
fn in_a_fork(test: impl FnOnce() -> Result<(), String>) -> String {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: the child uses what the fork handlers of the C library have made usable again, and leaves by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
        let said = said.unwrap_or_else(|_| Err("it panicked".to_owned()));
        let _ = writer.write_all(said.err().unwrap_or_default().as_bytes());
        // SAFETY: it does not return, and runs no destructors of the parent's.
        unsafe { libc::_exit(0) };
    }
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    let watched = Watched::new(Pid::from_raw(child).unwrap());
    assert!(watched.ends());
    said
}

#[test]
fn a_fork_of_the_owner_starts_its_own_and_leaves_the_parents_alone() {
    let room = Room::new();
    let spec = spec_of("wasmtime", "");
    let module = room.embedder.module(&exits(7)).unwrap();
    let run = room.start(&endless(), &spec_of("wasmtime", PIPED));
    run.take_stdout().unwrap().read_exact(&mut [0; 6]).unwrap();
    let workers = room.worker();
    let said = in_a_fork(|| {
        // A program that does not want to hear of its children hands that on to what it starts.
        // SAFETY: ignoring a valid signal.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        // What is the parent's is neither told to a fork nor ended by it.
        let refused = run.wait().map_err(|error| error.kind());
        if refused != Err(ErrorKind::InvalidInput) {
            return Err(format!("{refused:?}"));
        }
        run.cancel();
        drop(run);
        let outcome = room.embedder.run(&module, &spec, StartOptions::default()).map_err(|error| error.to_string())?;
        if outcome.status != (ExitStatus::Exited { code: 7 }) || room.worker() == workers {
            return Err(format!("{:?}", outcome.status));
        }
        let own = Watched::new(room.worker());
        drop(room);
        if own.ends() { Ok(()) } else { Err("it outlives its embedder".to_owned()) }
    });
    assert_eq!(said, "");
}

#[test]
fn the_parents_runs_go_on_after_a_fork() {
    let room = Room::new();
    let run = room.start(&endless(), &spec_of("wasmtime", PIPED));
    run.take_stdout().unwrap().read_exact(&mut [0; 6]).unwrap();
    let copy = room.embedder.clone();
    assert_eq!(
        in_a_fork(move || {
            drop(copy);
            Ok(())
        }),
        ""
    );
    assert!(run.try_wait().is_none());
    run.cancel();
    assert_eq!(run.wait().unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(room.run(&hello(), &spec_of("wasmtime", "")).status.success());
    assert_eq!(room.embedder.status().restarts, 0);
}

/// The owner that the next test kills. It is a test so that the test program can be started as it.
#[test]
#[ignore = "it waits to be killed"]
fn an_owner() {
    let room = Room::new();
    let run = room.start(&endless(), &spec_of("wasmtime", PIPED));
    run.take_stdout().unwrap().read_exact(&mut [0; 6]).unwrap();
    let supervisor = children(room.worker())[0];
    let worker = children(supervisor)[0];
    // It has copies of all sockets, and stays: what ends has to end because its owner has, not because nobody holds a socket any more.
    // SAFETY: the child waits and does nothing else.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // SAFETY: it takes a number. Should nobody end this process, it ends by itself.
        unsafe { libc::alarm(120) };
        loop {
            // SAFETY: it takes nothing and waits for a signal.
            unsafe { libc::pause() };
        }
    }
    for one in [room.worker(), supervisor, worker, Pid::from_raw(copy).unwrap()] {
        eprintln!("process {}", one.as_raw_nonzero());
    }
    let _ = ended(&run);
}

#[test]
fn nothing_is_left_of_an_owner_that_was_killed() {
    // Who is killed removes no directory of its own.
    let directory = tempfile::tempdir().unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owners::an_owner", "--ignored", "--nocapture"])
        .env("TMPDIR", directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("process ")?.parse().ok());
    let told: Vec<Pid> = told.take(4).map(pid).collect();
    let [all @ .., copy] = told.as_slice() else { panic!("it told of nothing") };
    let all: Vec<Watched> = all.iter().map(|one| Watched::new(*one)).collect();
    assert_eq!(all.len(), 3);
    let owners = pid(owner.id());
    rustix::process::kill_process(owners, Signal::KILL).unwrap();
    assert!(!owner.wait().unwrap().success());
    let ended = all.iter().all(Watched::ends);
    rustix::process::kill_process(*copy, Signal::KILL).unwrap();
    assert!(ended);
}
