//! What all instances of a component may take together: wasmtime asks before each growth, of memories, tables and the heap of
//! objects. The guard has bounded each module by itself; how often a module is instantiated is known only here.

use std::sync::Arc;
use wasmrt_model::component::UsageCounter;
use wasmrt_model::units::Bytes;
use wasmrt_model::{Limits, RunPlan};
use wasmtime::ResourceLimiter;

/// Core instances in one store. Each takes a little of the worker's own memory.
const INSTANCES: usize = 1_000;
/// Linear memories in one store. Each takes 4 GiB of address space.
const MEMORIES: usize = 100;
/// Tables in one store.
const TABLES: usize = 1_000;

/// More than a process can address.
const ADDRESSABLE: usize = 1 << 47;

/// The sums over one store.
pub(super) struct Sums {
    most_bytes: u64,
    most_elements: u64,
    bytes: u64,
    elements: u64,
    /// The growth of memory that was allowed last: wasmtime says when it failed after all, not which one it was.
    last: u64,
    /// Why something could not be made at all.
    refused: Option<String>,
    usage: Arc<dyn UsageCounter>,
}

impl Sums {
    pub(super) fn new(plan: &RunPlan, usage: Arc<dyn UsageCounter>) -> Self {
        let Limits { memory_bytes, table_elements, .. } = plan.limits();
        Self {
            most_bytes: memory_bytes.bound().map_or(u64::MAX, |bytes| bytes.0),
            most_elements: table_elements.bound().map_or(u64::MAX, |elements| elements.0),
            bytes: 0,
            elements: 0,
            last: 0,
            refused: None,
            usage,
        }
    }

    /// Bytes over all memories and the heap of objects.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The memory or table that was too large to be made, in words.
    pub(super) fn refused_at_start(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Sums {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > maximum.unwrap_or(ADDRESSABLE).min(ADDRESSABLE) {
            return Ok(false);
        }
        let growth = wide(desired).saturating_sub(wide(current));
        let bytes = self.bytes.saturating_add(growth);
        if bytes > self.most_bytes {
            if current == 0 {
                self.refused =
                    Some(format!("bytes of memory at the start: {}, at most {}", Bytes(bytes), Bytes(self.most_bytes)));
            }
            return Ok(false);
        }
        (self.bytes, self.last) = (bytes, growth);
        self.usage.memory_bytes(bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Only the operating system's refusal takes back what was allowed; of others nothing was asked.
        if error.is::<rustix::io::Errno>() || error.is::<std::io::Error>() {
            self.bytes = self.bytes.saturating_sub(std::mem::take(&mut self.last));
        }
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(wide(desired).saturating_sub(wide(current)));
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if elements > self.most_elements {
            if current == 0 {
                self.refused = Some(format!("table elements at the start: {elements}, at most {}", self.most_elements));
            }
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
