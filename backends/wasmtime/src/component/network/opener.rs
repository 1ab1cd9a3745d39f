//! The way to the process that opens sockets, for all guests of this one. What may be opened is known there alone.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::Mutex;
use wasmrt_host::network::{Broker, Failure};

/// Whom guests ask for sockets.
#[derive(Debug, Clone)]
pub(in super::super) struct Opener {
    /// One conversation, a question at a time; None where nothing is allowed.
    broker: Option<Arc<Mutex<Broker>>>,
    /// Whether asking, which may take as long as a name server does, is for threads of its own.
    offload: bool,
}

impl Opener {
    /// Asks over this socket.
    pub(super) fn new(broker: Option<OwnedFd>, offload: bool) -> Self {
        Self { broker: broker.map(|socket| Arc::new(Mutex::new(Broker::new(socket)))), offload }
    }

    /// Asks, and waits for the answer. `rule` is what would have to be allowed where nothing is.
    pub(in super::super) async fn ask<T: Send + 'static>(
        &self,
        rule: impl FnOnce() -> String,
        question: impl FnOnce(&mut Broker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(broker) = &self.broker else { return Err(no_rules(rule)) };
        let mut broker = Arc::clone(broker).lock_owned().await;
        if !self.offload {
            return question(&mut broker);
        }
        let asked = tokio::task::spawn_blocking(move || question(&mut broker)).await;
        asked.unwrap_or_else(|_| Err(Failure::System(rustix::io::Errno::IO.raw_os_error())))
    }

    /// Asks what is answered at once. None when another guest's question is under way: [`free`](Self::free) says when to try again.
    pub(in super::super) fn ask_now<T>(
        &self,
        rule: impl FnOnce() -> String,
        question: impl FnOnce(&mut Broker) -> Result<T, Failure>,
    ) -> Option<Result<T, Failure>> {
        let Some(broker) = &self.broker else { return Some(Err(no_rules(rule))) };
        broker.try_lock().ok().map(|mut broker| question(&mut broker))
    }

    /// Waits until nobody asks.
    pub(in super::super) async fn free(&self) {
        if let Some(broker) = &self.broker {
            let _free = broker.lock().await;
        }
    }
}

fn no_rules(rule: impl FnOnce() -> String) -> Failure {
    Failure::Denied(format!("there are no network rules; `{}` would allow it", rule()))
}
