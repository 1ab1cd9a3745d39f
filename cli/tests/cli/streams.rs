//! Where the guest's standard streams come from and go to.

use crate::guests;
use crate::room::{Ended, Room, engines};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

#[test]
fn streams_are_the_callers_by_default() {
    let room = Room::with("cat.wat", guests::CAT);
    let input = b"binary \xff\0 and text\n".repeat(10_000);
    for engine in engines() {
        let mut command = room.command(&["--engine", engine, "cat.wat"]);
        room.write("input", &input);
        command.stdin(std::fs::File::open(room.path("input")).unwrap());
        assert!(command.output().unwrap().stdout == input, "{engine}");
    }
    assert_eq!(Room::with("c.wat", guests::COMPLAIN).run(&["-q", "c.wat"]).expect(0).stderr, "oops\n");
}

#[test]
fn streams_can_be_files_or_nothing() {
    let room = Room::with("cat.wat", guests::CAT);
    room.write("in.txt", "from a file");
    room.write("out.txt", "what was there before, and longer than what comes");
    let ended = room.run(&["--stdin", "in.txt", "--stdout", "out.txt", "cat.wat"]).expect(0);
    assert_eq!((ended.stdout.as_str(), room.read("out.txt").as_str()), ("", "from a file"));
    assert_eq!(room.run_with_input(&["--stdin", "null", "cat.wat"], b"unread").expect(0).stdout, "");
    assert_eq!(room.run_with_input(&["--stdout", "null", "cat.wat"], b"unseen").expect(0).stdout, "");
    assert_eq!(room.run_with_input(&["--stdin", "inherit", "cat.wat"], b"read").expect(0).stdout, "read");

    room.write("complain.wat", guests::COMPLAIN);
    let ended = room.run(&["-q", "--stderr", "errors.txt", "complain.wat"]).expect(0);
    assert_eq!((ended.stderr.as_str(), room.read("errors.txt").as_str()), ("", "oops\n"));
    room.run(&["--stdin", "absent.txt", "cat.wat"]).expect(127);
    room.run(&["--stdout", "no/such/directory", "cat.wat"]).expect(127);
}

#[test]
fn results_go_to_our_stdout_also_when_the_guests_is_elsewhere() {
    let room = Room::with("functions.wat", guests::FUNCTIONS);
    let ended = room.run(&["--stdout", "null", "--invoke", "add", "functions.wat", "2", "3"]).expect(0);
    assert_eq!(ended.stdout, "5\n");
}

#[test]
fn a_module_comes_from_stdin() {
    let room = Room::with("hello.wat", guests::HELLO);
    assert_eq!(room.run_with_input(&["-"], guests::HELLO.as_bytes()).expect(0).stdout, "hello\n");
    assert_eq!(room.run_with_input(&["run", "-", "x"], guests::ARGUMENTS.as_bytes()).expect(0).stdout, "-\0x\0");
    assert_eq!(room.run_with_input(&["-"], guests::CAT.as_bytes()).expect(0).stdout, "", "the guest read its own text");
    room.write("in.txt", "input");
    assert_eq!(room.run_with_input(&["--stdin", "in.txt", "-"], guests::CAT.as_bytes()).expect(0).stdout, "input");
    room.run_with_input(&["--stdin", "inherit", "-"], guests::CAT.as_bytes()).expect(125);
}

#[test]
fn a_module_comes_through_a_pipe_with_a_name() {
    let room = Room::with("hello.wat", guests::HELLO);
    let status = Command::new("mkfifo").arg(room.path("pipe")).status().unwrap();
    assert!(status.success());
    let child = room.start(&["pipe"]);
    std::fs::write(room.path("pipe"), guests::HELLO).unwrap();
    assert_eq!(Ended::from(child.wait_with_output().unwrap()).expect(0).stdout, "hello\n");
}

#[test]
fn a_guest_talks_line_by_line() {
    let room = Room::with("cat.wat", guests::CAT);
    for engine in engines() {
        let mut child = room.start(&["--engine", engine, "cat.wat"]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        for line in ["one\n", "two\n"] {
            stdin.write_all(line.as_bytes()).unwrap();
            let mut echo = String::new();
            stdout.read_line(&mut echo).unwrap();
            assert_eq!(echo, line);
        }
        drop(stdin);
        assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_reader_that_goes_away_ends_nothing_badly() {
    let room = Room::with("flood.wat", guests::FLOOD);
    for engine in engines() {
        let mut child = room.start(&["--engine", engine, "flood.wat"]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "flood\n");
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
    for words in [&["inspect", "flood.wat"][..], &["--help"], &["schema"], &["man"], &["engines", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = room.command(words);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(output.stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    let room = Room::with("functions.wat", guests::FUNCTIONS);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for words in [&["--invoke", "add", "functions.wat", "2", "3"][..], &["inspect", "functions.wat"], &["schema"]] {
        let output = room.command(words).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{words:?}");
    }
}
