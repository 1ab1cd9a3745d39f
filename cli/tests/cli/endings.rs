//! Every row of the exit code table, and what is said of it.

use crate::guests;
use crate::room::{Room, engines};

#[test]
fn a_guest_that_exits_has_its_own_code() {
    for engine in engines() {
        for (code, expected) in [(0, 0), (7, 7), (126, 126), (255, 255), (256, 0), (u32::MAX, 255)] {
            let room = Room::with("exit.wat", guests::exit(code));
            let ended = room.run_on(engine, &["-q", "exit.wat"]).expect(expected);
            assert_eq!(ended.stderr, "", "{engine} {code}");
        }
    }
}

#[test]
fn a_code_that_does_not_fit_is_noted() {
    let room = Room::with("exit.wat", guests::exit(256));
    let noted = room.run(&["exit.wat"]).expect(0);
    assert!(noted.stderr.contains("256"), "{noted:?}");
}

#[test]
fn a_trap_is_134_and_tells_where() {
    let room = Room::with("trap.wat", guests::TRAP);
    for engine in engines() {
        for quiet in [&["trap.wat"][..], &["--quiet", "trap.wat"]] {
            let ended = room.run_on(engine, quiet).expect(134);
            assert_eq!(ended.said(), 1, "{ended:?}");
        }
    }
    let ended = room.run_on("wasmtime", &["trap.wat"]).expect(134);
    let place = |name: &str| ended.stderr.lines().position(|line| line.contains(name)).expect(name);
    assert!(place("inner") < place("outer"), "{ended:?}");
}

#[test]
fn the_deadline_is_124() {
    let room = Room::with("spin.wat", guests::SPIN);
    for engine in engines() {
        let ended = room.run_on(engine, &["--timeout", "200ms", "spin.wat"]).expect(124);
        assert_eq!((ended.stdout.as_str(), ended.said()), ("ready\n", 1), "{engine}");
        assert!(ended.stderr.contains("200ms") && ended.stderr.contains("--timeout"), "{ended:?}");
    }
}

#[test]
fn the_deadline_ends_a_guest_that_waits() {
    let room = Room::with("cat.wat", guests::CAT);
    for engine in engines() {
        let mut child = room.start(&["--engine", engine, "--timeout", "200ms", "cat.wat"]);
        // Its stdin stays open and empty until it has ended.
        let held = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(held);
        assert_eq!(output.status.code(), Some(124), "{engine}");
    }
}

#[test]
fn processor_time_used_up_is_152() {
    let room = Room::with("spin.wat", guests::SPIN);
    for engine in engines() {
        let ended = room.run_on(engine, &["--cpu-time", "200ms", "--timeout", "60s", "spin.wat"]).expect(152);
        assert_eq!(ended.said(), 1, "{engine}");
    }
}

#[test]
fn fuel_used_up_is_152() {
    let room = Room::with("spin.wat", guests::SPIN);
    for engine in engines() {
        let ended = room.run_on(engine, &["--fuel", "100000", "--timeout", "60s", "--report", "r.json", "spin.wat"]);
        assert_eq!(ended.said(), 1, "{engine}");
        let report: serde_json::Value = serde_json::from_str(&room.read("r.json")).unwrap();
        assert_eq!(report["outcome"]["status"]["limit"], "fuel");
        ended.expect(152);
    }
}

#[test]
fn measured_fuel_is_enough_everywhere() {
    let room = Room::with("loop.wat", guests::COUNTS);
    let used = |engine: &str, flags: &[&str]| {
        let ended = room.run_on(engine, &[flags, &["--report", "r.json", "loop.wat"]].concat());
        let report: serde_json::Value = serde_json::from_str(&room.read("r.json")).unwrap();
        (ended, report["outcome"]["usage"]["fuel"].as_u64())
    };
    for engine in engines() {
        let (measured, fuel) = used(engine, &["--measure-fuel"]);
        let fuel = fuel.unwrap();
        assert!(measured.stderr.contains(&fuel.to_string()) && measured.stderr.contains("--fuel "), "{measured:?}");
        measured.expect(0);
        let (enough, again) = used(engine, &["--fuel", &fuel.to_string()]);
        assert_eq!(again, Some(fuel));
        enough.expect(0);
        used(engine, &["--fuel", &(fuel - 1).to_string()]).0.expect(152);
    }
}

#[test]
fn too_much_output_is_153_and_the_rest_arrives() {
    let room = Room::with("flood.wat", guests::FLOOD);
    for engine in engines() {
        let ended = room.run_on(engine, &["--output-limit", "12", "--timeout", "60s", "flood.wat"]).expect(153);
        assert_eq!((ended.stdout.as_str(), ended.said()), ("flood\nflood\n", 1), "{engine}");
    }
}

#[test]
fn too_much_written_is_153() {
    let room = Room::with("make.wat", guests::MAKE_FILE);
    std::fs::create_dir(room.path("data")).unwrap();
    for engine in engines() {
        room.run_on(engine, &["-v", "data:/data", "--write-limit", "6", "make.wat"]).expect(0);
        let ended = room.run_on(engine, &["-v", "data:/data", "--write-limit", "5", "make.wat"]).expect(153);
        assert_eq!(ended.said(), 1, "{engine}");
    }
}

#[test]
fn memory_beyond_the_limit_is_refused_before_the_run() {
    let room = Room::with("big.wat", r#"(module (memory (export "memory") 17) (func (export "_start")))"#);
    for engine in engines() {
        room.run_on(engine, &["-m", "1088k", "big.wat"]).expect(0);
        room.run_on(engine, &["-m", "1024k", "big.wat"]).expect(126);
    }
}

#[test]
fn a_control_that_nobody_enforces_is_refused_by_name() {
    let room = Room::with("hello.wat", guests::HELLO);
    for (words, name) in [
        (&["--cpus", "1", "hello.wat"][..], "--cpus"),
        (&["--isolation", "in-process", "-p", "8080:80", "hello.wat"], "in-process"),
        (&["--isolation", "in-process", "hello.wat"], "in-process"),
    ] {
        let ended = room.run(words).expect(126);
        assert!(ended.stderr.contains(name) && ended.stdout.is_empty(), "{ended:?}");
    }
}
