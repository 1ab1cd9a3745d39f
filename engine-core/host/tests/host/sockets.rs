//! Sockets over loopback: what they do, and what the rules and limits keep them from.

use crate::guest::{Guest, is_bad_pointer};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wasmrt_host::network::{Broker, Direct, serve};
use wasmrt_host::{Cancel, Listener, Resources};
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, LimitKind, NetworkPolicy, RunSpec};

const ACCES: u64 = 2;
const AFNOSUPPORT: u64 = 5;
const AGAIN: u64 = 6;
const CONNREFUSED: u64 = 14;
const DESTADDRREQ: u64 = 17;
const INPROGRESS: u64 = 26;
const INVAL: u64 = 28;
const ISCONN: u64 = 30;
const NFILE: u64 = 41;
const NOTCONN: u64 = 53;
const SPIPE: u64 = 70;

const TCP: u64 = 2;
const UDP: u64 = 1;

/// Where addresses, options and results are put.
const ADDRESS: u64 = 512;
const BYTES: u64 = 544;
const OUT: u64 = 768;
const BUFFERS: u64 = 900;
const DATA: u64 = 8192;

/// A guest with these rules and limits, whose sockets are opened in this process.
fn with_rules(rules: &[String], limits: &str) -> Guest {
    with(rules, limits, Resources::new())
}

fn with(rules: &[String], limits: &str, mut resources: Resources) -> Guest {
    let json = spec(rules, limits);
    resources.network = Some(Box::new(Direct::new(policy(&json), Vec::new())));
    Guest::with(&json, resources).unwrap()
}

fn spec(rules: &[String], limits: &str) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("{rule:?}")).collect();
    format!(r#"{{"network": {{"allow": [{}]}}, "limits": {{{limits}}}}}"#, rules.join(", "))
}

fn policy(json: &str) -> NetworkPolicy {
    RunSpec::from_json(json).unwrap().network
}

/// A listener of this machine on a port of the system's choice.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A peer that sends back all that it gets, once.
fn echo() -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener();
    let thread = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut copy = peer.try_clone().unwrap();
        std::io::copy(&mut peer, &mut copy).unwrap();
    });
    (address, thread)
}

impl Guest {
    fn socket(&mut self, family: u64, kind: u64) -> Result<u64, u64> {
        match self.call("sock_open", &[family, kind, OUT]) {
            0 => Ok(self.word(OUT)),
            errno => Err(errno),
        }
    }

    fn tcp(&mut self) -> u64 {
        self.socket(1, TCP).unwrap()
    }

    /// Puts an address where addresses go.
    fn address(&mut self, address: SocketAddr) -> [u64; 2] {
        let bytes = match address {
            SocketAddr::V4(v4) => v4.ip().octets().to_vec(),
            SocketAddr::V6(v6) => v6.ip().octets().to_vec(),
        };
        self.put(BYTES, &bytes);
        self.put(ADDRESS, &u32::try_from(BYTES).unwrap().to_le_bytes());
        self.put(ADDRESS + 4, &u32::try_from(bytes.len()).unwrap().to_le_bytes());
        [ADDRESS, u64::from(address.port())]
    }

    fn at(&mut self, name: &'static str, fd: u64, address: SocketAddr) -> u64 {
        let [at, port] = self.address(address);
        self.call(name, &[fd, at, port])
    }

    fn connect(&mut self, fd: u64, peer: SocketAddr) -> u64 {
        self.at("sock_connect", fd, peer)
    }

    fn buffer(&mut self, length: u64) -> u64 {
        self.put(BUFFERS, &u32::try_from(DATA).unwrap().to_le_bytes());
        self.put(BUFFERS + 4, &u32::try_from(length).unwrap().to_le_bytes());
        BUFFERS
    }

    fn try_send(&mut self, fd: u64, data: &[u8]) -> Result<Result<u64, u64>, Ending> {
        self.put(DATA, data);
        let list = self.buffer(data.len() as u64);
        Ok(match self.call_in("wasi_snapshot_preview1", "sock_send", &[fd, list, 1, 0, OUT])? {
            0 => Ok(self.word(OUT)),
            errno => Err(errno),
        })
    }

    fn send(&mut self, fd: u64, data: &[u8]) -> Result<u64, u64> {
        self.try_send(fd, data).unwrap()
    }

    fn try_receive(&mut self, fd: u64, room: u64, flags: u64) -> Result<Result<Vec<u8>, u64>, Ending> {
        let list = self.buffer(room);
        Ok(match self.call_in("wasi_snapshot_preview1", "sock_recv", &[fd, list, 1, flags, OUT, OUT + 8])? {
            0 => {
                let length = self.word(OUT);
                Ok(self.get(DATA, length))
            }
            errno => Err(errno),
        })
    }

    fn receive(&mut self, fd: u64, room: u64) -> Result<Vec<u8>, u64> {
        self.try_receive(fd, room, 0).unwrap()
    }

    fn send_to(&mut self, fd: u64, data: &[u8], peer: SocketAddr) -> u64 {
        self.put(DATA, data);
        let list = self.buffer(data.len() as u64);
        let [at, port] = self.address(peer);
        self.call("sock_send_to", &[fd, list, 1, at, port, 0, OUT])
    }

    /// Data, the sender's port, and the flags.
    fn receive_from(&mut self, fd: u64, room: u64) -> Result<(Vec<u8>, u64, u8), u64> {
        let list = self.buffer(room);
        let [at, _] = self.address("0.0.0.0:0".parse().unwrap());
        match self.call("sock_recv_from", &[fd, list, 1, at, 0, OUT + 16, OUT, OUT + 8]) {
            0 => {
                let length = self.word(OUT);
                let port = self.get(OUT + 16, 2);
                let flags = self.get(OUT + 8, 1)[0];
                Ok((self.get(DATA, length), u64::from(u16::from_le_bytes([port[0], port[1]])), flags))
            }
            errno => Err(errno),
        }
    }

    fn name_of(&mut self, name: &'static str, fd: u64) -> Result<(Vec<u8>, u64, u64), u64> {
        let [at, _] = self.address("0.0.0.0:0".parse().unwrap());
        match self.call(name, &[fd, at, OUT, OUT + 4]) {
            0 => Ok((self.get(BYTES, 4), self.word(OUT), self.word(OUT + 4))),
            errno => Err(errno),
        }
    }

    fn nonblocking(&mut self, fd: u64) {
        assert_eq!(self.call("fd_fdstat_set_flags", &[fd, 4]), 0);
    }

    fn accept(&mut self, fd: u64) -> Result<u64, u64> {
        match self.call("sock_accept", &[fd, 0, OUT]) {
            0 => Ok(self.word(OUT)),
            errno => Err(errno),
        }
    }
}

#[test]
fn a_client_talks_to_whom_a_rule_names() {
    let (peer, thread) = echo();
    let mut guest = with_rules(&[format!("connect={peer}")], "");
    let socket = guest.tcp();
    assert_eq!(socket, 3, "the lowest free number");
    assert_eq!(guest.connect(socket, peer), 0);
    assert_eq!(guest.connect(socket, peer), ISCONN);
    assert_eq!(guest.send(socket, b"hello"), Ok(5));
    assert_eq!(guest.try_receive(socket, 5, 1).unwrap(), Ok(b"hello".to_vec()), "peeking takes nothing");
    assert_eq!(guest.try_receive(socket, 5, 2).unwrap(), Ok(b"hello".to_vec()));
    assert_eq!(guest.write(socket, b"file"), Ok(4));
    assert_eq!(guest.read(socket, 100), Ok(b"file".to_vec()));
    let (address, version, port) = guest.name_of("sock_getpeeraddr", socket).unwrap();
    assert_eq!((&address[..], version, port), (&[127, 0, 0, 1][..], 4, u64::from(peer.port())));
    assert_eq!(guest.call("sock_shutdown", &[socket, 2]), 0);
    assert_eq!(guest.receive(socket, 10), Ok(Vec::new()));
    assert_eq!(guest.call("fd_close", &[socket]), 0);
    assert_eq!(guest.tcp(), socket);
    thread.join().unwrap();
}

#[test]
fn nobody_else_is_reached() {
    let (listener, peer) = listener();
    listener.set_nonblocking(true).unwrap();
    let other = SocketAddr::new(peer.ip(), peer.port() ^ 1);
    for rules in [
        vec![],
        vec!["connect=*".to_owned()],
        vec![format!("connect={other}")],
        vec![format!("connect={peer}/udp")],
        vec![format!("connect=example.com:{}", peer.port())],
    ] {
        let mut guest = with_rules(&rules, "");
        let socket = guest.tcp();
        assert_eq!(guest.connect(socket, peer), ACCES, "{rules:?}");
        assert_eq!(guest.refusals.lines().len(), 1);
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
    // Nobody opens sockets at all.
    let mut guest = Guest::new("{}");
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), ACCES);
    assert_eq!(guest.at("sock_bind", socket, "127.0.0.1:0".parse().unwrap()), ACCES);
    assert_eq!(guest.refusals.lines().len(), 2);
}

#[test]
fn a_name_reaches_its_addresses_but_none_that_is_special() {
    let (peer, thread) = echo();
    let mut guest = with_rules(&[format!("connect=localhost:{}", peer.port())], "");
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    drop(guest);
    thread.join().unwrap();
    // The machine's own name leads to itself, wherever it is written down.
    let (_listener, peer) = listener();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut guest = with_rules(&[format!("connect={}:{}", name.trim(), peer.port())], "");
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), ACCES);
}

#[test]
fn a_refused_connection_can_be_tried_again() {
    let (listener, peer) = listener();
    drop(listener);
    let mut guest = with_rules(&[format!("connect={peer}")], "");
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), CONNREFUSED);
    assert_eq!(guest.connect(socket, peer), CONNREFUSED);
    let _listener = TcpListener::bind(peer).unwrap();
    assert_eq!(guest.connect(socket, peer), 0);
}

#[test]
fn without_waiting_a_connection_is_in_progress() {
    let (_listener, peer) = listener();
    let mut guest = with_rules(&[format!("connect={peer}")], "");
    let socket = guest.tcp();
    guest.nonblocking(socket);
    let connected = guest.connect(socket, peer);
    assert!([0, INPROGRESS].contains(&connected), "{connected}");
    // Writable when it is made, and then without an error.
    let mut subscription = [0; 48];
    subscription[8] = 2;
    subscription[16] = u8::try_from(socket).unwrap();
    guest.put(OUT + 64, &subscription);
    assert_eq!(guest.call("poll_oneoff", &[OUT + 64, OUT + 128, 1, OUT]), 0);
    guest.put(OUT, &4u32.to_le_bytes());
    assert_eq!(guest.call("sock_getsockopt", &[socket, 0, 2, OUT + 8, OUT]), 0);
    assert_eq!(guest.word(OUT + 8), 0);
    assert_eq!(guest.receive(socket, 10), Err(AGAIN));
}

#[test]
fn a_server_listens_where_a_rule_says() {
    let (free, local) = listener();
    drop(free);
    let mut guest = with_rules(&[format!("listen={local}")], "");
    let socket = guest.tcp();
    assert_eq!(guest.at("sock_bind", socket, SocketAddr::new(local.ip(), local.port() ^ 1)), ACCES);
    assert_eq!(guest.call("sock_listen", &[socket, 5]), DESTADDRREQ, "no address, no port of the system's choice");
    assert_eq!(guest.at("sock_bind", socket, local), 0);
    assert_eq!(guest.call("sock_listen", &[socket, 1_000_000]), 0);
    let mut client = TcpStream::connect(local).unwrap();
    client.write_all(b"ping").unwrap();
    let accepted = guest.accept(socket).unwrap();
    assert_eq!(guest.receive(accepted, 10), Ok(b"ping".to_vec()));
    let (_, _, port) = guest.name_of("sock_getpeeraddr", accepted).unwrap();
    assert_eq!(port, u64::from(client.local_addr().unwrap().port()));
    assert_eq!(guest.send(accepted, b"pong"), Ok(4));
    assert_eq!(guest.call("fd_close", &[accepted]), 0);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "pong");
    // The older form takes no flags; the newer one makes what it accepts non-blocking.
    let _client = TcpStream::connect(local).unwrap();
    assert_eq!(guest.call("sock_accept/1", &[socket, OUT]), 0);
    let _client = TcpStream::connect(local).unwrap();
    assert_eq!(guest.call("sock_accept", &[socket, 4, OUT]), 0);
    let accepted = guest.word(OUT);
    assert_eq!(guest.receive(accepted, 10), Err(AGAIN));
    guest.nonblocking(socket);
    assert_eq!(guest.accept(socket), Err(AGAIN));
}

/// A published port: the machine's listener, which is another port to the guest.
fn published(guest_port: u16) -> (Resources, SocketAddr) {
    let (listener, local) = listener();
    listener.set_nonblocking(true).unwrap();
    let mut resources = Resources::new();
    resources.listeners =
        vec![Listener { socket: OwnedFd::from(listener), local, guest_port: Some(guest_port), datagrams: None }];
    (resources, local)
}

#[test]
fn a_published_port_is_found_by_number_and_by_port() {
    let (resources, local) = published(80);
    let mut guest = Guest::with("{}", resources).unwrap();
    // By its number, as a program that was given a listener.
    let _client = TcpStream::connect(local).unwrap();
    assert_eq!(guest.accept(3), Ok(4));
    // By its port, as a program that opens its own.
    let socket = guest.tcp();
    assert_eq!(guest.at("sock_bind", socket, "0.0.0.0:80".parse().unwrap()), 0);
    assert_eq!(guest.call("sock_listen", &[socket, 5]), 0);
    assert_eq!(guest.name_of("sock_getlocaladdr", socket), Ok((vec![0; 4], 4, 80)));
    let _client = TcpStream::connect(local).unwrap();
    let accepted = guest.accept(socket).unwrap();
    assert_eq!(guest.call("fd_close", &[accepted]), 0);
    // It does not go away, whatever the guest does with it.
    assert_eq!(guest.call("sock_shutdown", &[socket, 3]), NOTCONN);
    assert_eq!(guest.call("fd_close", &[socket]), 0);
    let socket = guest.tcp();
    assert_eq!(guest.at("sock_bind", socket, "0.0.0.0:80".parse().unwrap()), 0);
    assert_eq!(guest.call("sock_listen", &[socket, 5]), 0);
    let _client = TcpStream::connect(local).unwrap();
    assert_eq!(guest.accept(socket), Ok(accepted));
    let other = guest.tcp();
    assert_eq!(guest.at("sock_bind", other, "0.0.0.0:81".parse().unwrap()), ACCES);
    assert_eq!(guest.at("sock_bind", other, local), ACCES, "the machine's port is not the guest's");
}

#[test]
fn a_guest_is_told_what_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let (resources, _) = published(80);
    let json = crate::guest::preopened(&[(directory.path(), "/data", "rw")], "");
    let mut guest = Guest::with(&json, resources).unwrap();
    // What libraries do: every descriptor from 3 on, until there is none.
    assert_eq!(guest.call("fd_prestat_get", &[3, OUT]), 0);
    assert_ne!(guest.get(OUT, 1), [0], "it is no directory");
    assert_eq!(guest.call("fd_prestat_get", &[4, OUT]), 0);
    assert_eq!((guest.get(OUT, 1), guest.word(OUT + 4)), (vec![0], 5));
    assert_eq!(guest.call("fd_prestat_get", &[5, OUT]), 8);
    assert_eq!(guest.call("environ_sizes_get", &[OUT, OUT + 4]), 0);
    assert_eq!(guest.call("environ_get", &[OUT + 8, DATA]), 0);
    assert_eq!(guest.get(DATA, 14), b"LISTEN_FDS=1\0\0");
    // Files and sockets share their numbers.
    let file = guest.open(4, "file", 1, 1 << 6).unwrap();
    let socket = guest.tcp();
    assert_eq!((file, socket), (5, 6));
    assert_eq!(guest.write(file, b"data"), Ok(4));
    assert_eq!(guest.call("fd_renumber", &[file, socket]), 0);
    assert_eq!(guest.write(socket, b"more"), Ok(4));
    assert_eq!(guest.write(file, b"gone"), Err(8));
    assert_eq!(guest.tcp(), file);
    assert_eq!(std::fs::read(directory.path().join("file")).unwrap(), b"datamore");
}

#[test]
fn datagrams_go_where_rules_say_and_come_from_there() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = server.local_addr().unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut guest = with_rules(&[format!("connect={peer}/udp")], "");
    let socket = guest.socket(1, UDP).unwrap();
    assert_eq!(guest.send_to(socket, b"question", peer), 0);
    let mut buffer = [0; 100];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"question");
    // What somebody else sends is not for the guest.
    stranger.send_to(b"noise", SocketAddr::new("127.0.0.1".parse().unwrap(), from.port())).unwrap();
    server.send_to(b"answer", from).unwrap();
    assert_eq!(guest.receive_from(socket, 100), Ok((b"answer".to_vec(), u64::from(peer.port()), 0)));
    server.send_to(b"long answer", from).unwrap();
    assert_eq!(
        guest.receive_from(socket, 4),
        Ok((b"long".to_vec(), u64::from(peer.port()), 1)),
        "cut off, and said so"
    );
    assert_eq!(guest.send_to(socket, b"x", stranger.local_addr().unwrap()), ACCES);
    // Connected, it needs no address.
    assert_eq!(guest.connect(socket, peer), 0);
    assert_eq!(guest.send(socket, b"again"), Ok(5));
    assert_eq!(server.recv(&mut buffer).unwrap(), 5);
}

#[test]
fn a_datagram_server_answers_who_has_asked() {
    let local: SocketAddr = {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let mut guest = with_rules(&[format!("listen={local}/udp")], "");
    let socket = guest.socket(1, UDP).unwrap();
    assert_eq!(guest.at("sock_bind", socket, local), 0);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"hello", local).unwrap();
    let (data, port, _) = guest.receive_from(socket, 100).unwrap();
    assert_eq!((&data[..], port), (&b"hello"[..], u64::from(client.local_addr().unwrap().port())));
    assert_eq!(guest.send_to(socket, b"welcome", client.local_addr().unwrap()), 0);
    assert_eq!(client.recv(&mut [0; 100]).unwrap(), 7);
    assert_eq!(guest.send_to(socket, b"x", stranger.local_addr().unwrap()), ACCES);
}

#[test]
fn families_do_not_mix_and_unix_sockets_do_not_exist() {
    let mut guest = with_rules(&["connect=[::1]".to_owned()], "");
    assert_eq!(guest.socket(3, TCP), Err(AFNOSUPPORT));
    assert_eq!(guest.socket(0, TCP), Err(INVAL));
    assert_eq!(guest.socket(1, 0), Err(INVAL));
    let v4 = guest.tcp();
    assert_eq!(guest.connect(v4, "[::1]:1".parse().unwrap()), AFNOSUPPORT);
    // The form with a family, and that of a unix socket.
    guest.put(BYTES, &[0; 128]);
    guest.put(BYTES, &[3, 0, b'/', b'x']);
    guest.put(ADDRESS, &u32::try_from(BYTES).unwrap().to_le_bytes());
    guest.put(ADDRESS + 4, &128u32.to_le_bytes());
    assert_eq!(guest.call("sock_connect", &[v4, ADDRESS, 0]), AFNOSUPPORT);
    guest.put(ADDRESS + 4, &5u32.to_le_bytes());
    assert_eq!(guest.call("sock_connect", &[v4, ADDRESS, 0]), INVAL);
    assert!(is_bad_pointer(&guest.end("sock_connect", &[v4, u64::from(u32::MAX) - 3, 0])));
}

#[test]
fn sockets_have_their_own_limit() {
    let mut guest = with_rules(&[], r#""open_sockets": 2"#);
    let first = guest.tcp();
    guest.tcp();
    assert_eq!(guest.socket(1, TCP), Err(NFILE));
    assert_eq!(guest.call("fd_close", &[first]), 0);
    guest.tcp();
    // They are open files too.
    let mut guest = with_rules(&[], r#""open_sockets": 100, "open_files": 5"#);
    guest.tcp();
    guest.tcp();
    assert_eq!(guest.socket(1, TCP), Err(NFILE));
    // Nobody is taken from the queue whom there is no room for.
    let (resources, local) = published(80);
    let mut guest = Guest::with(r#"{"limits": {"open_sockets": 2}}"#, resources).unwrap();
    let mut clients: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(local).unwrap()).collect();
    clients[1].write_all(b"second").unwrap();
    let accepted = guest.accept(3).unwrap();
    assert_eq!(guest.accept(3), Err(NFILE));
    assert_eq!(guest.call("fd_close", &[accepted]), 0);
    let accepted = guest.accept(3).unwrap();
    assert_eq!(guest.receive(accepted, 10), Ok(b"second".to_vec()));
}

#[test]
fn what_fits_into_sent_bytes_is_sent() {
    let (listener, peer) = listener();
    let mut guest = with_rules(&[format!("connect={peer}")], r#""sent_bytes": 8"#);
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    assert_eq!(guest.send(socket, b"12345"), Ok(5));
    assert!(matches!(guest.try_send(socket, b"67890"), Err(Ending::Limit(LimitKind::SentBytes))));
    drop(guest);
    let mut received = String::new();
    listener.accept().unwrap().0.read_to_string(&mut received).unwrap();
    assert_eq!(received, "12345678");
}

#[test]
fn received_bytes_are_counted() {
    let (listener, peer) = listener();
    let mut guest = with_rules(&[format!("connect={peer}")], r#""received_bytes": 8"#);
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    listener.accept().unwrap().0.write_all(b"1234567890").unwrap();
    assert_eq!(guest.try_receive(socket, 8, 2).unwrap(), Ok(b"12345678".to_vec()));
    assert!(matches!(guest.try_receive(socket, 1, 0), Err(Ending::Limit(LimitKind::ReceivedBytes))));
}

#[test]
fn waiting_ends_at_the_deadline_and_when_cancelled() {
    let (_listener, peer) = listener();
    for call in ["accept", "receive"] {
        let mut resources = Resources::new();
        resources.deadline = Some(Instant::now() + Duration::from_millis(50));
        let (listening, _) = published(80);
        resources.listeners = listening.listeners;
        let mut guest = with(&[format!("connect={peer}")], "", resources);
        let socket = guest.tcp();
        assert_eq!(guest.connect(socket, peer), 0);
        let ended = match call {
            "accept" => guest.call_in("wasi_snapshot_preview1", "sock_accept", &[3, 0, OUT]).map(drop),
            _ => guest.try_receive(socket, 10, 0).map(drop),
        };
        assert!(matches!(ended, Err(Ending::Limit(LimitKind::WallTime))), "{call}: {ended:?}");
    }
    let cancel = Cancel::new().unwrap();
    let mut resources = Resources::new();
    resources.cancel = Some(cancel.clone());
    let mut guest = with(&[format!("connect={peer}")], "", resources);
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| cancel.cancel());
        let ended = guest.try_receive(socket, 10, 0);
        assert!(matches!(&ended, Err(Ending::Failed(error)) if error.kind() == ErrorKind::Cancelled), "{ended:?}");
    });
}

#[test]
fn a_timeout_of_the_guest_is_kept() {
    let (_listener, peer) = listener();
    let mut guest = with_rules(&[format!("connect={peer}")], "");
    let socket = guest.tcp();
    let timeout = [0u64.to_le_bytes(), 30_000u64.to_le_bytes()].concat();
    guest.put(OUT, &timeout);
    assert_eq!(guest.call("sock_setsockopt", &[socket, 0, 11, OUT, 16]), 0);
    assert_eq!(guest.connect(socket, peer), 0);
    let start = Instant::now();
    assert_eq!(guest.receive(socket, 10), Err(AGAIN));
    assert!(start.elapsed() >= Duration::from_millis(30));
    guest.put(OUT + 32, &16u32.to_le_bytes());
    assert_eq!(guest.call("sock_getsockopt", &[socket, 0, 11, OUT, OUT + 32]), 0);
    assert_eq!(guest.get(OUT, 16), timeout);
}

#[test]
fn options_that_reach_beyond_the_socket_are_refused() {
    let mut guest = with_rules(&[], "");
    let socket = guest.tcp();
    guest.put(OUT, &1u32.to_le_bytes());
    for (option, expected) in [(0, 0), (7, 0), (8, 0), (3, ACCES), (4, ACCES), (14, ACCES), (1, 50), (99, INVAL)] {
        assert_eq!(guest.call("sock_setsockopt", &[socket, 0, option, OUT, 4]), expected, "option {option}");
    }
    assert_eq!(guest.call("sock_setsockopt", &[socket, 1, 0, OUT, 4]), INVAL);
    assert_eq!(guest.call("sock_setsockopt", &[socket, 0, 0, OUT, 3]), INVAL);
    guest.put(OUT + 32, &4u32.to_le_bytes());
    for (option, value) in [(0, 1), (1, 2), (7, 1), (13, 0)] {
        assert_eq!(guest.call("sock_getsockopt", &[socket, 0, option, OUT, OUT + 32]), 0);
        assert_eq!(guest.word(OUT), value, "option {option}");
    }
}

#[test]
fn a_socket_is_a_descriptor_like_others_as_far_as_it_can_be() {
    let mut guest = with_rules(&[], "");
    let socket = guest.tcp();
    assert_eq!(guest.call("fd_fdstat_get", &[socket, OUT]), 0);
    assert_eq!(guest.get(OUT, 4), [6, 0, 0, 0]);
    guest.nonblocking(socket);
    assert_eq!(guest.call("fd_fdstat_get", &[socket, OUT]), 0);
    assert_eq!(guest.get(OUT, 4), [6, 0, 4, 0]);
    assert_eq!(guest.call("fd_seek", &[socket, 0, 0, OUT]), SPIPE);
    assert_eq!(guest.call("fd_prestat_get", &[socket, OUT]), 8);
    assert_eq!(guest.on_path("path_unlink_file", socket, "x"), 54);
    assert_eq!(guest.receive(socket, 10), Err(NOTCONN));
    assert_eq!(guest.send(socket, b"x"), Err(NOTCONN));
    assert_eq!(guest.name_of("sock_getpeeraddr", socket), Err(NOTCONN));
    let datagrams = guest.socket(1, UDP).unwrap();
    assert_eq!(guest.call("fd_fdstat_get", &[datagrams, OUT]), 0);
    assert_eq!(guest.get(OUT, 1), [5]);
}

/// Looks a name up in a list of two entries; gives (family, port, address) of what was found.
fn look_up(guest: &mut Guest, node: &str, service: &str, family: u8) -> Result<Vec<(u8, u16, Vec<u8>)>, u64> {
    let (hints, list, infos, addresses, data) = (OUT, OUT + 32, OUT + 64, OUT + 192, OUT + 256);
    let small = |value: u64| u32::try_from(value).unwrap().to_le_bytes();
    guest.put(hints, &[0, 0, family, 2, 1, 0, 0, 0]);
    for index in 0..2 {
        guest.put(infos + index * 28, &[0; 28]);
        guest.put(infos + index * 28 + 12, &small(addresses + index * 12));
        guest.put(addresses + index * 12 + 8, &small(data + index * 32));
    }
    guest.put(infos + 24, &small(infos + 28));
    guest.put(list, &small(infos));
    guest.put(DATA, node.as_bytes());
    guest.put(DATA + 512, service.as_bytes());
    let args = [DATA, node.len() as u64, DATA + 512, service.len() as u64, hints, list, 2, list + 8];
    match guest.call("sock_getaddrinfo", &args) {
        0 => {}
        errno => return Err(errno),
    }
    Ok((0..guest.word(list + 8))
        .map(|index| {
            let family = guest.get(infos + index * 28 + 2, 1)[0];
            let sockaddr = guest.get(data + index * 32, 26);
            let bytes = if family == 1 { &sockaddr[2..6] } else { &sockaddr[6..22] };
            (family, u16::from_be_bytes([sockaddr[0], sockaddr[1]]), bytes.to_vec())
        })
        .collect())
}

#[test]
fn names_are_asked_for_where_a_rule_says() {
    let mut guest = with_rules(&["resolve=localhost".to_owned()], "");
    assert_eq!(look_up(&mut guest, "localhost", "http", 1), Ok(vec![(1, 80, vec![127, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "localhost\0", "8080\0", 1), Ok(vec![(1, 8080, vec![127, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "example.com", "80", 1), Err(ACCES));
    assert_eq!(guest.refusals.lines().len(), 1);
    // Numbers are no names.
    assert_eq!(look_up(&mut guest, "10.0.0.1", "80", 0), Ok(vec![(1, 80, vec![10, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "::1", "80", 2).unwrap()[0].2[15], 1);
    assert_eq!(look_up(&mut guest, "::1", "80", 1), Err(83));
    assert_eq!(look_up(&mut guest, "10.0.0.1", "nonsense", 0), Err(85));
    assert_eq!(look_up(&mut guest, "", "", 0), Err(84));
    let mut guest = Guest::new("{}");
    assert_eq!(look_up(&mut guest, "localhost", "80", 1), Err(ACCES));
}

/// What stands between a guest and its sockets in a process of its own is the same, seen from the guest.
#[test]
fn a_broker_does_what_it_is_asked_within_the_rules() {
    let (peer, echoing) = echo();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_peer = server.local_addr().unwrap();
    let json =
        spec(&[format!("connect={peer}"), format!("connect={udp_peer}/udp"), "resolve=localhost".to_owned()], "");
    let (broker, end) = Broker::pair().unwrap();
    let rules = policy(&json);
    let serving = std::thread::spawn(move || serve(&end, &mut Direct::new(rules, Vec::new())));
    let mut resources = Resources::new();
    resources.network = Some(Box::new(broker));
    let mut guest = Guest::with(&json, resources).unwrap();
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    assert_eq!(guest.send(socket, b"hello"), Ok(5));
    assert_eq!(guest.try_receive(socket, 5, 2).unwrap(), Ok(b"hello".to_vec()));
    let other = guest.tcp();
    assert_eq!(guest.connect(other, udp_peer), ACCES);
    let datagrams = guest.socket(1, UDP).unwrap();
    assert_eq!(guest.send_to(datagrams, &[7; 60_000], udp_peer), 0);
    let mut buffer = vec![0; 65_536];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(length, 60_000);
    server.send_to(&buffer[..length], from).unwrap();
    let (data, _, flags) = guest.receive_from(datagrams, 65_536).unwrap();
    assert_eq!((data.len(), flags), (60_000, 0));
    assert_eq!(guest.send_to(datagrams, &[7; 70_000], udp_peer), 35);
    assert_eq!(look_up(&mut guest, "localhost", "80", 1).unwrap().len(), 1);
    assert_eq!(look_up(&mut guest, "example.com", "80", 1), Err(ACCES));
    assert_eq!(guest.refusals.lines().len(), 2);
    drop(guest);
    serving.join().unwrap();
    echoing.join().unwrap();
}

#[test]
fn a_broker_hangs_up_on_who_sends_nonsense() {
    let (end, other) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    for message in [&b"x"[..], b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}", b"\x04\0\0\0null"] {
        let (end, other) = (end.try_clone().unwrap(), other.try_clone().unwrap());
        rustix::net::send(&end, message, rustix::net::SendFlags::empty()).unwrap();
        // It comes back.
        serve(&other, &mut Direct::new(NetworkPolicy::default(), Vec::new()));
    }
}
