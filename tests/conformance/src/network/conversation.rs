//! What is said over one connection, from either end, and comparing it.

use super::Does;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long anybody waits for the other end. A run that is over has closed its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The most of a request that a peer looks at.
const REQUEST: usize = 1 << 20;

/// A peer's part: all that it received. A guest may end in the middle of it, so whatever fails is the end.
pub(super) fn hold(mut stream: TcpStream, does: &Does) -> Vec<u8> {
    let mut received = Vec::new();
    let _ended = match does {
        Does::Echo => echo(&mut stream, &mut received),
        Does::Sends(text) => tell(&mut stream, &text.bytes(&str::to_owned), &mut received),
        Does::Answers(text) => {
            some(&mut stream, &mut received).and_then(|_| tell(&mut stream, &text.bytes(&str::to_owned), &mut received))
        }
        Does::Http => http(&mut stream, &mut received),
        Does::Resets => some(&mut stream, &mut received)
            .and_then(|_| Ok(rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?)),
        Does::Silent | Does::Closed | Does::Full | Does::Stranger | Does::Https(_) => Ok(()),
    };
    received
}

/// Reads and writes at the same time: who sends much may read late.
fn echo(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<()> {
    let mut back = stream.try_clone()?;
    let (sender, pieces) = channel::<Vec<u8>>();
    let writer = std::thread::spawn(move || {
        let written = pieces.iter().try_for_each(|piece| back.write_all(&piece));
        written.and_then(|()| back.shutdown(Shutdown::Write))
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..count]);
        if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
            break;
        }
    }
    drop(sender);
    writer.join().unwrap_or(Ok(()))
}

/// Says something, and listens to what comes until the other one ends.
fn tell(stream: &mut TcpStream, text: &[u8], received: &mut Vec<u8>) -> std::io::Result<()> {
    stream.write_all(text)?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(received).map(drop)
}

/// Takes what comes first.
fn some(stream: &mut impl Read, received: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut buffer = vec![0; 64 << 10];
    let count = stream.read(&mut buffer)?;
    received.extend_from_slice(&buffer[..count]);
    Ok(count)
}

fn http(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<()> {
    match request(stream, received)? {
        Some(response) => tell(stream, &response, received),
        None => Ok(()),
    }
}

/// Takes a request, and makes the response to it; None when it does not come.
pub(super) fn request(stream: &mut impl Read, received: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    let answer = loop {
        if some(stream, received)? == 0 || received.len() > REQUEST {
            return Ok(None);
        }
        if let Some(answer) = answer(received) {
            break answer;
        }
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    Ok(Some([head.into_bytes(), answer].concat()))
}

/// What a request is answered with, once it is whole.
fn answer(request: &[u8]) -> Option<Vec<u8>> {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let body = &request[end + 4..];
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match length {
        None => Some(head.lines().next().unwrap_or_default().as_bytes().to_vec()),
        Some(length) => body.get(..length).map(<[u8]>::to_vec),
    }
}

/// A sentence where two texts differ.
pub(super) fn differs(what: &str, wanted: &[u8], seen: &[u8]) -> Option<String> {
    (wanted != seen).then(|| format!("{what} {} instead of {}", shown(seen), shown(wanted)))
}

/// A text, or the beginning of one.
pub(super) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text: String = String::from_utf8_lossy(bytes).chars().take(SHOWN).collect();
    format!("{text:?} ({} bytes)", bytes.len())
}
