//! The network through the standard library. Each argument is one line; it prints itself, ` => `, and `ok` with what came or the kind of error.
//!
//! | line | what it does |
//! |---|---|
//! | `resolve HOST:PORT` | the addresses of a name, sorted |
//! | `tcp HOST:PORT TEXT` | connects, sends, says that this was all, reads to the end |
//! | `from ADDRESS:PORT ADDRESS:PORT TEXT` | the same from an address of its own, and whether it kept the port |
//! | `bulk HOST:PORT N` | the same with N bytes, and how many came back |
//! | `leave HOST:PORT N` | connects, writes N bytes, and ends without closing or waiting for anything |
//! | `wait HOST:PORT` | connects, and reads what comes until the other end closes |
//! | `many HOST:PORT N` | connects N times and keeps all connections; how many it got, where it was fewer |
//! | `options HOST:PORT` | connects, and sets and reads a socket option |
//! | `udp HOST:PORT TEXT` | sends a datagram and waits for one |
//! | `connected HOST:PORT TEXT` | the same over a socket that has this peer only |
//! | `bind ADDRESS:PORT TEXT` | binds a socket for datagrams, and waits for one that nobody sends if TEXT is `wait` |
//! | `serve ADDRESS:PORT N` | says `listening on ADDRESS`, echoes N connections to their ends |
//! | `echo ADDRESS:PORT N` | the same with N datagrams |
//! | `crowd ADDRESS:PORT N` | listens, connects to itself N times, and accepts all of them then |
//! | `ask NAME N` | begins to ask for a name N times, and how many of these nobody has answered or refused |
//! | `meanwhile NAME ADDRESS:PORT` | the same once, after it has begun to ask for a name that nobody answers for |

#[path = "component-net/calls.rs"]
mod calls;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

type Answer = std::io::Result<String>;

fn main() {
    for line in std::env::args().skip(1) {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let answer = match words.as_slice() {
            ["resolve", name] => resolve(name),
            ["tcp", to, text] => tcp(to, text),
            ["from", local, rest] => rest
                .split_once(' ')
                .map_or(Err(ErrorKind::InvalidInput.into()), |(to, text)| calls::tcp_from(local, to, text)),
            ["ask", name, count] => number(count).and_then(|count| ask(name, count)),
            ["meanwhile", name, at] => meanwhile(name, at),
            ["bulk", to, count] => number(count).and_then(|count| bulk(to, count)),
            ["leave", to, count] => number(count).and_then(|count| leave(to, count)),
            ["wait", to] => wait(to),
            ["many", to, count] => number(count).and_then(|count| many(to, count)),
            ["options", to] => options(to),
            ["udp", to, text] => udp(to, text),
            ["connected", to, text] => connected(to, text),
            ["bind", at, what] => bind(at, what),
            ["serve", at, count] => number(count).and_then(|count| serve(at, count)),
            ["crowd", at, count] => number(count).and_then(|count| crowd(at, count)),
            ["echo", at, count] => number(count).and_then(|count| echo(at, count)),
            _ => {
                eprintln!("{line}: makes no sense");
                std::process::exit(64);
            }
        };
        match answer {
            Ok(text) => println!("{}", format!("{line} => ok {text}").trim_end()),
            // Not every number has a kind.
            Err(error) if error.kind().to_string() == "uncategorized error" => println!("{line} => {error}"),
            Err(error) => println!("{line} => {:?}", error.kind()),
        }
    }
}

fn number(text: &str) -> std::io::Result<usize> {
    text.parse().map_err(|_| ErrorKind::InvalidInput.into())
}

fn resolve(name: &str) -> Answer {
    let mut addresses: Vec<String> = name.to_socket_addrs()?.map(|address| address.to_string()).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses.join(" "))
}

fn tcp(to: &str, text: &str) -> Answer {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut came = String::new();
    stream.read_to_string(&mut came)?;
    Ok(came)
}

fn bulk(to: &str, count: usize) -> Answer {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(&vec![b'x'; count])?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut came = Vec::new();
    stream.read_to_end(&mut came)?;
    Ok(format!("{} bytes", came.iter().filter(|byte| **byte == b'x').count()))
}

fn leave(to: &str, count: usize) -> Answer {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(&vec![b'x'; count])?;
    std::mem::forget(stream);
    Ok(String::new())
}

fn wait(to: &str) -> Answer {
    let mut came = String::new();
    TcpStream::connect(to)?.read_to_string(&mut came)?;
    Ok(came)
}

fn many(to: &str, count: usize) -> Answer {
    let mut streams = Vec::new();
    for _ in 0..count {
        match TcpStream::connect(to) {
            Ok(stream) => streams.push(stream),
            Err(_) if !streams.is_empty() => return Ok(format!("{} of them", streams.len())),
            Err(error) => return Err(error),
        }
    }
    Ok(String::new())
}

fn options(to: &str) -> Answer {
    let stream = TcpStream::connect(to)?;
    stream.set_ttl(7)?;
    Ok(format!("{} hops", stream.ttl()?))
}

fn connected(to: &str, text: &str) -> Answer {
    let to = to.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.send(text.as_bytes())?;
    let mut buffer = vec![0u8; 64 << 10];
    let length = socket.recv(&mut buffer)?;
    let who = if socket.peer_addr()? == to { "the peer" } else { "somebody" };
    Ok(format!("{} from {who}", String::from_utf8_lossy(&buffer[..length])))
}

fn bind(at: &str, what: &str) -> Answer {
    let socket = UdpSocket::bind(at)?;
    if what == "wait" {
        socket.recv_from(&mut [0u8; 16])?;
    }
    Ok(String::new())
}

fn udp(to: &str, text: &str) -> Answer {
    let to = to.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.send_to(text.as_bytes(), to)?;
    let mut buffer = vec![0u8; 64 << 10];
    let (length, from) = socket.recv_from(&mut buffer)?;
    let who = if from == to { "the peer".to_owned() } else { from.to_string() };
    Ok(format!("{} from {who}", String::from_utf8_lossy(&buffer[..length])))
}

fn serve(at: &str, count: usize) -> Answer {
    let listener = TcpListener::bind(at)?;
    println!("listening on {}", listener.local_addr()?);
    let mut total = 0;
    for _ in 0..count {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0u8; 64 << 10];
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                length => {
                    stream.write_all(&buffer[..length])?;
                    total += length;
                }
            }
        }
    }
    Ok(format!("{total} bytes"))
}

fn crowd(at: &str, count: usize) -> Answer {
    let listener = TcpListener::bind(at)?;
    let came = (0..count).map(|_| TcpStream::connect(at)).collect::<std::io::Result<Vec<_>>>()?;
    let accepted = came.iter().map(|_| listener.accept()).collect::<std::io::Result<Vec<_>>>()?;
    Ok(format!("{} of them", accepted.len()))
}

fn ask(name: &str, count: usize) -> Answer {
    let answers = (0..count).map(|_| calls::start_resolving(name)).collect::<std::io::Result<Vec<_>>>()?;
    Ok(format!("{} of them", answers.iter().filter(|answer| !calls::is_resolved(answer)).count()))
}

fn meanwhile(name: &str, at: &str) -> Answer {
    let answer = calls::start_resolving(name)?;
    let came = crowd(at, 1)?;
    Ok(format!("{came}, and the name is {}", if calls::is_resolved(&answer) { "known" } else { "not known" }))
}

fn echo(at: &str, count: usize) -> Answer {
    let socket = UdpSocket::bind(at)?;
    println!("listening on {}", socket.local_addr()?);
    let (mut buffer, mut total) = (vec![0u8; 64 << 10], 0);
    for _ in 0..count {
        let (length, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], from)?;
        total += length;
    }
    Ok(format!("{total} bytes"))
}
