//! An HTTP gateway over WasmEdge sockets: takes requests, hands them on to one of several servers, hands their answers back.
//!
//! BACKEND_URLS names the servers, `http://HOST[:PORT]` separated by commas; they take turns. One that refuses or times out is left out for
//! DOWN_MS (default 1000). RATE_LIMIT is how many requests it hands on in a second (default: all), with as many saved up; others get 429.
//! UPSTREAM_TIMEOUT_MS (default 10000) is how long a server may be silent. HOST, PORT and MAX_REQUESTS are those of `http-server`.
//!
//! `/health` is its own: 200 while it has a server to hand on to, else 503. It owns no more of HTTP than it needs: to its servers it speaks
//! HTTP/1.0, so that every answer has a length or ends with its connection.

#[path = "gateway/backends.rs"]
mod backends;
#[path = "gateway/exchange.rs"]
mod exchange;
#[path = "gateway/rate.rs"]
mod rate;

use backends::Backends;
use exchange::{Exchange, State};
use guest_http::{Request, Taken, response_head, take_request};
use guest_sockets::{Connection, HostPort, Interest, Listener, Progress, exit_code, setting, wait};
use rate::Rate;
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const LISTENER: usize = usize::MAX;
/// How much of an answer is held for a client that does not take it.
const HELD: usize = 256 << 10;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// A client; while a request of its is handed on, nothing more is read from it.
struct Client {
    connection: Connection,
    exchange: Option<Exchange>,
    /// It will be asked nothing more.
    closing: bool,
    /// It will say nothing more.
    ended: bool,
    /// Its request was HEAD: the answer has no body.
    bare: bool,
}

struct Gateway {
    backends: Backends,
    rate: Rate,
    silence: Duration,
    answered: u64,
    last: u64,
}

fn serve() -> io::Result<()> {
    let mut gateway = Gateway {
        backends: Backends::from_environment()?,
        rate: Rate::new(setting("RATE_LIMIT", f64::INFINITY), Instant::now()),
        silence: Duration::from_millis(setting("UPSTREAM_TIMEOUT_MS", 10_000)),
        answered: 0,
        last: setting("MAX_REQUESTS", u64::MAX),
    };
    let mut listener = Listener::bind(&HostPort::from_environment())?;
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    let (mut next, mut interests) = (0, Vec::new());
    while gateway.answered < gateway.last || clients.values().any(Client::owed) {
        interests.clear();
        if listener.open() && gateway.answered < gateway.last {
            interests.push(listener.interest(LISTENER));
        }
        clients.iter().for_each(|(id, client)| client.interests(*id, &mut interests));
        let deadline = clients.values().filter_map(|client| Some(client.exchange.as_ref()?.deadline)).min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        for ready in wait(&interests, timeout)? {
            if ready.token == LISTENER {
                for _ in 0..64 {
                    let Some(connection) = listener.accept()? else { break };
                    clients
                        .insert(next, Client { connection, exchange: None, closing: false, ended: false, bare: false });
                    next += 1;
                }
                continue;
            }
            // Two tokens a client: its own, and that of the server that it is handed on to.
            let (id, upstream) = (ready.token / 2, ready.token % 2 == 1);
            let Some(mut client) = clients.remove(&id) else { continue };
            let alive = if upstream { gateway.server_ready(&mut client, ready.read) } else { client.heard(ready.read) };
            if alive && gateway.proceed(&mut client) {
                clients.insert(id, client);
            } else {
                listener.room();
            }
        }
        let now = Instant::now();
        clients.retain(|_, client| gateway.in_time(client, now));
    }
    Ok(())
}

impl Client {
    /// Whether something is still to be written to it.
    fn owed(&self) -> bool {
        self.exchange.is_some() || self.connection.queued() > 0
    }

    fn interests(&self, id: usize, interests: &mut Vec<Interest>) {
        let queued = self.connection.queued();
        if !self.owed() || queued > 0 {
            interests.push(self.connection.interest(2 * id, !self.owed(), queued > 0));
        }
        if let Some(exchange) = &self.exchange {
            let read = exchange.state != State::Connecting && queued < HELD;
            let write = exchange.state == State::Connecting || exchange.up.queued() > 0;
            if read || write {
                interests.push(exchange.up.interest(2 * id + 1, read, write));
            }
        }
    }

    /// Reads what the client says. False: it has gone.
    fn heard(&mut self, readable: bool) -> bool {
        match if readable { self.connection.read() } else { Progress::Blocked } {
            Progress::Blocked => true,
            Progress::Broken => false,
            Progress::Done => {
                // It may still wait for answers to what it has said.
                self.ended = true;
                true
            }
        }
    }

    fn reply(&mut self, status: u16, text: &str, keep: bool) {
        let head = response_head(status, "text/plain; charset=utf-8", text.len() as u64, keep);
        self.connection.queue(&head);
        if !self.bare {
            self.connection.queue(text.as_bytes());
        }
        self.closing = !keep;
    }
}

impl Gateway {
    /// Does all that can be done for a client without waiting. False: it is done with.
    fn proceed(&mut self, client: &mut Client) -> bool {
        loop {
            match client.connection.write() {
                Progress::Broken => return false,
                Progress::Blocked => return true,
                Progress::Done if client.exchange.is_some() => return true,
                Progress::Done if client.closing => return false,
                Progress::Done => {}
            }
            if self.answered >= self.last {
                return true;
            }
            match take_request(&mut client.connection.input) {
                Taken::Incomplete(_) if client.ended => return false,
                Taken::Incomplete(false) => return true,
                Taken::Incomplete(true) => {
                    client.connection.queue(b"HTTP/1.1 100 Continue\r\n\r\n");
                    return client.connection.write() != Progress::Broken;
                }
                Taken::Refused(status) => {
                    client.connection.input.clear();
                    client.bare = false;
                    self.reply(client, status, guest_http::reason(status), false);
                }
                Taken::Request(request) => self.take(client, request),
            }
        }
    }

    /// An answer of the gateway's own.
    fn reply(&mut self, client: &mut Client, status: u16, text: &str, keep: bool) {
        self.answered += 1;
        client.reply(status, text, keep && self.answered < self.last);
    }

    fn take(&mut self, client: &mut Client, mut request: Box<Request>) {
        let now = Instant::now();
        request.keep_alive = request.keep_alive && self.answered + 1 < self.last;
        let keep = request.keep_alive;
        client.bare = request.method == "HEAD";
        if request.path == "/health" {
            let up = self.backends.any_up(now);
            return self.reply(client, if up { 200 } else { 503 }, if up { "ok\n" } else { "no server is up\n" }, keep);
        }
        if !self.rate.take(now) {
            return self.reply(client, 429, "too many requests\n", keep);
        }
        self.hand_on(client, request, Vec::new(), now);
    }

    /// Begins at the next server that takes a connection.
    fn hand_on(&mut self, client: &mut Client, request: Box<Request>, mut tried: Vec<usize>, now: Instant) {
        while let Some(backend) = self.backends.next(&tried, now) {
            tried.push(backend);
            match guest_sockets::start_connecting(&self.backends.address(backend)) {
                Ok(socket) => {
                    let mut up = Connection::new(socket);
                    up.queue(&Exchange::message(&request, self.backends.authority(backend)));
                    let deadline = now + self.silence;
                    client.exchange =
                        Some(Exchange { backend, tried, up, state: State::Connecting, deadline, request });
                    return;
                }
                Err(_) => self.backends.down(backend, now),
            }
        }
        let (status, words) =
            if tried.is_empty() { (503, "no server is up\n") } else { (502, "no server takes this\n") };
        self.reply(client, status, words, request.keep_alive);
    }

    /// The server of this client is ready for something. False: the client is to be dropped.
    fn server_ready(&mut self, client: &mut Client, readable: bool) -> bool {
        let Some(mut exchange) = client.exchange.take() else { return true };
        let now = Instant::now();
        if exchange.state == State::Connecting {
            if exchange.up.socket.take_error().is_err() {
                self.backends.down(exchange.backend, now);
                self.hand_on(client, exchange.request, exchange.tried, now);
                return true;
            }
            exchange.state = State::Waiting;
        }
        exchange.deadline = now + self.silence;
        // A server may answer and close before it has read everything: what it said decides, not that it stopped listening.
        let unheard = exchange.up.write() == Progress::Broken;
        let ended = (readable || unheard) && exchange.up.read() != Progress::Blocked;
        match exchange.relay(&mut client.connection, ended || unheard) {
            exchange::Relayed::More => client.exchange = Some(exchange),
            exchange::Relayed::Nothing => {
                self.reply(client, 502, "the server gave no answer\n", exchange.request.keep_alive)
            }
            exchange::Relayed::Broken => return false,
            exchange::Relayed::Whole(told) => {
                self.answered += 1;
                client.closing = !(told && exchange.request.keep_alive);
            }
        }
        true
    }

    /// Gives up on a server that is silent. False: the client is to be dropped.
    fn in_time(&mut self, client: &mut Client, now: Instant) -> bool {
        let Some(exchange) = client.exchange.take_if(|exchange| exchange.deadline <= now) else { return true };
        // A client that takes nothing is no reason to blame the server.
        if client.connection.queued() < HELD {
            self.backends.down(exchange.backend, now);
        }
        match exchange.state {
            State::Connecting => self.hand_on(client, exchange.request, exchange.tried, now),
            State::Waiting => self.reply(client, 504, "the server is silent\n", exchange.request.keep_alive),
            State::Relaying(_) => return false,
        }
        self.proceed(client)
    }
}
