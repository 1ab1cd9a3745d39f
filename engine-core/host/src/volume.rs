//! Bytes that go one way over the network, and how many may: the same count for all of a guest's sockets.

use std::sync::atomic::{AtomicU64, Ordering};
use wasmrt_model::units::Bytes;
use wasmrt_model::{Limit, LimitKind};

/// Bytes that have gone one way, and how many may.
#[derive(Debug)]
pub struct Volume {
    bytes: AtomicU64,
    limit: Limit<Bytes>,
    kind: LimitKind,
}

impl Volume {
    /// None so far, of as many as the limit allows; `kind` is what a guest ends with that wants more.
    #[must_use]
    pub fn new(limit: Limit<Bytes>, kind: LimitKind) -> Self {
        Self { bytes: AtomicU64::new(0), limit, kind }
    }

    /// How many of these bytes may still go.
    ///
    /// # Errors
    /// The limit that ends the guest, when some are wanted and none may.
    pub fn allowed(&self, wanted: usize) -> Result<usize, LimitKind> {
        let gone = self.bytes.load(Ordering::Relaxed);
        let left = self.limit.bound().map_or(u64::MAX, |limit| limit.0.saturating_sub(gone));
        if left == 0 && wanted > 0 {
            return Err(self.kind);
        }
        Ok(usize::try_from(left).map_or(wanted, |left| left.min(wanted)))
    }

    /// Notes what has gone: all of it until now.
    pub fn count(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }

    /// What a guest ends with that wants more than it may.
    #[must_use]
    pub fn kind(&self) -> LimitKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_allowed_and_then_nothing() {
        let volume = Volume::new(Limit::At(Bytes(5)), LimitKind::SentBytes);
        assert_eq!(volume.allowed(3), Ok(3));
        assert_eq!(volume.count(3), 3);
        assert_eq!(volume.allowed(3), Ok(2));
        assert_eq!(volume.count(2), 5);
        assert_eq!(volume.allowed(1), Err(LimitKind::SentBytes));
        assert_eq!(volume.allowed(0), Ok(0));
        assert_eq!(Volume::new(Limit::Unlimited, LimitKind::SentBytes).allowed(usize::MAX), Ok(usize::MAX));
    }
}
