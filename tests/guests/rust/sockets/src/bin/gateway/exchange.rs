//! One request at one server: what is sent, and what comes back.

use guest_http::{Body, Head, Request, status_of};
use guest_sockets::Connection;
use std::time::Instant;

/// Fields that are about one connection, and not about the message.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// The server has not taken the connection yet.
    Connecting,
    /// Nothing of the answer has been handed on.
    Waiting,
    /// So much of the answer is still to come; nothing: until the connection closes.
    Relaying(Option<u64>),
}

/// What came of looking at what the server sent.
#[derive(Debug, PartialEq)]
pub enum Relayed {
    /// More is to come.
    More,
    /// The answer is whole. False: its end has to be told by closing.
    Whole(bool),
    /// The server sent no answer: the client can still be told so.
    Nothing,
    /// The answer broke off after its beginning had been handed on.
    Broken,
}

/// One request at one server.
pub struct Exchange {
    /// Which server.
    pub backend: usize,
    /// Servers that did not take it, and this one.
    pub tried: Vec<usize>,
    /// The connection to it.
    pub up: Connection,
    /// How far it has come.
    pub state: State,
    /// When the server has been silent for too long.
    pub deadline: Instant,
    /// The request.
    pub request: Box<Request>,
}

impl Exchange {
    /// The request as the server gets it.
    pub fn message(request: &Request, authority: &str) -> Vec<u8> {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let mut text = format!("{} {}{query} HTTP/1.0\r\nHost: {authority}\r\n", request.method, request.path);
        text += &passed_on(&request.head);
        if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
            text += &format!("Content-Length: {}\r\n", request.body.len());
        }
        text += "\r\n";
        [text.as_bytes(), &request.body].concat()
    }

    /// Hands on to the client what has come. `ended`: nothing more will.
    pub fn relay(&mut self, client: &mut Connection, ended: bool) -> Relayed {
        if self.state == State::Waiting {
            match self.head(client) {
                Some(true) => {}
                Some(false) if !ended => return Relayed::More,
                _ => return Relayed::Nothing,
            }
        }
        let State::Relaying(left) = self.state else { return Relayed::More };
        let come = self.up.input.len();
        let count = left.and_then(|left| usize::try_from(left).ok()).map_or(come, |left| left.min(come));
        client.queue(&self.up.input[..count]);
        self.up.input.drain(..count);
        let left = left.map(|left| left - count as u64);
        self.state = State::Relaying(left);
        match left {
            Some(0) => Relayed::Whole(true),
            None if ended => Relayed::Whole(false),
            Some(_) if ended => Relayed::Broken,
            _ => Relayed::More,
        }
    }

    /// Hands on the head, if it is there: nothing if it never will be.
    fn head(&mut self, client: &mut Connection) -> Option<bool> {
        loop {
            let Some((head, end)) = Head::find(&self.up.input).ok()? else { return Some(false) };
            let status = status_of(&head)?;
            self.up.input.drain(..end);
            if status < 200 {
                continue;
            }
            let framing = Body::of(&head).ok()?;
            let left = match framing {
                _ if self.request.method == "HEAD" || matches!(status, 204 | 304) => Some(0),
                Body::Length(length) => Some(length),
                Body::UntilClose => None,
                // Not in an answer to HTTP/1.0.
                Body::Chunks => return None,
            };
            let keep = self.request.keep_alive && left.is_some();
            let reason = head.first.splitn(3, ' ').nth(2).unwrap_or_default();
            let mut text = format!("HTTP/1.1 {status} {reason}\r\n{}", passed_on(&head));
            // As the server said it: the answer to HEAD has a length and no body.
            if let Body::Length(length) = framing {
                text += &format!("Content-Length: {length}\r\n");
            }
            text += &format!("Connection: {}\r\n\r\n", if keep { "keep-alive" } else { "close" });
            client.queue(text.as_bytes());
            self.state = State::Relaying(left);
            return Some(true);
        }
    }
}

/// The fields that are not about one connection.
fn passed_on(head: &Head) -> String {
    let own = |name: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) || head.has("connection", name);
    let fields = head.fields.iter().filter(|(name, _)| !own(name));
    fields.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}
