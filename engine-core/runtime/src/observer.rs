//! What a caller may hear while a module is prepared and run. The words are the front-end's.

use std::time::Duration;
use wasmrt_model::{EngineName, Error, Tier};

/// Listens. Every method has an empty body, so that a listener names only what it wants to hear.
pub trait Observer {
    /// A compiler starts; the guest waits for it.
    fn compile_started(&mut self, compile: &Compiling) {
        let _ = compile;
    }
    /// The compiler is still at work after this long. Called several times a second.
    fn compile_running(&mut self, elapsed: Duration) {
        let _ = elapsed;
    }
    /// The compiler has ended, after this long, with or without success.
    fn compile_ended(&mut self, elapsed: Duration, succeeded: bool) {
        let _ = (elapsed, succeeded);
    }
    /// Something that the caller may want to tell its user. The run goes on.
    fn note(&mut self, note: &Note<'_>) {
        let _ = note;
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// A compile that starts.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Compiling {
    /// The engine whose compiler it is.
    pub engine: EngineName,
    /// The tier that it makes.
    pub tier: Tier,
    /// The size of the module.
    pub module_bytes: usize,
    /// When it is given up. None: never.
    pub time_limit: Option<Duration>,
}

/// Something worth a line to the user.
#[derive(Debug)]
#[non_exhaustive]
pub enum Note<'a> {
    /// The artifact cache cannot be used, so what is compiled is thrown away.
    CacheUnusable(&'a Error),
    /// Compiling was optional and failed; the guest is interpreted.
    InterpretedInstead(&'a Error),
    /// A published port that the system chose.
    Published {
        /// Where the machine listens.
        local: std::net::SocketAddr,
        /// What port that is to the guest.
        guest_port: u16,
        /// Connections or datagrams.
        protocol: wasmrt_model::network::Protocol,
    },
    /// The guest was interpreted for long; native code would have been much faster.
    InterpretedForLong {
        /// The engine.
        engine: EngineName,
        /// The processor time that it took.
        cpu_time: Duration,
    },
}
