//! HTTP requests of a program. Each argument is one line; it prints itself, ` => `, and the status with the body or the error code of `wasi:http`.
//!
//! | line | what it does |
//! |---|---|
//! | `get URL` | the status, and the body |
//! | `size URL` | the status, and how many bytes the body has |
//! | `post URL N` | sends N bytes; the status, and how many bytes came back |
//! | `hurry URL MS` | a get that waits so many milliseconds at most, each time that it waits |
//! | `hold URL N` | sends half a MiB N times, and reads no body before all responses are there; how many there are, and the error of the first that is not |

use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasi::io::streams::StreamError;

fn main() {
    for line in std::env::args().skip(1) {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["get", url] => ask(url, None, None).and_then(|response| told(response, false)),
            ["size", url] => ask(url, None, None).and_then(|response| told(response, true)),
            ["post", url, count] => ask(url, count.parse().ok(), None).and_then(|response| told(response, true)),
            ["hurry", url, time] => ask(url, None, time.parse().ok()).and_then(|response| told(response, false)),
            ["hold", url, count] => hold(url, count.parse().unwrap_or_default()),
            _ => {
                eprintln!("{line}: makes no sense");
                std::process::exit(64);
            }
        };
        match answer {
            Ok(text) => println!("{}", format!("{line} => {text}").trim_end()),
            Err(words) => println!("{line} => {words}"),
        }
    }
}

/// The response to a request, with a body of so many bytes, and patience of so many milliseconds.
fn ask(url: &str, body: Option<usize>, patience: Option<u64>) -> Result<IncomingResponse, String> {
    let (scheme, rest) = if let Some(rest) = url.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else if let Some(rest) = url.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else {
        return Err("no http:// or https:// URL".to_owned());
    };
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let fields = Fields::new();
    if let Some(count) = body {
        let length = count.to_string().into_bytes();
        fields.append("content-length", &length).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let invalid = |()| "the URL is not one".to_owned();
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if target.is_empty() { "/" } else { target })).map_err(invalid)?;
    if body.is_some() {
        request.set_method(&Method::Post).map_err(invalid)?;
    }
    let options = patience.map(|time| {
        let (options, time) = (RequestOptions::new(), Some(time * 1_000_000));
        let set = [
            options.set_connect_timeout(time),
            options.set_first_byte_timeout(time),
            options.set_between_bytes_timeout(time),
        ];
        assert!(set.iter().all(Result::is_ok), "a time that the host does not keep");
        options
    });
    let sent = request.body().map_err(invalid)?;
    let coming = outgoing_handler::handle(request, options).map_err(named)?;
    write(sent, body.unwrap_or_default())?;
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(named(code)),
        Some(Err(())) | None => Err("no response".to_owned()),
    }
}

fn write(body: OutgoingBody, mut count: usize) -> Result<(), String> {
    let piece = [b'x'; 4096];
    {
        let stream = body.write().map_err(|()| "no body".to_owned())?;
        while count > 0 {
            let length = count.min(piece.len());
            // Whoever does not want all of it says so in the response.
            if stream.blocking_write_and_flush(&piece[..length]).is_err() {
                break;
            }
            count -= length;
        }
    }
    // A request that has failed has its error where the response would be.
    let _refused = OutgoingBody::finish(body, None);
    Ok(())
}

/// The status, and the body or its length.
fn told(response: IncomingResponse, length_only: bool) -> Result<String, String> {
    let status = response.status();
    let body = response.consume().map_err(|()| "no body".to_owned())?;
    let bytes = read(&body)?;
    let text = if length_only { format!("{} bytes", bytes.len()) } else { String::from_utf8_lossy(&bytes).into_owned() };
    Ok(format!("{status} {text}"))
}

fn read(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "no stream".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasi::http::types::http_error_code(&error).map(named);
                let code = code.unwrap_or_else(|| "an error without a code".to_owned());
                return Err(format!("{code} after {} bytes", bytes.len()));
            }
        }
    }
}

fn hold(url: &str, count: usize) -> Result<String, String> {
    let mut held = Vec::new();
    for _ in 0..count {
        match ask(url, Some(1 << 19), None) {
            Ok(response) => held.push(response),
            Err(words) => return Ok(format!("{} and {words}", held.len())),
        }
    }
    Ok(held.len().to_string())
}

/// The case of an error code, without what belongs to one machine or another.
fn named(code: ErrorCode) -> String {
    let text = format!("{code:?}");
    let name = text.rsplit("ErrorCode::").next().unwrap_or(&text);
    name.split(['(', ' ', '{']).next().unwrap_or(name).to_owned()
}
