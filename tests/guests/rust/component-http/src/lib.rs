//! An HTTP server as a component: `wasi:http/proxy`, called once a request.
//!
//! | path | answer |
//! |---|---|
//! | `/health` | `ok` |
//! | `/echo` | the body that was sent, piece by piece |
//! | `/bytes/N` | N bytes of the alphabet over and over |
//! | `/headers` | the request's header fields, one a line, sorted |
//! | `/memory?mib=N` | takes N MiB and writes to every page; 507 when there is no more |
//! | `/wait?ms=N` | `ok`, later |
//! | `/count` | how many requests this instance has seen |
//! | `/fetch?url=URL` | what a GET of that URL gives; 502 and the error when it gives nothing |
//! | `/loop` | nothing, ever |
//! | `/panic` | a trap |

mod fetch;
mod reply;

use reply::{Reply, Sending};
use std::sync::atomic::{AtomicU32, Ordering};
use wasi::clocks::monotonic_clock;
use wasi::http::types::{IncomingRequest, Method, ResponseOutparam};

struct Server;

wasi::http::proxy::export!(Server);

static SEEN: AtomicU32 = AtomicU32::new(0);

impl wasi::exports::http::incoming_handler::Guest for Server {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        let seen = SEEN.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let reply = Reply::new(to);
        // A client that goes away in the middle of an answer is no error of this program.
        let _: Sending = match path {
            "/health" => reply.text(200, "ok\n"),
            "/echo" => echo(request, reply),
            "/headers" => reply.text(200, &headers(&request)),
            "/memory" => memory(number(query, "mib"), reply),
            "/wait" => {
                monotonic_clock::subscribe_duration(number(query, "ms").unwrap_or(0).saturating_mul(1_000_000)).block();
                reply.text(200, "ok\n")
            }
            "/count" => reply.text(200, &format!("{seen}\n")),
            "/fetch" => fetch::fetch(&value(query, "url").unwrap_or_default(), reply),
            "/loop" => loop {
                std::hint::black_box(&target);
            },
            "/panic" => panic!("as asked"),
            _ => match path.strip_prefix("/bytes/").map(str::parse) {
                Some(Ok(count)) => {
                    reply.stream(200, "application/octet-stream", Some(count), |body| body.alphabet(count))
                }
                Some(Err(_)) => reply.text(400, "/bytes/ takes a number\n"),
                None => reply.text(404, "nothing here\n"),
            },
        };
    }
}

fn echo(request: IncomingRequest, reply: Reply) -> Sending {
    if !matches!(request.method(), Method::Post | Method::Put) {
        return reply.text(405, "not with this method\n");
    }
    let kind = request.headers().get("content-type").into_iter().next();
    let kind =
        kind.and_then(|kind| String::from_utf8(kind).ok()).unwrap_or_else(|| "application/octet-stream".to_owned());
    let Ok(body) = request.consume() else { return reply.text(500, "the body is gone\n") };
    reply.stream(200, &kind, None, |out| {
        let Ok(input) = body.stream() else { return Err(()) };
        out.copy(&input)
    })
}

fn headers(request: &IncomingRequest) -> String {
    let mut lines: Vec<String> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| format!("{}: {}\n", name.to_lowercase(), String::from_utf8_lossy(&value)))
        .collect();
    lines.sort();
    lines.concat()
}

/// Takes memory and uses it, so that nobody can merely promise it.
fn memory(mib: Option<u64>, reply: Reply) -> Sending {
    let Some(mib) = mib else { return reply.text(400, "/memory takes mib=N\n") };
    let mut taken: Vec<u8> = Vec::new();
    let bytes = usize::try_from(mib).ok().and_then(|mib| mib.checked_mul(1 << 20));
    let Some(bytes) = bytes.filter(|bytes| taken.try_reserve_exact(*bytes).is_ok()) else {
        return reply.text(507, "no memory\n");
    };
    taken.resize(bytes, 0);
    taken.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let written = std::hint::black_box(&taken).iter().map(|byte| usize::from(*byte)).sum::<usize>();
    reply.text(200, &format!("{} MiB\n", written * 4096 >> 20))
}

/// A value of the query, with `%XX` and `+` undone.
fn value(query: &str, name: &str) -> Option<String> {
    let raw = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let (mut bytes, mut rest) = (Vec::new(), raw.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn number(query: &str, name: &str) -> Option<u64> {
    value(query, name)?.parse().ok()
}
