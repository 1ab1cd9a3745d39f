//! One run, between JavaScript and the [hub](crate::hub) that starts it and waits for it.
//!
//! Locks are held for moments only: nothing that takes time happens under one, since JavaScript's thread takes them too.

use crate::answer::{Answer, Deferred};
use crate::hub;
use napi::Env;
use napi::bindgen_prelude::Object;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use wasmrt_runtime::model::{Error, ErrorKind, Outcome, Result, RunSpec};
use wasmrt_runtime::{Embedder, Module, PipedStreams, PublishedAt, Run};

/// What it takes to start a run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) embedder: Embedder,
    /// Tells embedders apart.
    pub(crate) owner: u64,
    pub(crate) module: Module,
    pub(crate) spec: RunSpec,
    pub(crate) piped: PipedStreams,
    /// How long it may wait for a place. None: for ever.
    pub(crate) until: Option<Instant>,
}

/// A run from the moment at which it was asked for.
pub(crate) struct Ticket(Mutex<Stage>);

#[derive(Default)]
struct Stage {
    job: Option<Job>,
    run: Option<Arc<Run>>,
    cancelled: bool,
    waiting: Option<Deferred>,
    /// Whether somebody waits, or has waited, for its end.
    waited_for: bool,
    ended: Option<Result<Outcome>>,
    /// The ports that the system chose, once all are known.
    published: Option<Result<Vec<PublishedAt>>>,
    /// Who wants to know them.
    curious: Vec<Deferred>,
}

impl Ticket {
    pub(crate) fn new(job: Job) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Stage { job: Some(job), ..Stage::default() })))
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A promise of its end. To be had once.
    pub(crate) fn wait<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = crate::answer::promise::<Answer>(env)?;
        let mut stage = self.stage();
        stage.waited_for = true;
        match stage.ended.take() {
            None => stage.waiting = Some(deferred),
            Some(ended) => {
                drop(stage);
                settle(deferred, ended);
            }
        }
        Ok(promise)
    }

    /// A promise of the ports that the system chose.
    pub(crate) fn published<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = crate::answer::promise::<Answer>(env)?;
        let mut stage = self.stage();
        match &stage.published {
            None => stage.curious.push(deferred),
            Some(published) => {
                let answer = Answer::of_result(published);
                drop(stage);
                tell(deferred, answer);
            }
        }
        Ok(promise)
    }

    /// Ends it: it fails as cancelled, unless its end came first.
    pub(crate) fn cancel(&self) {
        let mut stage = self.stage();
        stage.cancelled = true;
        match stage.run.clone() {
            Some(run) => {
                drop(stage);
                run.cancel();
            }
            None => {
                let waits = stage.job.is_some();
                drop(stage);
                if waits {
                    hub::wake();
                }
            }
        }
    }

    /// Nobody can ask for its end any more: ends it, unless somebody has asked already.
    pub(crate) fn abandon(&self) {
        if !self.stage().waited_for {
            self.cancel();
        }
    }

    /// The job, to be started. Err when it is cancelled.
    pub(super) fn take_job(&self) -> Result<Option<Job>> {
        let mut stage = self.stage();
        if stage.cancelled {
            stage.job = None;
            return Err(Error::new(ErrorKind::Cancelled, "the run was cancelled before it started"));
        }
        Ok(stage.job.take())
    }

    /// There was no place for it.
    pub(super) fn put_back(&self, job: Job) {
        self.stage().job = Some(job);
    }

    pub(super) fn started(&self, run: &Arc<Run>) {
        let mut stage = self.stage();
        stage.run = Some(Arc::clone(run));
        let cancelled = stage.cancelled;
        drop(stage);
        if cancelled {
            run.cancel();
        }
    }

    /// All ports are known that the system chose, or nobody will tell of more.
    pub(super) fn heard(&self, published: Result<Vec<PublishedAt>>) {
        let mut stage = self.stage();
        let curious = std::mem::take(&mut stage.curious);
        let published = stage.published.insert(published);
        let told: Vec<_> = curious.into_iter().map(|deferred| (deferred, Answer::of_result(published))).collect();
        drop(stage);
        for (deferred, answer) in told {
            tell(deferred, answer);
        }
    }

    pub(super) fn ended(&self, ended: Result<Outcome>) {
        let mut stage = self.stage();
        stage.run = None;
        match stage.waiting.take() {
            None => stage.ended = Some(ended),
            Some(deferred) => {
                drop(stage);
                settle(deferred, ended);
            }
        }
    }
}

fn settle(deferred: Deferred, ended: Result<Outcome>) {
    tell(deferred, Answer::of_run(ended));
}

fn tell(deferred: Deferred, answer: Answer) {
    deferred.resolve(Box::new(move |_| Ok(answer)));
}
