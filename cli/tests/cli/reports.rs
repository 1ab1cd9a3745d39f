//! `--report`: how a run went, for programs.

use crate::guests;
use crate::room::{Room, engines};
use serde_json::Value;

#[test]
fn a_report_tells_how_the_guest_ended() {
    let room = Room::with("hello.wat", guests::HELLO);
    for engine in engines() {
        let ended = room.run_on(engine, &["-q", "--report", "report.json", "hello.wat"]).expect(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("hello\n", ""));
        let report: Value = serde_json::from_str(&room.read("report.json")).unwrap();
        assert_eq!(report["module"], "hello.wat");
        assert_eq!(report["exit_code"], 0);
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(report["outcome"]["engine"], engine.as_str());
        assert_eq!(report["outcome"]["status"]["kind"], "exited");
        assert_eq!(report["outcome"]["usage"]["output_bytes"], 6);
        assert!(report.get("error").is_none());
    }
}

#[test]
fn a_report_on_stderr_is_its_last_line() {
    let room = Room::with("trap.wat", guests::TRAP);
    let ended = room.run(&["--report", "json", "trap.wat"]).expect(134);
    let report: Value = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&report["exit_code"], &report["outcome"]["status"]["kind"]), (&134.into(), &"trapped".into()));
    assert_eq!(report["outcome"]["status"]["trap"]["kind"], "unreachable");
    assert_eq!(ended.said(), 1, "the report takes the place of no message");
}

#[test]
fn a_report_has_all_of_the_exit_code() {
    let room = Room::with("exit.wat", guests::exit(70_000));
    room.run(&["-q", "--report", "r.json", "exit.wat"]).expect(0x70);
    let report: Value = serde_json::from_str(&room.read("r.json")).unwrap();
    assert_eq!(report["outcome"]["status"]["code"], 70_000);
    assert_eq!(report["exit_code"], 0x70);
}

#[test]
fn a_report_tells_why_nothing_ran() {
    let room = Room::with("garbage.wasm", "garbage");
    for (words, code, kind) in [
        (&["--report", "r.json", "garbage.wasm"][..], 126, "not-wasm"),
        (&["--report", "r.json", "absent.wasm"], 127, "not-found"),
        (&["--report", "r.json", "--cpus", "1", "garbage.wasm"], 126, "unsupported"),
        (&["--report", "r.json", "--stdin", "inherit", "-"], 125, "invalid-input"),
    ] {
        room.run(words).expect(code);
        let report: Value = serde_json::from_str(&room.read("r.json")).unwrap();
        assert_eq!(report["error"]["kind"], kind);
        assert_eq!(report["exit_code"], code);
        assert!(!report["error"]["message"].as_str().unwrap().is_empty());
        assert!(report.get("outcome").is_none());
        std::fs::remove_file(room.path("r.json")).unwrap();
    }
}

#[test]
fn captured_output_goes_into_the_report() {
    let room = Room::with("hello.wat", guests::HELLO);
    room.write("spec.json", r#"{"stdio": {"stdout": {"capture": {}}}}"#);
    let ended = room.run(&["--spec", "spec.json", "--report", "r.json", "hello.wat"]).expect(0);
    assert_eq!(ended.stdout, "");
    let report: Value = serde_json::from_str(&room.read("r.json")).unwrap();
    assert_eq!(report["outcome"]["stdout"]["bytes"], "hello\n");
    room.run(&["--spec", "spec.json", "hello.wat"]).expect(125);
}

#[test]
fn a_report_takes_the_place_of_a_file_and_of_nothing_else() {
    let room = Room::with("hello.wat", guests::HELLO);
    room.write("real.json", "old");
    std::os::unix::fs::symlink("real.json", room.path("link.json")).unwrap();
    room.run(&["--report", "link.json", "hello.wat"]).expect(0);
    assert!(room.path("link.json").is_symlink() && room.read("real.json").starts_with('{'));
    let leftovers = std::fs::read_dir(room.path("."))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".wasm-run"));
    assert_eq!(leftovers.count(), 0);

    let ended = room.run(&["--report", "/dev/stdout", "hello.wat"]).expect(0);
    assert!(ended.stdout.starts_with("hello\n{"), "{ended:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let room = Room::with("hello.wat", guests::HELLO);
    let ended = room.run(&["--report", "no/such/r.json", "hello.wat"]);
    assert!(ended.code != 0 && ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(room.run(&["--report", ".", "hello.wat"]).expect(125).stdout, "");
}
