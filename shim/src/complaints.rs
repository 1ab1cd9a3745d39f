//! What libcontainer says in its log of a process that could not be made.
//!
//! It makes one in several processes, and what comes back from them names the step that failed; why, only the log says. These processes are all
//! forks of one, so what they log is gathered in memory that they share.

use rustix::fs::MemfdFlags;
use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use wasmrt_model::{Error, Result};

/// As much of it as anybody reads.
const SHOWN: usize = 400;

static LOG: OnceLock<File> = OnceLock::new();

/// Whether this process is still one that makes another. What it becomes has other files under the same numbers.
static AT_WORK: AtomicBool = AtomicBool::new(true);

/// Gathers what is complained about from now on, in this process and those that it forks.
///
/// # Errors
/// The system's.
pub(crate) fn gather() -> Result<()> {
    let memory = rustix::fs::memfd_create("wasmrt-complaints", MemfdFlags::CLOEXEC)
        .map_err(|errno| Error::io("cannot keep a log", errno.into()))?;
    if LOG.set(File::from(memory)).is_ok() {
        // Somebody else's log may be there already; then this one stays empty.
        let _ = tracing::subscriber::set_global_default(Gatherer);
    }
    Ok(())
}

/// The process is made: nothing is gathered any more.
pub(crate) fn stop() {
    AT_WORK.store(false, Ordering::Relaxed);
}

/// What was complained about first, which is what went wrong.
pub(crate) fn first() -> Option<String> {
    let mut bytes = [0; SHOWN];
    let count = LOG.get()?.read_at(&mut bytes, 0).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..count)?).into_owned();
    text.lines().next().filter(|line| !line.is_empty()).map(str::to_owned)
}

struct Gatherer;

impl Subscriber for Gatherer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && AT_WORK.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let Line { message, fields } = line;
        if let Some(mut log) = LOG.get().filter(|_| AT_WORK.load(Ordering::Relaxed)) {
            // What cannot be logged is missing from a message, nothing else.
            let _ = log.write_all(format!("{message}{fields}\n").replace("\n\n", "\n").as_bytes());
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// One entry: its sentence, and what belongs to it.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, ", {} {value:?}", field.name())
        };
    }
}
