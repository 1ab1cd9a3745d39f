//! What a server tells: a line for each request, and one for what went wrong in it. Words of clients and guests are escaped.

use super::super::streams::write_all;
use http::{Method, Uri, Version};
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Instant, SystemTime};
use wasmrt_model::component::AccessLog;

/// The longest that somebody's own words may be in a line, in characters.
const MOST_QUOTED: usize = 512;

/// Where lines go.
pub(super) struct Log {
    fd: OwnedFd,
    access: AccessLog,
}

impl Log {
    pub(super) fn new(fd: OwnedFd, access: AccessLog) -> Self {
        Self { fd, access }
    }

    /// Says something that a person has to know.
    pub(super) fn say(&self, text: &str) {
        self.write(&format!("wasm-run: {text}\n"));
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
                    "time": rfc3339(SystemTime::now()),
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
                    rfc3339(SystemTime::now()),
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

fn shortened(words: &impl Display) -> String {
    words.to_string().escape_debug().take(MOST_QUOTED).collect()
}

/// A time of the present era, in UTC and to the millisecond.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days are counted from the first of March of the year 0, so that a leap day comes last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_told_in_utc() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), told);
        }
    }
}
