//! What goes over a guest's connections, whoever made them: how much has gone, and what ends the guest.

use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;
use wasmrt_host::Volume;
use wasmrt_model::component::UsageCounter;
use wasmrt_model::{LimitKind, RunPlan};

/// Bytes both ways.
pub(in super::super) struct Traffic {
    received: Volume,
    sent: Volume,
    usage: Arc<dyn UsageCounter>,
    /// The limit that was found to be reached where no call of the guest's could be told so.
    over: OnceLock<LimitKind>,
    told: Notify,
}

impl Traffic {
    pub(super) fn new(plan: &RunPlan, usage: Arc<dyn UsageCounter>) -> Self {
        let limits = plan.limits();
        Self {
            received: Volume::new(limits.received_bytes, LimitKind::ReceivedBytes),
            sent: Volume::new(limits.sent_bytes, LimitKind::SentBytes),
            usage,
            over: OnceLock::new(),
            told: Notify::new(),
        }
    }

    /// How many bytes may still be received of as many.
    pub(in super::super) fn may_receive(&self, wanted: usize) -> Result<usize, LimitKind> {
        self.received.allowed(wanted)
    }

    /// How many bytes may still be sent of as many.
    pub(in super::super) fn may_send(&self, wanted: usize) -> Result<usize, LimitKind> {
        self.sent.allowed(wanted)
    }

    /// Notes what was received.
    pub(in super::super) fn received(&self, bytes: usize) {
        self.usage.received_bytes(self.received.count(bytes));
    }

    /// Notes what was sent.
    pub(in super::super) fn sent(&self, bytes: usize) {
        self.usage.sent_bytes(self.sent.count(bytes));
    }

    /// Ends the guest, from a task that is none of its calls.
    pub(in super::super) fn end(&self, limit: LimitKind) {
        let _by_the_first = self.over.set(limit);
        self.told.notify_one();
    }

    /// Waits until [`end`](Self::end) is called, which may be never. For one waiter.
    pub(in super::super) async fn over(&self) -> LimitKind {
        loop {
            if let Some(limit) = self.over.get() {
                return *limit;
            }
            self.told.notified().await;
        }
    }
}
