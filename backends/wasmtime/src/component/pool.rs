//! Room for instances that is mapped once: a server's instances then cost no system calls to make, and little to clean.
//!
//! A matter of speed alone: the sums over one instance are kept elsewhere, and where there is no pool instances are made one by one.

use wasmrt_model::component::Pool;
use wasmtime::PoolingAllocationConfig;
use wasmtime::component::Component;

/// What of a memory is cleaned by writing over it rather than by giving it back: what a small request touches.
const RESIDENT_BYTES: usize = 64 << 10;

/// The memories that all instances may have at a time. Each reserves 4 GiB of the 128 TiB of addresses that a process has.
const MOST_MEMORIES: u32 = 8_192;

/// The table elements that all instances may have at a time: 8 bytes each, which are mapped at the start.
const MOST_ELEMENTS: usize = 256 << 20;

/// Core instances are only counted.
const MOST_CORE_INSTANCES: u32 = 1 << 20;

/// A memory in the pool has to fit its reservation.
const MOST_BYTES: u64 = 4 << 30;

/// The pool for instances of this component; None when there is none that would do.
pub(crate) fn of(component: &Component, pool: Pool) -> Option<PoolingAllocationConfig> {
    let resources = component.resources_required()?;
    let instances = u32::try_from(pool.instances).ok()?;
    let memories = instances.checked_mul(resources.num_memories).filter(|memories| *memories <= MOST_MEMORIES)?;
    let tables = instances.checked_mul(resources.num_tables)?;
    let memory_bytes = usize::try_from(pool.memory_bytes.filter(|bytes| *bytes <= MOST_BYTES)?).ok()?;
    let elements = usize::try_from(pool.table_elements?).ok()?;
    elements.checked_mul(usize::try_from(tables).ok()?).filter(|elements| *elements <= MOST_ELEMENTS)?;
    let mut config = PoolingAllocationConfig::new();
    config
        .total_component_instances(instances)
        .total_core_instances(MOST_CORE_INSTANCES)
        .total_memories(memories)
        .total_tables(tables)
        .total_stacks(instances)
        .total_gc_heaps(instances)
        .max_memory_size(memory_bytes)
        .table_elements(elements)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES);
    Some(config)
}
