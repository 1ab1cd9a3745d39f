//! Runtimes, modules and runs as the JavaScript half holds them.

use crate::answer::{Answer, thrown};
use crate::spec::Around;
use crate::ticket::{Job, Ticket};
use crate::{hub, spec, teardown, work};
use napi::Env;
use napi::bindgen_prelude::{Object, Uint8Array};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmrt_runtime::model::limits::Limits;
use wasmrt_runtime::model::stdio::{Input, Output};
use wasmrt_runtime::model::{Ceiling, Error, ErrorKind, Result};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig, Module, PipedStreams, doctor};

/// How a runtime is set up, as the JavaScript half writes it.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// None: as the environment says. `false`: none.
    cache: Option<Json>,
    cache_bytes: Option<u64>,
    ceiling: Option<Json>,
    worker: Option<PathBuf>,
    max_runs: Option<usize>,
    queue: Option<usize>,
}

impl Config {
    fn resolve(self) -> Result<EmbedderConfig> {
        let mut config = EmbedderConfig::default();
        config.runtime.cache = match self.cache {
            None => CacheConfig::from_environment(),
            Some(Json::Bool(false)) => CacheConfig::disabled(),
            Some(Json::String(directory)) => CacheConfig::in_directory(directory),
            Some(_) => return Err(Error::new(ErrorKind::InvalidInput, "cache is a directory, or false for none")),
        };
        if let Some(bytes) = self.cache_bytes {
            config.runtime.cache.max_bytes = bytes;
        }
        if let Some(ceiling) = self.ceiling {
            config.runtime.ceiling = Ceiling::from_json(&ceiling.to_string())?;
        }
        config.worker = self.worker;
        if self.max_runs == Some(0) {
            return Err(Error::new(ErrorKind::InvalidInput, "maxRuns must be at least 1"));
        }
        config.max_runs = self.max_runs.unwrap_or(config.max_runs);
        config.queue = self.queue.unwrap_or(config.queue);
        Ok(config)
    }
}

/// A runtime.
#[napi]
pub struct NativeRuntime {
    pub(crate) embedder: Embedder,
    owner: u64,
}

/// A module that can be run many times.
#[napi]
pub struct NativeModule {
    module: Module,
}

/// What loading comes to: the module, or an answer that says why there is none.
#[napi(object, object_from_js = false)]
pub struct Loaded {
    /// The module.
    pub module: Option<NativeModule>,
    /// The error.
    pub answer: Option<Answer>,
}

/// A run that was asked for.
#[napi]
pub struct NativeRun {
    ticket: Arc<Ticket>,
    descriptors: Vec<i32>,
}

#[napi]
impl NativeRuntime {
    /// Reads its configuration; starts nothing.
    #[napi(constructor)]
    pub fn new(config: String) -> napi::Result<Self> {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        let config: Config = serde_json::from_str(&config).map_err(|source| {
            thrown(&Error::new(ErrorKind::InvalidInput, "not the options of a runtime").with_source(source))
        })?;
        let config = config.resolve().map_err(|error| thrown(&error))?;
        Ok(Self { embedder: Embedder::new(config), owner: OWNERS.fetch_add(1, Ordering::Relaxed) })
    }

    /// Asks for a run. `patience`: how many seconds it may wait for a place; none means for ever.
    #[napi]
    pub fn start(
        &self,
        env: Env,
        module: &NativeModule,
        spec: String,
        around: Around,
        patience: Option<f64>,
    ) -> napi::Result<NativeRun> {
        let started = || {
            let spec = spec::read(&spec, around)?;
            let until = patience.map(deadline).transpose()?.flatten();
            let (piped, descriptors) = pipes(&spec.stdio.stdin, [&spec.stdio.stdout, &spec.stdio.stderr])
                .map_err(|source| Error::io("cannot make a pipe", source))?;
            let ticket = Ticket::new(Job {
                embedder: self.embedder.clone(),
                owner: self.owner,
                module: module.module.clone(),
                spec,
                piped,
                until,
            });
            hub::hand_over(Arc::clone(&ticket))?;
            Ok((ticket, descriptors))
        };
        let (ticket, descriptors) = started().map_err(|error: Error| thrown(&error))?;
        teardown::remember(&env, &ticket)?;
        Ok(NativeRun {
            ticket,
            descriptors: descriptors.into_iter().map(|fd| fd.map_or(-1, IntoRawFd::into_raw_fd)).collect(),
        })
    }

    /// Makes everything ready that a run needs.
    #[napi]
    pub fn preload<'env>(
        &self,
        env: &'env Env,
        module: &NativeModule,
        spec: String,
        around: Around,
    ) -> napi::Result<Object<'env>> {
        let spec = spec::read(&spec, around).map_err(|error| thrown(&error))?;
        let (embedder, module) = (self.embedder.clone(), module.module.clone());
        work::start(env, move || Answer::of_result(&embedder.preload(&module, &spec)))
    }

    /// Compiles a module into the cache.
    #[napi]
    pub fn compile<'env>(
        &self,
        env: &'env Env,
        module: &NativeModule,
        spec: String,
        around: Around,
    ) -> napi::Result<Object<'env>> {
        let spec = spec::read(&spec, around).map_err(|error| thrown(&error))?;
        let (embedder, module) = (self.embedder.clone(), module.module.clone());
        work::start(env, move || Answer::of_result(&embedder.compile(&module, &spec)))
    }

    /// What a module is, and what engines say to it.
    #[napi]
    pub fn inspect<'env>(&self, env: &'env Env, module: &NativeModule) -> napi::Result<Object<'env>> {
        let (embedder, module) = (self.embedder.clone(), module.module.clone());
        work::start(env, move || Answer::of_result(&embedder.inspect(&module)))
    }

    /// Every engine, with what it can do or why it cannot be had.
    #[napi]
    pub fn engines<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let embedder = self.embedder.clone();
        work::start(env, move || Answer::of_result(&embedder.engines()))
    }

    /// What this machine has of what wasmrt uses.
    #[napi]
    pub fn doctor<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let embedder = self.embedder.clone();
        work::start(env, move || Answer::of(&doctor::examine(embedder.runtime())))
    }

    /// How many runs there are, as JSON.
    #[napi]
    pub fn status(&self) -> String {
        json!(self.embedder.status()).to_string()
    }

    /// Ends everything that it runs.
    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let embedder = self.embedder.clone();
        work::start(env, move || {
            embedder.close();
            Answer::of(&())
        })
    }

    /// Copies a module, on another thread. The bytes must stay as they are until then.
    #[napi]
    pub fn load<'env>(&self, env: &'env Env, bytes: Uint8Array) -> napi::Result<Object<'env>> {
        let embedder = self.embedder.clone();
        let copy = move || embedder.module(&bytes);
        work::start_with(env, copy, |copied: Result<Module>, _| {
            Ok(match copied {
                Ok(module) => Loaded { module: Some(NativeModule { module }), answer: None },
                Err(error) => Loaded { module: None, answer: Some(Answer::of_error(&error)) },
            })
        })
    }

    /// Copies a module.
    #[napi]
    pub fn module(&self, bytes: Uint8Array) -> napi::Result<NativeModule> {
        let module = self.embedder.module(&bytes).map_err(|error| thrown(&error))?;
        Ok(NativeModule { module })
    }
}

#[napi]
impl NativeModule {
    /// The BLAKE3 hash of its bytes.
    #[napi(getter)]
    pub fn hash(&self) -> String {
        self.module.hash()
    }

    /// Its size in bytes.
    #[napi(getter)]
    pub fn size(&self) -> u32 {
        u32::try_from(self.module.size()).unwrap_or(u32::MAX)
    }
}

#[napi]
impl NativeRun {
    /// Our ends of piped streams, for the caller to own: -1 where there is none.
    #[napi(getter)]
    pub fn descriptors(&self) -> Vec<i32> {
        self.descriptors.clone()
    }

    /// A promise of its end, to be had once.
    #[napi]
    pub fn wait<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.ticket.wait(env)
    }

    /// A promise of the ports that the system chose.
    #[napi]
    pub fn published<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.ticket.published(env)
    }

    /// Ends it.
    #[napi]
    pub fn cancel(&self) {
        self.ticket.cancel();
    }

    /// Ends it, unless somebody waits for its end.
    #[napi]
    pub fn abandon(&self) {
        self.ticket.abandon();
    }
}

/// The names of all limits.
#[napi]
pub fn limit_names() -> Vec<&'static str> {
    Limits::NAMES.to_vec()
}

/// The version of this library.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn deadline(seconds: f64) -> Result<Option<Instant>> {
    let patience = Duration::try_from_secs_f64(seconds).map_err(|source| {
        Error::new(ErrorKind::InvalidInput, format!("{seconds} seconds is no time to wait for a place"))
            .with_source(source)
    })?;
    Ok(Instant::now().checked_add(patience))
}

/// The guest's ends of pipes, and ours.
fn pipes(stdin: &Input, outputs: [&Output; 2]) -> io::Result<(PipedStreams, [Option<OwnedFd>; 3])> {
    let mut guest = PipedStreams::default();
    let mut ours = [None, None, None];
    let [our_stdin, our_stdout, our_stderr] = &mut ours;
    if *stdin == Input::Piped {
        let (reader, writer) = io::pipe()?;
        (guest.stdin, *our_stdin) = (Some(reader.into()), Some(OwnedFd::from(writer)));
    }
    for (output, theirs, ours) in
        [(outputs[0], &mut guest.stdout, our_stdout), (outputs[1], &mut guest.stderr, our_stderr)]
    {
        if *output == Output::Piped {
            let (reader, writer) = io::pipe()?;
            (*theirs, *ours) = (Some(writer.into()), Some(OwnedFd::from(reader)));
        }
    }
    Ok((guest, ours))
}
