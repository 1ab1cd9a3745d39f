//! What a guest may still write and open. Counts; what is counted is known to `streams` and `files`.

use super::ending::Reached;
use std::fs::File;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmrt_model::component::UsageCounter;
use wasmrt_model::{Error, ErrorKind, LimitKind, RunPlan};

/// The standard streams.
const STREAMS: usize = 3;

/// Bytes that may still be written, to one kind of place.
pub(super) struct Bytes {
    kind: LimitKind,
    most: u64,
    written: AtomicU64,
    usage: Arc<dyn UsageCounter>,
}

impl Bytes {
    /// To both standard outputs together.
    pub(super) fn output(plan: &RunPlan, usage: Arc<dyn UsageCounter>) -> Self {
        let most = plan.limits().output_bytes.bound().map_or(u64::MAX, |bytes| bytes.0);
        Self { kind: LimitKind::OutputBytes, most, written: AtomicU64::new(0), usage }
    }

    /// To files, and by which files are extended.
    pub(super) fn files(plan: &RunPlan, usage: Arc<dyn UsageCounter>) -> Self {
        let most = plan.limits().written_bytes.bound().map_or(u64::MAX, |bytes| bytes.0);
        Self { kind: LimitKind::WrittenBytes, most, written: AtomicU64::new(0), usage }
    }

    /// What is left.
    pub(super) fn left(&self) -> u64 {
        self.most.saturating_sub(self.written.load(Ordering::Relaxed))
    }

    /// Notes what was written.
    pub(super) fn charge(&self, bytes: u64) {
        let total = self.written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match self.kind {
            LimitKind::OutputBytes => self.usage.output_bytes(total),
            _ => self.usage.written_bytes(total),
        }
    }

    /// What ends a guest that wants to write more than is left.
    pub(super) fn reached(&self) -> wasmtime::Error {
        wasmtime::Error::new(Reached(self.kind))
    }
}

/// What is open. A file counts until its descriptor and all streams on it are gone.
pub(super) struct OpenFiles {
    most: usize,
    at_start: usize,
    open: Mutex<Vec<Weak<File>>>,
    /// Sockets count as well.
    sockets: AtomicUsize,
}

impl OpenFiles {
    pub(super) fn new(plan: &RunPlan) -> Self {
        Self { most: most(plan), at_start: at_start(plan), open: Mutex::default(), sockets: AtomicUsize::new(0) }
    }

    /// Whether another one may be opened.
    pub(super) fn has_room(&self) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|file| file.strong_count() > 0);
        let sockets = self.sockets.load(Ordering::Relaxed);
        self.at_start.saturating_add(open.len()).saturating_add(sockets) < self.most
    }

    /// Notes one that was opened.
    pub(super) fn add(&self, file: &Arc<File>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(file));
    }
}

/// The sockets that a guest has, whatever they are for. They count among what is open.
pub(super) struct OpenSockets {
    most: usize,
    files: Arc<OpenFiles>,
}

impl OpenSockets {
    pub(super) fn new(plan: &RunPlan, files: Arc<OpenFiles>) -> Self {
        let most = plan.limits().open_sockets.bound();
        Self { most: most.map_or(usize::MAX, |most| usize::try_from(most.0).unwrap_or(usize::MAX)), files }
    }

    /// A place for one more.
    ///
    /// # Errors
    /// The name of the limit that leaves no room.
    pub(super) fn take(&self) -> Result<Place, &'static str> {
        if !self.files.has_room() {
            return Err("open_files");
        }
        let more = |open: usize| (open < self.most).then_some(open.saturating_add(1));
        let taken = self.files.sockets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map_err(|_| "open_sockets")?;
        Ok(Place(Arc::clone(&self.files)))
    }
}

/// One socket's place among those that the guest may have, for as long as this lives.
pub(super) struct Place(Arc<OpenFiles>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

fn most(plan: &RunPlan) -> usize {
    plan.limits().open_files.bound().map_or(usize::MAX, |files| usize::try_from(files.0).unwrap_or(usize::MAX))
}

fn at_start(plan: &RunPlan) -> usize {
    STREAMS.saturating_add(plan.preopens().len())
}

/// Refuses a plan that opens more than it allows.
pub(super) fn check_open_files(plan: &RunPlan) -> wasmrt_model::Result<()> {
    if at_start(plan) <= most(plan) {
        return Ok(());
    }
    let what =
        format!("the guest starts with {} open files, and open_files is {}", at_start(plan), plan.limits().open_files);
    Err(Error::new(ErrorKind::LimitExceeded, what).with_hint("raise open_files or give fewer preopens"))
}
