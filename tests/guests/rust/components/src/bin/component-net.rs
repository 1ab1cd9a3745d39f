//! The network through the standard library. Each argument is one line; it prints itself, ` => `, and `ok` with what came or the kind of error.
//!
//! | line | what it does |
//! |---|---|
//! | `resolve HOST:PORT` | the addresses of a name, sorted |
//! | `tcp HOST:PORT TEXT` | connects, sends, says that this was all, reads to the end |
//! | `udp HOST:PORT TEXT` | sends a datagram and waits for one |
//! | `serve ADDRESS:PORT N` | says `listening on ADDRESS`, echoes N connections to their ends |
//! | `echo ADDRESS:PORT N` | the same with N datagrams |

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

type Answer = std::io::Result<String>;

fn main() {
    for line in std::env::args().skip(1) {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let answer = match words.as_slice() {
            ["resolve", name] => resolve(name),
            ["tcp", to, text] => tcp(to, text),
            ["udp", to, text] => udp(to, text),
            ["serve", at, count] => {
                count.parse().map_err(|_| ErrorKind::InvalidInput.into()).and_then(|count| serve(at, count))
            }
            ["echo", at, count] => {
                count.parse().map_err(|_| ErrorKind::InvalidInput.into()).and_then(|count| echo(at, count))
            }
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

fn serve(at: &str, count: u32) -> Answer {
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

fn echo(at: &str, count: u32) -> Answer {
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
