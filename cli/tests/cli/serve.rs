//! `serve`: real requests over loopback, to a component that is written in the text format.
//!
//! Who is under way and who waits is known from what a request has answered so far, never from how long something took.

use crate::guests;
use crate::room::Room;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PROXY: &str = include_str!("proxy.wat");

/// Longer than anything here takes on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that listens.
struct Server {
    child: Child,
    address: SocketAddr,
    lines: Mutex<Receiver<String>>,
    _room: Room,
}

impl Server {
    fn start(words: &[&str]) -> Self {
        let room = Room::with("proxy.wat", PROXY);
        let words: Vec<&str> =
            ["serve", "--addr", "127.0.0.1:0"].iter().chain(words).copied().chain(["proxy.wat"]).collect();
        let mut child = room.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut server =
            Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), lines: Mutex::new(lines), _room: room };
        let line = server.told("listening on http://");
        server.address = line.trim_start_matches("listening on http://").parse().unwrap();
        server
    }

    /// The next line with this in it.
    fn told(&self, what: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.lock().unwrap().recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return line,
                Ok(line) => before.push(line),
                Err(error) => panic!("{error}: nothing about '{what}', but {before:#?}"),
            }
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends this and reads all that comes back.
    fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses need not read all of it.
        let _refused = stream.write_all(request);
        Answer::read(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// A request that has begun to be answered, and whose body is not complete.
    fn begin(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(b"POST /b HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\n").unwrap();
        read_until(&mut stream, "begun\n");
        stream
    }

    /// Its end.
    fn finish(mut stream: TcpStream) {
        stream.write_all(b"body").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("done\n"), "{rest:?}");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The exit code.
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the server does not end");
    }

    /// The process that answers.
    fn worker(&self) -> String {
        let pid = self.child.id();
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn read_until(stream: &mut TcpStream, what: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(what) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "no '{what}' in {:?}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // What was cut off ends with an error, and says so by what is missing.
        let _cut_off = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        Self { status: status.unwrap_or(0), text }
    }

    #[track_caller]
    fn is(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    #[track_caller]
    fn is_hello(&self) {
        assert!(self.status == 200 && self.text.contains("hello\n"), "{self:?}");
    }
}

#[test]
fn requests_are_answered_and_told_of() {
    let server = Server::start(&["--access-log", "json"]);
    server.get("/h?x=1").is_hello();
    let line: serde_json::Value = serde_json::from_str(&server.told("\"target\"")).unwrap();
    assert_eq!((&line["method"], &line["target"], &line["status"]), (&"GET".into(), &"/h?x=1".into(), &200.into()));
    assert_eq!((&line["bytes"], &line["complete"]), (&6.into(), &true.into()));
    // Two on one connection.
    let mut stream = server.connect();
    for _ in 0..2 {
        stream.write_all(b"GET /h HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        read_until(&mut stream, "hello\n");
    }
}

#[test]
fn what_a_request_does_to_itself_is_its_own() {
    let server = Server::start(&["--request-timeout", "500ms"]);
    server.get("/t").is(500);
    assert!(server.told("trap: ").contains("/t"));
    server.get("/s").is(500);
    server.get("/l").is(504);
    let cut = server.get("/f");
    assert!(!cut.text.ends_with("0\r\n\r\n"), "it looks complete: {cut:?}");
    // Several at a time that compute for ever leave others their turn.
    std::thread::scope(|scope| {
        let busy: Vec<_> = (0..6).map(|_| scope.spawn(|| server.get("/l").status)).collect();
        server.get("/h").is_hello();
        busy.into_iter().for_each(|busy| assert_eq!(busy.join().unwrap(), 504));
    });
    server.get("/h").is_hello();
}

#[test]
fn heads_and_bodies_are_bounded() {
    let server = Server::start(&["--max-header-bytes", "1k", "--max-body-bytes", "10"]);
    let head = |bytes: usize| {
        let request = format!("GET /h HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(bytes));
        server.raw(request.as_bytes())
    };
    head(900).is_hello();
    head(1024).is(431);
    head(1 << 20).is(431);
    let post = |path: &str, rest: &str| {
        server.raw(format!("POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{rest}").as_bytes())
    };
    post("/r", "Content-Length: 10\r\n\r\n0123456789").is_hello();
    post("/r", "Content-Length: 11\r\n\r\n01234567890").is(413);
    post("/r", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n").is_hello();
    post("/r", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n").is(413);
    server.raw(b"GET /h HTTP/1.1\r\nConnection: close\r\n\r\n").is(400);
    server.get("/h").is_hello();
}

#[test]
fn the_limits_of_the_plan_hold_for_each_request() {
    // Two memories of the guest's: one of them has a page and asks for 15 more.
    let enough = Server::start(&["--memory", "1m"]);
    (0..5).for_each(|_| enough.get("/g").is_hello());
    Server::start(&["--memory", "960k"]).get("/g").is(500);
    let enough = Server::start(&["--fuel", "100000"]);
    (0..5).for_each(|_| enough.get("/h").is_hello());
    enough.get("/l").is(500);
    assert!(enough.told("limit reached").contains("fuel"));
    Server::start(&["--fuel", "10"]).get("/h").is(500);
}

#[test]
fn requests_beyond_the_concurrency_wait_and_beyond_the_queue_are_refused() {
    let server = Server::start(&["--concurrency", "1", "--queue", "0"]);
    let first = server.begin();
    server.get("/h").is(503);
    Server::finish(first);
    let deadline = Instant::now() + PATIENCE;
    // The slot is free a moment after the answer is complete.
    while server.get("/h").status == 503 {
        assert!(Instant::now() < deadline);
    }

    let server = Server::start(&["--concurrency", "1", "--queue", "1"]);
    let first = server.begin();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| server.get("/h"));
        // Of two more one waits and one is refused, whichever comes first.
        let third = scope.spawn(|| server.get("/h"));
        let deadline = Instant::now() + PATIENCE;
        while !second.is_finished() && !third.is_finished() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        Server::finish(first);
        let mut both = [second.join().unwrap().status, third.join().unwrap().status];
        both.sort_unstable();
        assert_eq!(both, [200, 503]);
    });
}

#[test]
fn a_server_that_is_asked_to_stop_finishes_what_is_under_way() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start(&[]);
        let under_way = server.begin();
        server.signal(signal);
        server.told("stopping");
        assert!(TcpStream::connect(server.address).is_err(), "it still listens");
        Server::finish(under_way);
        assert_eq!(server.ended(), Some(0));
    }
}

#[test]
fn what_does_not_end_in_time_is_cut_off_and_a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--drain-timeout", "100ms"]);
    let _under_way = server.begin();
    server.signal("-TERM");
    assert_eq!(server.ended(), Some(0));

    let mut server = Server::start(&["--drain-timeout", "1h"]);
    let _under_way = server.begin();
    server.signal("-TERM");
    server.told("stopping");
    server.signal("-TERM");
    assert_eq!(server.ended(), Some(128 + 15));
}

#[test]
fn a_worker_that_dies_is_started_again_and_dies_with_its_supervisor() {
    let mut server = Server::start(&[]);
    server.get("/h").is_hello();
    let worker = server.worker();
    assert!(std::process::Command::new("kill").args(["-KILL", &worker]).status().unwrap().success());
    server.told("the worker died");
    server.get("/h").is_hello();
    let worker = server.worker();
    server.child.kill().unwrap();
    server.ended();
    let deadline = Instant::now() + PATIENCE;
    while std::path::Path::new(&format!("/proc/{worker}/exe")).exists() {
        assert!(Instant::now() < deadline, "the worker outlives its supervisor");
        std::thread::yield_now();
    }
}

#[test]
fn health_is_answered_at_an_address_of_its_own() {
    let mut server = Server::start(&["--health-addr", "127.0.0.1:0"]);
    let line = server.told("health on http://");
    let health: SocketAddr = line.trim_start_matches("health on http://").trim_end_matches("/healthz").parse().unwrap();
    server.address = health;
    server.get("/healthz").is(200);
    server.get("/h").is(404);
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_do() {
    let room = Room::with("module.wat", guests::HELLO);
    room.write("proxy.wat", PROXY);
    room.write("empty.wat", "(component)");
    room.write("publish.json", r#"{"network": {"publish": ["8080:80"]}}"#);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (words, code, told) in [
        (&["serve", "--addr", "127.0.0.1:0", "module.wat"][..], 126, "wasm-run run"),
        (&["serve", "--addr", "127.0.0.1:0", "empty.wat"], 126, "incoming-handler"),
        (&["serve", "--addr", "127.0.0.1:0", "--engine", "wasmedge", "proxy.wat"], 126, "wasmtime"),
        (&["serve", "--addr", &address, "proxy.wat"], 125, &address),
        (&["serve", "--addr", "nowhere", "proxy.wat"], 125, "nowhere"),
        (&["serve", "--max-header-bytes", "10", "proxy.wat"], 125, "256"),
        (&["serve", "--net", "listen=127.0.0.1:80", "proxy.wat"], 126, "listen=127.0.0.1:80"),
        (&["serve", "--spec", "publish.json", "proxy.wat"], 126, "0.0.0.0:8080:80"),
        (&["proxy.wat"], 126, "wasm-run serve"),
    ] {
        if words.contains(&"wasmedge") && !crate::room::engines().iter().any(|engine| engine == "wasmedge") {
            continue;
        }
        let ended = room.run(words).expect(code);
        assert!(ended.stderr.contains(told), "{words:?}: {ended:?}");
    }
}
