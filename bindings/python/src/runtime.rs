//! The runtime as Python holds it: an embedder, which starts runs in other processes, and makes instances in this one.

use crate::channel::Channel;
use crate::errors::{raised, refused, unreadable};
use crate::module::Module;
use crate::run::{Run, SLICE, deadline};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;
use wasmrt_runtime::model::stdio::Input;
use wasmrt_runtime::model::{AotPolicy, Ceiling, EngineChoice, Error, ErrorKind, IsolationLevel, Result, RunSpec};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig, EngineStatus, PipedStreams, StartOptions, WhenFull};

/// Engines, cache, ceiling, and the process that forks workers.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) embedder: Embedder,
}

/// Where `wasmrt-worker` is.
#[pyfunction]
pub(crate) fn find_worker(py: Python<'_>) -> PyResult<PathBuf> {
    wasmrt_runtime::find_worker(None).map_err(|error| raised(py, &error))
}

/// Whether `text` is one of the words that this field of a spec takes.
#[pyfunction]
pub(crate) fn check_word(py: Python<'_>, field: &str, text: &str) -> PyResult<()> {
    let checked = match field {
        "engine" => text.parse::<EngineChoice>().map(drop),
        "isolation" => text.parse::<IsolationLevel>().map(drop),
        "aot" => text.parse::<AotPolicy>().map(drop),
        _ => Err(Error::new(ErrorKind::Internal, format!("{field} takes no words"))),
    };
    checked.map_err(|error| raised(py, &error.with_context("keyword", field)))
}

#[pymethods]
impl Runtime {
    #[new]
    #[pyo3(signature = (*, cache=None, cache_bytes=None, ceiling=None, worker=None, max_runs=None, queue=None))]
    fn new(
        py: Python<'_>,
        cache: Option<Cache>,
        cache_bytes: Option<u64>,
        ceiling: Option<&str>,
        worker: Option<PathBuf>,
        max_runs: Option<usize>,
        queue: Option<usize>,
    ) -> PyResult<Self> {
        let mut config = EmbedderConfig::default();
        match cache {
            Some(Cache::Off(false)) => config.runtime.cache = CacheConfig::disabled(),
            Some(Cache::Directory(directory)) => config.runtime.cache = CacheConfig::in_directory(directory),
            Some(Cache::Off(true)) | None => {}
        }
        if let Some(bytes) = cache_bytes {
            config.runtime.cache.max_bytes = bytes;
        }
        if let Some(text) = ceiling {
            config.runtime.ceiling = Ceiling::from_json(text).map_err(|error| raised(py, &error))?;
        }
        config.worker = worker;
        config.max_runs = max_runs.unwrap_or(config.max_runs);
        config.queue = queue.unwrap_or(config.queue);
        if config.max_runs == 0 {
            return Err(refused(py, ErrorKind::InvalidInput, "max_runs is at least 1"));
        }
        Ok(Self { embedder: Embedder::new(config) })
    }

    /// Starts a run. `place_within` bounds, in seconds, how long a place is waited for.
    #[pyo3(signature = (module, spec, stdin=None, streams=None, place_within=None))]
    fn start(
        &self,
        py: Python<'_>,
        module: &Module,
        spec: &str,
        stdin: Option<&Bound<'_, PyBytes>>,
        streams: Option<&Channel>,
        place_within: Option<f64>,
    ) -> PyResult<Run> {
        let fail = |error: Error| raised(py, &error);
        let module = module.shared(py).map_err(fail)?;
        let spec = read_spec(spec, stdin).map_err(fail)?;
        let streams = take_streams(streams).map_err(fail)?;
        let until = place_within.and_then(|seconds| deadline(seconds.max(0.0)));
        loop {
            let piped = copies(&streams).map_err(fail)?;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let mut options = StartOptions::default();
            options.piped = piped;
            options.when_full = if slice.is_zero() { WhenFull::Refuse } else { WhenFull::WaitFor(slice) };
            match py.detach(|| self.embedder.start(&module, &spec, options)) {
                Err(error) if error.kind() == ErrorKind::Busy && left.is_none_or(|left| left > slice) => {
                    py.check_signals()?
                }
                Err(error) => return Err(fail(error)),
                Ok(run) => return Ok(Run::new(run)),
            }
        }
    }

    /// Makes ready what a run needs.
    fn preload(&self, py: Python<'_>, module: &Module, spec: &str) -> PyResult<()> {
        let module = module.shared(py).map_err(|error| raised(py, &error))?;
        let spec = RunSpec::from_json(spec).map_err(|error| raised(py, &error))?;
        attentively(py, &self.embedder, move |embedder| embedder.preload(&module, &spec))
    }

    /// Compiles ahead. What came of it, as JSON.
    fn compile(&self, py: Python<'_>, module: &Module, spec: &str) -> PyResult<String> {
        let module = module.shared(py).map_err(|error| raised(py, &error))?;
        let spec = RunSpec::from_json(spec).map_err(|error| raised(py, &error))?;
        let compiled = attentively(py, &self.embedder, move |embedder| embedder.compile(&module, &spec))?;
        serde_json::to_string(&compiled).map_err(|source| unreadable(&source))
    }

    /// What a module is, as JSON.
    fn inspect(&self, py: Python<'_>, module: &Module) -> PyResult<String> {
        let module = module.shared(py).map_err(|error| raised(py, &error))?;
        let inspection = attentively(py, &self.embedder, move |embedder| embedder.inspect(&module))?;
        serde_json::to_string(&inspection).map_err(|source| unreadable(&source))
    }

    /// Every engine, as JSON: its name, and its capabilities or an error.
    fn engines(&self, py: Python<'_>) -> PyResult<String> {
        let engines = attentively(py, &self.embedder, Embedder::engines)?;
        let told = |status: &EngineStatus| {
            let mut told = serde_json::json!(status);
            if let Err(error) = &status.capabilities {
                told["message"] = error.to_string().into();
            }
            told
        };
        let engines: Vec<_> = engines.iter().map(told).collect();
        serde_json::to_string(&engines).map_err(|source| unreadable(&source))
    }

    /// Running, queued, the most that may run, the most that may wait, the worker's process and how often it was started again.
    fn status(&self) -> (usize, usize, usize, usize, Option<u32>, u64) {
        let status = self.embedder.status();
        (status.running, status.queued, status.max_runs, status.queue, status.worker, status.restarts)
    }

    /// Ends all runs and starts nothing any more.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.embedder.close());
    }
}

/// Where artifacts are kept: a directory, or nowhere (False), or where the environment says (True).
#[derive(Debug, FromPyObject)]
pub(crate) enum Cache {
    Off(bool),
    Directory(PathBuf),
}

/// Reads a spec, and puts in the bytes that JSON cannot hold.
pub(crate) fn read_spec(text: &str, stdin: Option<&Bound<'_, PyBytes>>) -> Result<RunSpec> {
    let mut spec = RunSpec::from_json(text)?;
    if let Some(bytes) = stdin {
        spec.stdio.stdin = Input::Bytes(bytes.as_bytes().to_vec());
    }
    Ok(spec)
}

pub(crate) fn take_streams(channel: Option<&Channel>) -> Result<[Option<OwnedFd>; 3]> {
    channel.map_or(Ok([None, None, None]), Channel::receive)
}

pub(crate) fn copies(streams: &[Option<OwnedFd>; 3]) -> Result<PipedStreams> {
    let copy = |stream: &Option<OwnedFd>| {
        let copy = stream.as_ref().map(OwnedFd::try_clone).transpose();
        copy.map_err(|source| Error::io("cannot pass a stream on", source))
    };
    let [stdin, stdout, stderr] = streams;
    Ok(PipedStreams { stdin: copy(stdin)?, stdout: copy(stdout)?, stderr: copy(stderr)? })
}

/// Does something that takes time on another thread, so that Python's handlers of signals are called meanwhile. Who is interrupted does not wait for it.
fn attentively<T: Send + 'static>(
    py: Python<'_>,
    embedder: &Embedder,
    work: impl FnOnce(&Embedder) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (embedder, (tell, told)) = (embedder.clone(), mpsc::channel());
    let started = std::thread::Builder::new().name("wasmrt".to_owned()).spawn(move || {
        // Nobody listens any more when the caller was interrupted.
        let _ = tell.send(work(&embedder));
    });
    started.map_err(|source| raised(py, &Error::io("cannot start a thread", source)))?;
    let mut told = Some(told);
    loop {
        let Some(listening) = told.take() else { continue };
        let (listening, heard) = py.detach(move || {
            let heard = listening.recv_timeout(SLICE);
            (listening, heard)
        });
        told = Some(listening);
        match heard {
            Ok(result) => return result.map_err(|error| raised(py, &error)),
            Err(mpsc::RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(refused(py, ErrorKind::Internal, "a thread ended without a word"));
            }
        }
    }
}
