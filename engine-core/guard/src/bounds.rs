//! Keeps the sum over all memories, and the sum over all tables, within their limits.
//!
//! Where at most one of them can grow, lowering its maximum is exact. Where several can, and together beyond the limit, no choice
//! of maxima is: a hidden counter of what is left then decides at every grow instruction ([`grow`](crate::grow)).

use crate::outline::{Memory, Outline, Table};
use crate::refusal::{Refusal, Result};
use std::fmt;
use wasm_encoder::Encode;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::MemoryType;
use wasmrt_model::{Limit, units};

/// The page size that memories have unless they say otherwise, as a power of two.
const PAGE_BYTES_LOG2: u32 = 16;

/// The page size of a memory, as a power of two.
pub(crate) fn page_bytes_log2(memory: &MemoryType) -> u32 {
    memory.page_size_log2.unwrap_or(PAGE_BYTES_LOG2)
}

/// Something that grows: a memory in pages, or a table in elements.
#[derive(Debug, Clone, Copy)]
struct Growable {
    imported: bool,
    minimum: u64,
    maximum: Option<u64>,
    /// What its type allows at most.
    natural: u64,
    /// What one of its units counts against the limit, as a power of two.
    weight_log2: u32,
}

/// What holds for all memories, or all tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The maxima that the engine gets, imported ones first.
    pub(crate) maxima: Vec<Option<u64>>,
    /// Whether one of them differs from what the module says.
    pub(crate) lowered: bool,
    /// What may still be added at the start, where that has to be counted while the module runs.
    pub(crate) counter: Option<u64>,
}

/// The bound of all memories: their maxima in pages, the counter in bytes.
pub(crate) fn memories(memories: &[Memory], limit: Limit<units::Bytes>) -> Result<Bound> {
    let growable = |memory: &Memory| {
        let weight_log2 = page_bytes_log2(&memory.memory_type);
        let address_bits = if memory.memory_type.memory64 { 64 } else { 32 };
        Growable {
            imported: memory.imported,
            minimum: memory.memory_type.initial,
            maximum: memory.memory_type.maximum,
            natural: u64::try_from((1u128 << address_bits) >> weight_log2).unwrap_or(u64::MAX),
            weight_log2,
        }
    };
    bound(memories.iter().map(growable), limit.bound().map(|bytes| bytes.0), &|sum, limit| {
        let limit = units::Bytes(limit);
        match u64::try_from(sum) {
            Ok(sum) => Refusal::above("bytes of memory at the start", units::Bytes(sum), limit),
            Err(_) => Refusal::above("bytes of memory at the start", sum, limit),
        }
    })
}

/// The bound of all tables, in elements.
pub(crate) fn tables(tables: &[Table<'_>], limit: Limit<units::Count>) -> Result<Bound> {
    let growable = |table: &Table<'_>| Growable {
        imported: table.imported,
        minimum: table.table_type.initial,
        maximum: table.table_type.maximum,
        natural: if table.table_type.table64 { u64::MAX } else { u64::from(u32::MAX) },
        weight_log2: 0,
    };
    bound(tables.iter().map(growable), limit.bound().map(|count| count.0), &|sum, limit| {
        Refusal::above("table elements at the start", sum, limit)
    })
}

fn bound(
    all: impl Iterator<Item = Growable> + Clone,
    limit: Option<u64>,
    refuse: &dyn Fn(u128, u64) -> Refusal,
) -> Result<Bound> {
    let Some(limit) = limit else {
        return Ok(Bound { maxima: all.map(|one| one.maximum).collect(), lowered: false, counter: None });
    };
    let at_start: u128 = all.clone().map(|one| u128::from(one.minimum) << one.weight_log2).sum();
    let left = match u64::try_from(at_start).ok().and_then(|at_start| limit.checked_sub(at_start)) {
        Some(left) => left,
        None => return Err(refuse(at_start, limit)),
    };
    let mut result = Bound::default();
    let mut growing = 0usize;
    let mut growth: u128 = 0;
    for one in all {
        let declared = one.maximum.unwrap_or(one.natural).min(one.natural);
        let reachable = one.minimum.saturating_add(left >> one.weight_log2);
        let maximum = declared.min(reachable);
        if maximum > one.minimum {
            growing += 1;
            growth += u128::from(maximum - one.minimum) << one.weight_log2;
        }
        // What is imported is not ours to change; there the counter alone decides.
        let lowered = maximum < declared && !one.imported;
        result.lowered |= lowered;
        result.maxima.push(if lowered { Some(maximum) } else { one.maximum });
    }
    if growing > 1 && growth > u128::from(left) {
        result.counter = Some(left);
    }
    Ok(result)
}

/// The content of a memory section with these maxima.
pub(crate) fn memory_section(outline: &Outline<'_>, bound: &Bound) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0u32;
    for (memory, maximum) in outline.memories.iter().zip(&bound.maxima).filter(|(memory, _)| !memory.imported) {
        let MemoryType { memory64, shared, initial, maximum: _, page_size_log2 } = memory.memory_type;
        let memory_type =
            wasm_encoder::MemoryType { minimum: initial, maximum: *maximum, memory64, shared, page_size_log2 };
        memory_type.encode(&mut entries);
        count += 1;
    }
    counted(count, entries)
}

/// The content of a table section with these maxima.
pub(crate) fn table_section(outline: &Outline<'_>, bound: &Bound) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    let mut count = 0u32;
    for (table, maximum) in outline.tables.iter().zip(&bound.maxima).filter(|(table, _)| !table.imported) {
        let mut table_type = RoundtripReencoder.table_type(table.table_type).map_err(encoder_failed)?;
        table_type.maximum = *maximum;
        match &table.init {
            None => table_type.encode(&mut entries),
            Some(init) => {
                entries.extend_from_slice(&[0x40, 0x00]);
                table_type.encode(&mut entries);
                let range = init.get_binary_reader().range();
                entries.extend_from_slice(outline.bytes.get(range).unwrap_or_default());
            }
        }
        count += 1;
    }
    Ok(counted(count, entries))
}

fn counted(count: u32, entries: Vec<u8>) -> Vec<u8> {
    let mut content = Vec::with_capacity(entries.len() + 5);
    count.encode(&mut content);
    content.extend(entries);
    content
}

/// A validated module that cannot be written again is a defect of ours.
pub(crate) fn encoder_failed(error: impl fmt::Display) -> Refusal {
    wasmrt_model::Error::new(wasmrt_model::ErrorKind::Internal, format!("cannot rewrite the module: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Growable = Growable { imported: false, minimum: 1, maximum: None, natural: 65536, weight_log2: 16 };

    fn plan(all: &[Growable], limit: u64) -> Result<Bound> {
        bound(all.iter().copied(), Some(limit), &|sum, limit| Refusal::above("units", sum, limit))
    }

    #[test]
    fn one_that_grows_is_bounded_by_its_maximum() {
        let page = 1 << 16;
        let cases = [
            (PAGE, 10 * page, Some(10)),
            (PAGE, 10 * page + 1, Some(10)),
            (PAGE, 65536 * page, None),
            (PAGE, page, Some(1)),
            (Growable { maximum: Some(5), ..PAGE }, 10 * page, Some(5)),
            (Growable { maximum: Some(50), ..PAGE }, 10 * page, Some(10)),
            (Growable { minimum: 3, weight_log2: 0, natural: u64::from(u32::MAX), ..PAGE }, 10, Some(10)),
        ];
        for (one, limit, maximum) in cases {
            let bound = plan(&[one], limit).unwrap();
            assert_eq!(bound.maxima, [maximum], "{one:?} at {limit}");
            assert_eq!(bound.counter, None);
            assert_eq!(bound.lowered, maximum != one.maximum);
        }
    }

    #[test]
    fn several_that_grow_share_a_counter_only_where_maxima_do_not_suffice() {
        let page = 1 << 16;
        let fixed = Growable { maximum: Some(1), ..PAGE };
        let bound = plan(&[fixed, PAGE, fixed], 10 * page).unwrap();
        assert_eq!((bound.maxima, bound.counter), (vec![Some(1), Some(8), Some(1)], None));
        let small = Growable { maximum: Some(3), ..PAGE };
        let bound = plan(&[small, small], 6 * page).unwrap();
        assert_eq!((bound.lowered, bound.counter), (false, None));
        let bound = plan(&[small, PAGE], 6 * page).unwrap();
        assert_eq!((bound.maxima, bound.counter), (vec![Some(3), Some(5)], Some(4 * page)));
    }

    #[test]
    fn what_is_above_the_limit_at_the_start_is_refused() {
        let page = 1 << 16;
        let huge = Growable { minimum: 1 << 48, natural: 1 << 48, ..PAGE };
        assert!(plan(&[PAGE, PAGE], 2 * page).is_ok());
        for (all, limit) in
            [(vec![PAGE, PAGE], 2 * page - 1), (vec![PAGE], 0), (vec![huge], u64::MAX), (vec![huge; 9], 7)]
        {
            let refusal = plan(&all, limit).unwrap_err();
            assert_eq!(refusal.kind(), wasmrt_model::ErrorKind::LimitExceeded);
        }
        assert!(plan(&[], 0).is_ok());
    }
}
