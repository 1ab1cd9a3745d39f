//! An HTTP/1.1 server over WasmEdge sockets: one thread, one `poll_oneoff`, any number of connections.
//!
//! HOST (default 0.0.0.0) and PORT (default 8080, 0 for any) say where; `listening on ADDRESS` on standard output says where it came to
//! be. After MAX_REQUESTS answers it ends with code 0. It has no time-outs: an idle connection may stay.
//!
//! | path | answer |
//! |---|---|
//! | `/health`, `/ready` | `ok`; `/ready` is 503 while descriptors are used up |
//! | `/metrics` | what was served, in Prometheus' text format |
//! | `/echo` | the body that was sent |
//! | `/bytes/N` | N bytes of the alphabet over and over |

use guest_http::{Request, Taken, response_head, take_request};
use guest_sockets::{Connection, HostPort, Listener, Progress, exit_code, setting, wait};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;

const LISTENER: usize = usize::MAX;
const TEXT: &str = "text/plain; charset=utf-8";
/// How many rounds of the alphabet of a `/bytes/N` are queued at a time: 64 KiB.
const ROUNDS: usize = 2520;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-server: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// A client, and what it is still owed.
struct Client {
    connection: Connection,
    /// Bytes of a `/bytes/N` that are not made yet.
    filler: u64,
    closing: bool,
}

struct Server {
    listener: Listener,
    clients: BTreeMap<usize, Client>,
    requests: BTreeMap<(&'static str, u16), u64>,
    accepted: u64,
    answered: u64,
    sent_bytes: u64,
    last: u64,
    piece: Vec<u8>,
}

fn serve() -> io::Result<()> {
    let listener = Listener::bind(&HostPort::from_environment())?;
    let mut server = Server {
        listener,
        clients: BTreeMap::new(),
        requests: BTreeMap::new(),
        accepted: 0,
        answered: 0,
        sent_bytes: 0,
        last: setting("MAX_REQUESTS", u64::MAX),
        piece: b"abcdefghijklmnopqrstuvwxyz".repeat(ROUNDS),
    };
    let mut interests = Vec::new();
    while server.answered < server.last || server.clients.values().any(Client::owed) {
        interests.clear();
        if server.listener.open() && server.answered < server.last {
            interests.push(server.listener.interest(LISTENER));
        }
        // Who does not take its answer is not listened to: nobody makes this server hold what it does not read.
        interests.extend(
            server
                .clients
                .iter()
                .map(|(token, client)| client.connection.interest(*token, !client.owed(), client.owed())),
        );
        for ready in wait(&interests, None)? {
            if ready.token == LISTENER {
                server.accept()?;
            } else {
                server.attend(ready.token, ready.read);
            }
        }
    }
    Ok(())
}

impl Client {
    /// Whether something is still to be written to it.
    fn owed(&self) -> bool {
        self.filler > 0 || self.connection.queued() > 0
    }
}

impl Server {
    /// Takes connections, not too many in a row.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..64 {
            let Some(connection) = self.listener.accept()? else { break };
            let token = usize::try_from(self.accepted).unwrap_or(0);
            self.accepted += 1;
            self.clients.insert(token, Client { connection, filler: 0, closing: false });
        }
        Ok(())
    }

    /// Serves a client as far as it goes without waiting.
    fn attend(&mut self, token: usize, readable: bool) {
        let Some(mut client) = self.clients.remove(&token) else { return };
        let ended = readable && client.connection.read() != Progress::Blocked;
        loop {
            if !client.owed() && !client.closing && self.answered < self.last {
                self.answer(&mut client);
            }
            let (before, filler) = (client.connection.queued(), client.filler);
            if before == 0 && filler == 0 {
                break;
            }
            fill(&mut client, &self.piece);
            let queued = client.connection.queued() as u64;
            let progress = client.connection.write();
            self.sent_bytes += queued - client.connection.queued() as u64;
            match progress {
                Progress::Done => {}
                Progress::Blocked => break,
                Progress::Broken => {
                    (client.closing, client.filler) = (true, 0);
                    self.listener.room();
                    return;
                }
            }
        }
        if client.owed() || !(client.closing || ended) {
            self.clients.insert(token, client);
        } else {
            self.listener.room();
        }
    }

    /// Answers the next request in the client's input, if one is there.
    fn answer(&mut self, client: &mut Client) {
        match take_request(&mut client.connection.input) {
            Taken::Incomplete(false) => {}
            Taken::Incomplete(true) => client.connection.queue(b"HTTP/1.1 100 Continue\r\n\r\n"),
            Taken::Refused(status) => {
                client.connection.input.clear();
                self.reply(client, "other", status, TEXT, guest_http::reason(status).as_bytes(), false, false);
            }
            Taken::Request(request) => self.route(client, &request),
        }
    }

    fn route(&mut self, client: &mut Client, request: &Request) {
        let keep = request.keep_alive && self.answered + 1 < self.last;
        let bare = request.method == "HEAD";
        let reading = bare || request.method == "GET";
        let exhausted = !self.listener.open();
        let mut reply =
            |route, status, kind: &str, body: &[u8]| self.reply(client, route, status, kind, body, keep, bare);
        match request.path.as_str() {
            "/health" if reading => reply("/health", 200, TEXT, b"ok\n"),
            "/ready" if reading && exhausted => reply("/ready", 503, TEXT, b"no descriptors left\n"),
            "/ready" if reading => reply("/ready", 200, TEXT, b"ok\n"),
            "/metrics" if reading => {
                let text = self.metrics();
                self.reply(client, "/metrics", 200, "text/plain; version=0.0.4", text.as_bytes(), keep, bare);
            }
            "/echo" if matches!(request.method.as_str(), "POST" | "PUT") => {
                let kind = request.head.get("content-type").unwrap_or("application/octet-stream");
                reply("/echo", 200, kind, &request.body);
            }
            "/health" | "/ready" | "/metrics" | "/echo" => reply("other", 405, TEXT, b"not with this method\n"),
            path => match path.strip_prefix("/bytes/").map(str::parse::<u64>) {
                Some(Ok(count)) if reading => {
                    self.note("/bytes", 200);
                    client.connection.queue(&response_head(200, "application/octet-stream", count, keep));
                    (client.filler, client.closing) = (if bare { 0 } else { count }, !keep);
                }
                Some(Err(_)) => reply("/bytes", 400, TEXT, b"/bytes/ takes a number\n"),
                _ => reply("other", 404, TEXT, b"nothing here\n"),
            },
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one response")]
    fn reply(
        &mut self,
        client: &mut Client,
        route: &'static str,
        status: u16,
        kind: &str,
        body: &[u8],
        keep: bool,
        bare: bool,
    ) {
        self.note(route, status);
        client.connection.queue(&response_head(status, kind, body.len() as u64, keep));
        if !bare {
            client.connection.queue(body);
        }
        client.closing = !keep;
    }

    fn note(&mut self, route: &'static str, status: u16) {
        *self.requests.entry((route, status)).or_default() += 1;
        self.answered += 1;
    }

    fn metrics(&self) -> String {
        let mut text =
            String::from("# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n");
        for ((route, status), count) in &self.requests {
            let _ = writeln!(text, "http_requests_total{{path=\"{route}\",status=\"{status}\"}} {count}");
        }
        for (name, kind, help, value) in [
            ("http_connections_accepted_total", "counter", "Connections taken.", self.accepted),
            // The one that asks is not among the clients while it is served.
            ("http_connections_open", "gauge", "Connections open now.", self.clients.len() as u64 + 1),
            ("http_sent_bytes_total", "counter", "Bytes written to clients.", self.sent_bytes),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        text
    }
}

/// Makes the next piece of `/bytes/N`: every piece but the last is the whole of it, and ends where the alphabet does.
fn fill(client: &mut Client, piece: &[u8]) {
    if client.connection.queued() < piece.len() {
        let count = client.filler.min(piece.len() as u64);
        client.connection.queue(&piece[..count as usize]);
        client.filler -= count;
    }
}
