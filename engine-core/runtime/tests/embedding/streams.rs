//! Standard streams: piped both ways while the guest runs, given as bytes, given as descriptors.

use crate::guests::{HELLO, echo};
use crate::room::{PIPED, Room, ended, engines, spec_of};
use std::io::{Read, Write};
use wasmrt_runtime::model::ExitStatus;
use wasmrt_runtime::model::stdio::Input;
use wasmrt_runtime::{PipedStreams, StartOptions};

#[test]
fn pipes_work_both_ways_while_the_guest_runs() {
    for engine in engines() {
        let room = Room::new();
        let run = room.start(&echo(), &spec_of(engine, PIPED));
        let (mut stdin, mut stdout) = (run.take_stdin().unwrap(), run.take_stdout().unwrap());
        assert!(run.take_stdin().is_none());
        for word in ["one", "two", "three"] {
            stdin.write_all(word.as_bytes()).unwrap();
            let mut back = vec![0; word.len()];
            stdout.read_exact(&mut back).unwrap();
            assert_eq!(back, word.as_bytes(), "{engine}");
        }
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        run.take_stderr().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, HELLO);
        assert_eq!(ended(&run).status, ExitStatus::Exited { code: 0 });
    }
}

#[test]
fn input_may_be_any_bytes_and_descriptors_may_be_given() {
    let room = Room::new();
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(300 << 10).collect();
    let mut spec = spec_of("wasmtime", "");
    spec.stdio.stdin = Input::Bytes(bytes.clone());
    assert_eq!(room.run(&echo(), &spec).stdout.unwrap().bytes, bytes);

    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut options = StartOptions::default();
    options.piped = PipedStreams { stdin: None, stdout: Some(writer.into()), stderr: None };
    let module = room.embedder.module(&echo()).unwrap();
    let run = room.embedder.start(&module, &spec_of("wasmtime", PIPED), options).unwrap();
    assert!(run.take_stdout().is_none());
    run.take_stdin().unwrap().write_all(b"abc").unwrap();
    let mut all = String::new();
    // No copy of the pipe is left here, or this would not end.
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "abc");
    assert!(ended(&run).status.success());
}
