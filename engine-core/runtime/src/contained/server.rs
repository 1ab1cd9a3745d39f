//! A server as a container's first process: the supervisor that [`serve`](crate::serve) has on any machine, with its workers below it.
//!
//! Signals reach it as they reach any program that handles them, so whoever is outside passes them on as they are.

use crate::ready::{Ready, ReadyCode};
use crate::serve::{self, Server, Terms};
use crate::worker::report::Report;
use crate::worker::{self, WorkerSetup, above_standard_streams};
use crate::{ServeEvent, Served};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use wasmrt_host::HostRoot;
use wasmrt_model::component::{AccessLog, ServeLimits};
use wasmrt_model::words::Voice;
use wasmrt_model::{Error, ErrorKind, ExitStatus, Result};

/// How a component that answers requests is served in a container.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ContainedServer {
    /// Where requests come from: at the first of these addresses whose family there is.
    pub addresses: Vec<SocketAddr>,
    /// The bounds of requests.
    pub limits: ServeLimits,
    /// What is told of each request, on standard error.
    pub access_log: AccessLog,
    /// How requests that went wrong are told there.
    pub voice: Voice,
    /// What is said there of what happens to the server; None is nothing.
    pub words: fn(&ServeEvent) -> Option<String>,
}

impl ContainedServer {
    /// The usual limits at these addresses, without a word.
    #[must_use]
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        let (limits, access_log, voice) = (ServeLimits::default(), AccessLog::default(), Voice::default());
        Self { addresses, limits, access_log, voice, words: |_| None }
    }
}

/// A server that is ready to run in whatever process enters it.
pub(super) struct ServerJob {
    /// Until it is entered, which happens once.
    ready: RefCell<Option<Ready>>,
    server: ContainedServer,
}

impl ServerJob {
    /// # Errors
    /// When its native code cannot be passed on.
    pub(super) fn new(mut ready: Ready, server: ContainedServer) -> Result<Self> {
        ready.code.let_others_read()?;
        if let ReadyCode::Artifact(file) = &mut ready.code {
            let copy = above_standard_streams(file.as_fd());
            *file = File::from(copy.map_err(|source| Error::io("cannot pass native code on to a container", source))?);
        }
        Ok(Self { ready: RefCell::new(Some(ready)), server })
    }

    /// Whether it imports anything.
    pub(super) fn imports_anything(&self) -> bool {
        self.ready.borrow().as_ref().is_some_and(|ready| super::imports_anything(&ready.info))
    }

    /// Serves until it is told to stop.
    pub(super) fn carry_out(&self, report: &OwnedFd) -> Result<Report> {
        let signals = serve::take_signals()?;
        let ready = self.ready.borrow_mut().take();
        let ready = ready.ok_or_else(|| Error::new(ErrorKind::Internal, "a server was entered twice"))?;
        let ContainedServer { addresses, limits, access_log, voice, words } = &self.server;
        let listeners = serve::listen_at_first(addresses)?;
        let opens_files = !ready.plan.preopens().is_empty();
        let terms = Terms { limits: *limits, access_log: *access_log, voice: *voice, threads: None };
        let server = Server::new(ready, &listeners, HostRoot::Allow, terms)?;
        let mut keep = server.descriptors();
        keep.push(signals.descriptor());
        // What it keeps is what its workers are given, and they give up the rest.
        let setup = WorkerSetup { keep, opens_files, binds_ports: true, ..WorkerSetup::default() };
        worker::give_up_everything(&setup, report)?;
        let mut log = above_standard_streams(server.log())
            .map(File::from)
            .map_err(|source| Error::io("cannot hold on to standard error", source))?;
        let mut events = |event: ServeEvent| {
            if let Some(line) = words(&event) {
                // Nobody may listen.
                let _ = log.write_all(line.as_bytes());
            }
        };
        Ok(Report::ended(match server.serve(&signals, &mut events)? {
            Served::Stopped => ExitStatus::Exited { code: 0 },
            Served::Killed { signal } => ExitStatus::Signaled { signal },
        }))
    }
}
