//! An HTTP/1.1 client over WasmEdge sockets: `http-client [-d BODY] [-H 'NAME: VALUE']... URL`.
//!
//! Prints the status and, on the lines after it, the body. `-d` makes it a POST. It ends with 0 when there was an answer, whatever its
//! status; 1 when the sandbox refused the name or every address; 2 when the name is not known; 3 when nothing could be reached or the
//! connection broke; 4 when what came is not HTTP; 64 when it was called wrongly.

use guest_http::{Body, Head, status_of};
use guest_sockets::{HostPort, connect, refused_by_sandbox, resolve, words};
use std::io::{self, Write};
use std::process::ExitCode;
use wasmedge_wasi_socket::socket::Socket;

/// The longest answer taken in.
const LIMIT: usize = 64 << 20;

/// Why there is no answer: the exit code, and words.
struct Failure(u8, String);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, words)) => {
            eprintln!("http-client: {words}");
            ExitCode::from(code)
        }
    }
}

struct Call {
    to: HostPort,
    authority: String,
    target: String,
    fields: Vec<String>,
    body: Option<String>,
}

fn parse() -> Option<Call> {
    let (mut body, mut fields, mut url) = (None, Vec::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-d" => body = Some(arguments.next()?),
            "-H" => fields.push(arguments.next().filter(|field| field.contains(':') && !field.contains(['\r', '\n']))?),
            _ if url.is_none() && !argument.starts_with('-') => url = Some(argument),
            _ => return None,
        }
    }
    let url = url?;
    let rest = url.strip_prefix("http://")?;
    let rest = rest.split('#').next()?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    if target.contains(|letter: char| letter.is_control() || letter == ' ') {
        return None;
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Some(Call { to: HostPort::parse(authority)?, authority: authority.to_owned(), target, fields, body })
}

fn run() -> Result<(), Failure> {
    let usage = "usage: http-client [-d BODY] [-H 'NAME: VALUE']... http://HOST[:PORT][/PATH]";
    let call = parse().ok_or_else(|| Failure(64, usage.to_owned()))?;
    let socket = reach(&call.to)?;
    let broken = |error: io::Error| Failure(3, format!("the connection broke: {error}"));
    let mut request = call.request();
    while !request.is_empty() {
        let count = socket.send(&request).map_err(broken)?;
        request.drain(..count);
    }
    let (status, body) = answer(&socket)?;
    let mut output = io::stdout().lock();
    let written = writeln!(output, "{status}").and_then(|()| output.write_all(&body)).and_then(|()| output.flush());
    written.map_err(|error| Failure(4, format!("standard output: {error}")))
}

/// A connection to the first address that takes one.
fn reach(to: &HostPort) -> Result<Socket, Failure> {
    let addresses = resolve(to).map_err(|error| {
        let code = if refused_by_sandbox(&error) { 1 } else { 2 };
        Failure(code, format!("{}: {}", to.host, words(&error)))
    })?;
    let mut failure = Failure(2, format!("{} has no address", to.host));
    for address in addresses {
        match connect(&address) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                let code = if refused_by_sandbox(&error) { 1 } else { 3 };
                // One address that merely does not answer says more about the sandbox than one it refused.
                if failure.0 != 3 {
                    failure = Failure(code, format!("{address}: {error}"));
                }
            }
        }
    }
    Err(failure)
}

impl Call {
    fn request(&self) -> Vec<u8> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut text =
            format!("{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.target, self.authority);
        for field in &self.fields {
            text += &format!("{field}\r\n");
        }
        if let Some(body) = &self.body {
            text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        } else {
            text += "\r\n";
        }
        text.into_bytes()
    }
}

/// The status and the body of the answer.
fn answer(socket: &Socket) -> Result<(u16, Vec<u8>), Failure> {
    let nonsense = |words: &str| Failure(4, format!("not an HTTP answer: {words}"));
    let (mut input, mut buffer) = (Vec::new(), vec![0u8; 64 << 10]);
    loop {
        let count = socket.recv(&mut buffer).map_err(|error| Failure(3, format!("the connection broke: {error}")))?;
        input.extend_from_slice(&buffer[..count]);
        if let Some((head, start)) = Head::find(&input).map_err(|_| nonsense("its head"))? {
            let status = status_of(&head).ok_or_else(|| nonsense(&head.first))?;
            if status < 200 {
                input.drain(..start);
                continue;
            }
            let bare = matches!(status, 204 | 304);
            let framing = if bare { Body::Length(0) } else { Body::of(&head).map_err(|_| nonsense("its length"))? };
            if let Some(body) = framing.take(&input[start..], LIMIT).map_err(|_| nonsense("its body"))? {
                return Ok((status, body.bytes));
            }
            if count == 0 && framing == Body::UntilClose {
                return Ok((status, input.split_off(start)));
            }
        }
        if count == 0 {
            return Err(Failure(3, "the connection closed before the answer was whole".to_owned()));
        }
        if input.len() > LIMIT {
            return Err(nonsense("too long"));
        }
    }
}
