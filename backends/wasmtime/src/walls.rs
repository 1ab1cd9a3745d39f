//! What one instance may take: wasmtime asks before each growth. A second wall behind the maxima that the guard wrote
//! into the module, the only wall around the heap of garbage-collected objects, and the count of what is in use.

use wasmrt_backend::PAGE_BYTES;
use wasmrt_model::ModuleInfo;
use wasmtime::ResourceLimiter;

/// What wasmtime gives as the maximum of the heap of garbage-collected objects: all that 32 bits address.
const FOUR_GIB: u64 = 1 << 32;

/// More than a process can address. What is refused here need not fail later in one of several ways.
const ADDRESSABLE: usize = 1 << 47;

/// The walls of one instance.
///
/// wasmtime asks in the same words about a linear memory and about the heap of objects. The heap's maximum is always 4 GiB; so
/// unless one of the guest's own memories may grow that far as well, requests with this maximum are the heap's.
#[derive(Debug)]
pub(crate) struct Walls {
    /// Bytes over all memories and the heap; None when a memory has no maximum.
    total_bytes: Option<u64>,
    /// Bytes over the heap and what cannot be told from it.
    wide_bytes: u64,
    memories: usize,
    tables: usize,
    /// Elements over all tables; None when a table has no maximum.
    table_elements: Option<u64>,

    used_bytes: u64,
    used_wide_bytes: u64,
    used_elements: u64,
    /// The growth that was allowed last: wasmtime says when it failed after all, not which one it was.
    last: Growth,
}

#[derive(Debug, Clone, Copy, Default)]
struct Growth {
    bytes: u64,
    wide: bool,
}

impl Walls {
    /// The walls for an instance of this module, whose heap of objects may take `gc_heap_bytes`.
    pub(crate) fn new(info: &ModuleInfo, gc_heap_bytes: u64) -> Self {
        let maximum_bytes = |maximum: Option<u64>| maximum.map(|pages| pages.saturating_mul(PAGE_BYTES));
        let linear = info.memories.iter().map(|size| maximum_bytes(size.maximum)).try_fold(0u64, sum);
        let elements = info.tables.iter().map(|size| size.maximum).try_fold(0u64, sum);
        let as_wide_as_the_heap = info
            .memories
            .iter()
            .filter(|size| maximum_bytes(size.maximum).is_none_or(|bytes| bytes >= FOUR_GIB))
            .fold(0u64, |bytes, _| bytes.saturating_add(FOUR_GIB));
        Self {
            total_bytes: linear.map(|bytes| bytes.saturating_add(gc_heap_bytes)),
            wide_bytes: as_wide_as_the_heap.saturating_add(gc_heap_bytes),
            memories: info.memories.len(),
            tables: info.tables.len(),
            table_elements: elements,
            used_bytes: 0,
            used_wide_bytes: 0,
            used_elements: 0,
            last: Growth::default(),
        }
    }

    /// Bytes over all memories and the heap of objects.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }
}

fn sum(total: u64, next: Option<u64>) -> Option<u64> {
    next.map(|next| total.saturating_add(next))
}

/// usize is 64 bits wide wherever this is built; a value that does not fit is above every wall.
fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Walls {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > maximum.unwrap_or(ADDRESSABLE).min(ADDRESSABLE) {
            return Ok(false);
        }
        let growth =
            Growth { bytes: wide(desired).saturating_sub(wide(current)), wide: maximum.map(wide) == Some(FOUR_GIB) };
        let total = self.used_bytes.saturating_add(growth.bytes);
        let total_wide = self.used_wide_bytes.saturating_add(if growth.wide { growth.bytes } else { 0 });
        if self.total_bytes.is_some_and(|bytes| total > bytes) || total_wide > self.wide_bytes {
            return Ok(false);
        }
        (self.used_bytes, self.used_wide_bytes, self.last) = (total, total_wide, growth);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // A request beyond what the memory's type can hold is reported here too, but was never asked about: only the operating
        // system's refusal takes back what was allowed.
        if error.is::<rustix::io::Errno>() || error.is::<std::io::Error>() {
            let failed = std::mem::take(&mut self.last);
            self.used_bytes = self.used_bytes.saturating_sub(failed.bytes);
            self.used_wide_bytes = self.used_wide_bytes.saturating_sub(if failed.wide { failed.bytes } else { 0 });
        }
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.used_elements.saturating_add(wide(desired).saturating_sub(wide(current)));
        if maximum.is_some_and(|maximum| desired > maximum) || self.table_elements.is_some_and(|most| elements > most) {
            return Ok(false);
        }
        self.used_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
