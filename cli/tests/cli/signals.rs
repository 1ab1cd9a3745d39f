//! Signals: they are the guest's, and the exit code says which.

use crate::guests;
use crate::room::{Room, engines};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::Child;

/// A guest that has started: it has written its line.
fn started(room: &Room, words: &[&str]) -> Child {
    let mut child = room.start(words);
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn a_signal_ends_the_guest_with_its_own_code() {
    let room = Room::with("spin.wat", guests::SPIN);
    for engine in engines() {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)] {
            let mut child = started(&room, &["-q", "--engine", engine, "--report", "r.json", "spin.wat"]);
            kill_process(Pid::from_child(&child), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{engine} {signal:?}");
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            assert_eq!(stderr, "", "who pressed Ctrl-C knows why it ended");
            let report: serde_json::Value = serde_json::from_str(&room.read("r.json")).unwrap();
            assert_eq!(report["outcome"]["status"]["kind"], "signaled");
            assert_eq!(report["outcome"]["status"]["signal"], signal.as_raw());
        }
    }
}

#[test]
fn an_interrupted_compile_ends_with_the_signals_code() {
    let room = Room::with("slow.wat", guests::slow_to_compile());
    if !engines().iter().any(|engine| engine == "wasmedge") {
        return;
    }
    for words in [
        &["compile", "--engine", "wasmedge", "slow.wat", "slow.wat"][..],
        &["--engine", "wasmedge", "--aot", "always", "slow.wat"],
    ] {
        let mut child = room.start(words);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("compiling") && line.contains("slow.wat"), "{line}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{words:?}");
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(rest.lines().filter(|line| line.starts_with("wasm-run:")).count(), 1, "{rest}");
    }
}
