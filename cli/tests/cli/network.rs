//! Ports and rules on the command line. What sockets do is tested where they are made.

use crate::guests;
use crate::room::{Ended, Room, WASM_RUN, engines};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// What the guest says to whom it accepts.
fn greeting(address: SocketAddr) -> String {
    let mut text = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_port_that_the_system_chooses_is_told() {
    let room = Room::with("greet.wat", guests::GREET);
    for engine in engines() {
        let mut child = room.start(&["--engine", engine, "-p", "127.0.0.1:0:80", "greet.wat"]);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let note = lines.find(|line| line.as_ref().unwrap().contains("80/tcp")).unwrap().unwrap();
        let address = note.split_whitespace().find_map(|word| word.parse::<SocketAddr>().ok()).unwrap();
        assert_eq!(greeting(address), "hello\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_listener_that_was_passed_on_is_the_guests() {
    let room = Room::with("greet.wat", guests::GREET);
    let passed = |pid: &str, listener: OwnedFd| {
        // What systemd does: the sockets from descriptor 3 on, and their number and whose they are in variables.
        let mut command = Command::new("sh");
        command.args(["-c", &format!(r#"LISTEN_PID={pid} LISTEN_FDS=1 exec "$@" 3<&0 0</dev/null"#), "sh", WASM_RUN]);
        command.args(["--listen", "fd://", "greet.wat"]);
        room.settle(&mut command);
        command.stdin(Stdio::from(listener)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let child = passed("$$", listener.into()).spawn().unwrap();
    assert_eq!(greeting(address), "hello\n");
    Ended::from(child.wait_with_output().unwrap()).expect(0);
    // Meant for somebody else; or no socket of the internet.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Ended::from(passed("1", listener.into()).output().unwrap()).expect(125);
    let local = std::os::unix::net::UnixListener::bind(room.path("socket")).unwrap();
    Ended::from(passed("$$", local.into()).output().unwrap()).expect(125);
    room.run(&["--listen", "fd://", "greet.wat"]).expect(125);
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_runs() {
    let room = Room::with("hello.wat", guests::HELLO);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = format!("{}:80", taken.local_addr().unwrap());
    let ended = room.run(&["-p", &port, "hello.wat"]);
    assert!(ended.code != 0 && ended.stdout.is_empty() && ended.stderr.contains(&port), "{ended:?}");
}

#[test]
fn wrong_ports_and_rules_are_refused_by_name() {
    let room = Room::with("hello.wat", guests::HELLO);
    for words in [
        ["-p", "80:http"],
        ["-p", "localhost:8080:80"],
        ["--listen", "8080"],
        ["--listen", "127.0.0.1:0"],
        ["--net", "connect"],
        ["--net", "listen=localhost:80"],
        ["--max-sockets", "many"],
        ["--backlog", "0"],
    ] {
        let ended = room.run(&[words[0], words[1], "hello.wat"]).expect(125);
        assert!(ended.stderr.contains(words[0].trim_start_matches('-')) && ended.stdout.is_empty(), "{ended:?}");
    }
}

#[test]
fn what_was_refused_is_told_with_the_rule_that_is_missing() {
    let room = Room::with("connect.wat", guests::CONNECT);
    for engine in engines() {
        let ended = room.run_on(engine, &["connect.wat"]).expect(2);
        assert!(ended.stderr.contains("connect=127.0.0.1:9"), "{ended:?}");
        // Somebody else's rule does not help; port 9 is nobody's, so the right one leads to another error.
        room.run_on(engine, &["--net", "connect=*", "connect.wat"]).expect(2);
        room.run_on(engine, &["--net", "connect=127.0.0.1:9", "connect.wat"]).expect(14);
    }
}
