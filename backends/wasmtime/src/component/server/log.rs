//! What a server tells: a line for each request, and one for what went wrong in it. Words of clients and guests are escaped.

use super::super::streams::write_all;
use http::{Method, Uri, Version};
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Instant, SystemTime};
use wasmrt_model::component::AccessLog;
use wasmrt_model::words::Voice;

/// The longest that somebody's own words may be in a line, in characters.
const MOST_QUOTED: usize = 512;

/// Where lines go.
pub(super) struct Log {
    fd: OwnedFd,
    access: AccessLog,
    voice: Voice,
}

impl Log {
    pub(super) fn new(fd: OwnedFd, access: AccessLog, voice: Voice) -> Self {
        Self { fd, access, voice }
    }

    /// Says something that a person has to know.
    pub(super) fn say(&self, text: &str) {
        self.write(&format!("{}: {text}\n", self.voice.name));
    }

    /// Something that a guest was refused while it answered.
    pub(super) fn denied(&self, request: &str, refusal: &str) {
        self.say(&format!("{request}: refused: {}", self.voice.in_words(refusal)));
    }

    /// A request that hyper did not let through.
    pub(super) fn refused(&self, peer: SocketAddr, error: &hyper::Error) {
        if self.access != AccessLog::Off {
            self.say(&format!("{peer}: refused: {error}"));
        }
    }

    /// A line that cannot be written is lost, and nothing else with it.
    fn write(&self, line: &str) {
        let _lost = write_all(self.fd.as_fd(), line.as_bytes());
    }

    /// Tells of one request.
    pub(super) fn access(&self, request: &Asked, status: u16, bytes: u64, complete: bool) {
        let took = request.at.elapsed();
        let line = match self.access {
            AccessLog::Off => return,
            AccessLog::Json => {
                let mut line = serde_json::json!({
                    "time": now().to_string(),
                    "peer": request.peer.to_string(),
                    "method": request.method.as_str(),
                    "target": shortened(&request.target),
                    "status": status,
                    "bytes": bytes,
                    "seconds": took.as_secs_f64(),
                    "complete": complete,
                })
                .to_string();
                line.push('\n');
                line
            }
            _ => {
                let cut = if complete { "" } else { ", cut off" };
                format!(
                    "{} {} \"{} {} {:?}\" {status} {bytes} bytes {:.1} ms{cut}\n",
                    now(),
                    request.peer,
                    request.method,
                    shortened(&request.target),
                    request.version,
                    took.as_secs_f64() * 1000.0,
                )
            }
        };
        self.write(&line);
    }
}

/// What was asked, as far as it is told.
pub(super) struct Asked {
    peer: SocketAddr,
    method: Method,
    target: Uri,
    version: Version,
    at: Instant,
}

impl Asked {
    pub(super) fn new<B>(peer: SocketAddr, request: &http::Request<B>) -> Self {
        Self {
            peer,
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            at: Instant::now(),
        }
    }
}

/// `GET /path`, for lines about what went wrong.
pub(super) fn named(method: &Method, target: &Uri) -> String {
    format!("{method} {}", shortened(target))
}

/// In UTC and to the millisecond.
fn now() -> impl Display {
    humantime::format_rfc3339_millis(SystemTime::now())
}

fn shortened(words: &impl Display) -> String {
    words.to_string().escape_debug().take(MOST_QUOTED).collect()
}
