//! Just enough HTTP/1.1 for guests that own their sockets: messages in byte buffers, no I/O.
//!
//! It owns framing (heads, lengths, chunks, keep-alive) and its limits. It does not own connections: whoever reads and writes them
//! decides when a buffer is worth looking at again.

mod body;
mod head;

pub use body::{Body, chunked};
pub use head::{HEAD_LIMIT, Head};

/// The longest request body taken in, in bytes.
pub const BODY_LIMIT: usize = 8 << 20;

/// A request, whole.
#[derive(Debug)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The target without its query.
    pub path: String,
    /// What stands behind `?`, else nothing.
    pub query: String,
    /// The header fields.
    pub head: Head,
    /// The body, unchunked.
    pub body: Vec<u8>,
    /// Whether the client wants to send another request on this connection.
    pub keep_alive: bool,
}

/// What the bytes read so far amount to.
#[derive(Debug)]
pub enum Taken {
    /// Not a whole request yet. True: the client waits for `100 Continue` before it sends the body.
    Incomplete(bool),
    /// A request, taken out of the buffer.
    Request(Box<Request>),
    /// No request that can be served: answer with this status, and close.
    Refused(u16),
}

/// Takes the first request out of what was read.
pub fn take_request(input: &mut Vec<u8>) -> Taken {
    let (head, head_end) = match Head::find(input) {
        Ok(Some(found)) => found,
        Ok(None) => return Taken::Incomplete(false),
        Err(status) => return Taken::Refused(status),
    };
    let mut words = head.first.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Taken::Refused(400);
    };
    let modern = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return Taken::Refused(505),
    };
    if method.is_empty() || !target.starts_with('/') {
        return Taken::Refused(400);
    }
    let framing = match Body::of(&head) {
        Ok(Body::UntilClose) => Body::Length(0),
        Ok(framing) => framing,
        Err(status) => return Taken::Refused(status),
    };
    let body = match framing.take(&input[head_end..], BODY_LIMIT) {
        Ok(Some(body)) => body,
        Ok(None) => return Taken::Incomplete(head.is("expect", "100-continue") && input.len() == head_end),
        Err(status) => return Taken::Refused(status),
    };
    input.drain(..head_end + body.used);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let keep_alive = if modern { !head.has("connection", "close") } else { head.has("connection", "keep-alive") };
    Taken::Request(Box::new(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        keep_alive,
        body: body.bytes,
        head,
    }))
}

/// The head of a response with a body of known length.
pub fn response_head(status: u16, kind: &str, length: u64, keep_alive: bool) -> Vec<u8> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n",
        reason(status)
    )
    .into_bytes()
}

/// The words that go with a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

/// The status of a response's first line.
pub fn status_of(head: &Head) -> Option<u16> {
    let rest = head.first.strip_prefix("HTTP/1.")?;
    let status = rest.split(' ').nth(1)?;
    status.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests;
