//! Flags and what they do to a guest.

use crate::guests;
use crate::room::{Ended, Room, WASM_RUN, engines};
use std::process::Command;

#[test]
fn a_module_runs_with_and_without_the_word_run() {
    let room = Room::with("hello.wat", guests::HELLO);
    for engine in engines() {
        for words in [&["hello.wat"][..], &["./hello.wat"], &["--", "hello.wat"]] {
            let ended = room.run_on(engine, words).expect(0);
            assert_eq!((ended.stdout.as_str(), ended.said()), ("hello\n", 0), "{engine} {words:?}");
        }
    }
    assert_eq!(room.run(&["run", "hello.wat"]).expect(0).stdout, "hello\n");
}

#[test]
fn a_module_can_have_a_commands_name() {
    let room = Room::with("compile", guests::HELLO);
    assert_eq!(room.run(&["./compile"]).expect(0).stdout, "hello\n");
    assert_eq!(room.run(&["run", "compile"]).expect(0).stdout, "hello\n");
}

#[test]
fn arguments_reach_the_guest_as_they_are() {
    let room = Room::with("arguments.wat", guests::ARGUMENTS);
    let path = room.path("arguments.wat");
    for engine in engines() {
        let words = [path.to_str().unwrap(), "--help", "-m", "", "a b", "--", "-", "ü"];
        let ended = room.run_on(engine, &words).expect(0);
        assert_eq!(ended.stdout, "arguments.wat\0--help\0-m\0\0a b\0--\0-\0ü\0", "{engine}");
    }
    assert_eq!(room.run(&["--arg0", "other", "arguments.wat", "x"]).expect(0).stdout, "other\0x\0");
}

#[test]
fn only_named_variables_reach_the_guest() {
    let room = Room::with("environment.wat", guests::ENVIRONMENT);
    room.write("variables", "# a comment\nFROM_FILE=1\nBOTH=file\nPASSED\n");
    for engine in engines() {
        let mut command = room.command(&[
            "--engine",
            engine,
            "--env-file",
            "variables",
            "-e",
            "BOTH=flag",
            "-e",
            "ALSO",
            "-e",
            "ABSENT",
            "-e",
            "EMPTY=",
            "environment.wat",
        ]);
        command.env("PASSED", "p=1").env("ALSO", "a").env("SECRET", "s").env_remove("ABSENT");
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ALSO=a\0BOTH=flag\0EMPTY=\0FROM_FILE=1\0PASSED=p=1\0");
    }
}

#[test]
fn a_volume_is_written_unless_it_is_for_reading() {
    const ERRNO_ROFS: i32 = 69;
    const ERRNO_PERM: i32 = 63;
    const ERRNO_ACCES: i32 = 2;
    const ERRNO_NOTCAPABLE: i32 = 76;
    let room = Room::with("make.wat", guests::MAKE_FILE);
    for engine in engines() {
        for (index, words) in
            [&["-v", "data:/data"][..], &["-v", "data:/data:rw"], &["--dir", "data"], &["--dir", "data::/d::rw"]]
                .iter()
                .enumerate()
        {
            std::fs::create_dir(room.path("data")).unwrap();
            room.run_on(engine, &[words, &["make.wat"][..]].concat()).expect(0);
            assert_eq!(room.read("data/made"), "hello\n", "{index}");
            std::fs::remove_dir_all(room.path("data")).unwrap();
        }
        for words in [&["-v", "data:/data:ro"][..], &["--dir", "data::/d::ro"]] {
            std::fs::create_dir(room.path("data")).unwrap();
            let ended = room.run_on(engine, &[words, &["make.wat"][..]].concat());
            assert!([ERRNO_ROFS, ERRNO_PERM, ERRNO_ACCES, ERRNO_NOTCAPABLE].contains(&ended.code), "{ended:?}");
            assert!(!room.path("data/made").exists());
            std::fs::remove_dir(room.path("data")).unwrap();
        }
        assert_ne!(room.run_on(engine, &["make.wat"]).code, 0, "a guest without a volume has none");
    }
}

#[test]
fn a_guest_may_open_what_its_limit_says_though_the_shell_allows_less() {
    let room = Room::with("opens.wat", guests::OPENS);
    std::fs::create_dir(room.path("data")).unwrap();
    for engine in engines() {
        let script =
            format!("ulimit -Sn 64 && exec {WASM_RUN} --engine {engine} --max-files 150 -v data:/data opens.wat");
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        room.settle(&mut command);
        let ended = Ended::from(command.output().unwrap());
        // Three streams and the volume are open to begin with.
        assert_eq!(ended.code, 146, "{ended:#?}");
    }
}

#[test]
fn exports_are_called_and_their_results_printed() {
    let room = Room::with("functions.wat", guests::FUNCTIONS);
    for engine in engines() {
        for (words, stdout) in [
            (&["--invoke", "add", "functions.wat", "2", "3"][..], "5\n"),
            (&["--invoke", "add", "functions.wat", "-1", "0x7fffffff"], "2147483646\n"),
            (&["--invoke", "add", "functions.wat", "4294967295", "0"], "-1\n"),
            (&["--invoke", "swap", "functions.wat", "1", "-9223372036854775808"], "-9223372036854775808\n1\n"),
            (&["--invoke", "half", "functions.wat", "5"], "2.5\n"),
            (&["--invoke", "half", "functions.wat", "NaN"], "NaN\n"),
            (&["--invoke", "half", "functions.wat", "-inf"], "-inf\n"),
            (&["--invoke", "third", "functions.wat", "1"], "0.33333334\n"),
            (&["--invoke", "nothing", "functions.wat"], ""),
        ] {
            let ended = room.run_on(engine, words).expect(0);
            assert_eq!(ended.stdout, stdout, "{engine} {words:?}");
        }
        room.run_on(engine, &["--invoke", "divide", "functions.wat", "1", "0"]).expect(134);
    }
}

#[test]
fn an_export_that_does_not_fit_is_refused() {
    let room = Room::with("functions.wat", guests::FUNCTIONS);
    for (words, code) in [
        (&["--invoke", "absent", "functions.wat"][..], 126),
        (&["--invoke", "memory", "functions.wat"], 126),
        (&["functions.wat"], 126),
        (&["--invoke", "add", "functions.wat", "1"], 125),
        (&["--invoke", "add", "functions.wat", "1", "2", "3"], 125),
        (&["--invoke", "add", "functions.wat", "1", "two"], 125),
        (&["--invoke", "add", "functions.wat", "1", "4294967296"], 125),
    ] {
        let ended = room.run(words).expect(code);
        assert_eq!((ended.stdout.as_str(), ended.said()), ("", 1), "{words:?}");
    }
}

#[test]
fn a_fixed_world_is_the_same_each_time() {
    let room = Room::with("world.wat", guests::WORLD);
    let fixed = ["--clock", "1700000000", "--random", "7", "world.wat"];
    let mut seen = Vec::new();
    for engine in engines() {
        for _ in 0..2 {
            let mut command = room.command(&["--engine", engine]);
            command.args(fixed);
            seen.push(command.output().unwrap().stdout);
        }
    }
    assert_eq!(seen[0].len(), 16);
    assert!(seen.iter().all(|bytes| *bytes == seen[0]), "{seen:?}");
    let nanoseconds = u64::from_le_bytes(seen[0][..8].try_into().unwrap());
    assert_eq!(nanoseconds / 1_000_000_000, 1_700_000_000);

    let real = |_| room.command(&["world.wat"]).output().unwrap().stdout;
    let [first, second] = [0, 1].map(real);
    assert_ne!(first[8..], second[8..], "two runs drew the same random bytes");
}

#[test]
fn a_spec_says_all_that_flags_say() {
    let room = Room::with("arguments.wat", guests::ARGUMENTS);
    room.write("spec.json", r#"{"engine": "wasmtime", "args": ["from-spec", "a"], "limits": {"wall_time": "30s"}}"#);
    assert_eq!(room.run(&["--spec", "spec.json", "arguments.wat"]).expect(0).stdout, "from-spec\0a\0");
    assert_eq!(room.run(&["--spec", "spec.json", "arguments.wat", "b"]).expect(0).stdout, "from-spec\0b\0");
}

#[test]
fn what_is_compiled_is_kept_unless_it_is_not_to_be() {
    let room = Room::with("hello.wat", guests::HELLO);
    room.run_on("wasmtime", &["--no-cache", "hello.wat"]).expect(0);
    assert!(!room.path("cache").exists(), "--no-cache made a cache");
    room.run_on("wasmtime", &["--cache-dir", "own", "hello.wat"]).expect(0);
    assert!(room.path("own").is_dir() && !room.path("cache").exists());
    let entries = |words: &[&str]| room.run(words).expect(0).json()["entries"].as_array().unwrap().len();
    assert_eq!(entries(&["cache", "list", "--json", "--cache-dir", "own"]), 1);
    room.run_on("wasmtime", &["--cache-dir", "own", "hello.wat"]).expect(0);
    assert_eq!(entries(&["cache", "--cache-dir", "own", "list", "--json"]), 1);
}
