//! The cost table: what each instruction costs in fuel. The only place that knows, on every engine and tier.
//!
//! | instruction | fuel |
//! |---|---|
//! | block, loop, else, end, nop, try, try_table, catch, catch_all, delegate | 0 |
//! | every other instruction, unless it stands below | 1 |
//! | call, return_call | 4 |
//! | call_indirect, call_ref and their return_ forms | 8 |
//! | integer division and remainder | 10 |
//! | float division and square root | 4 |
//! | atomic read-modify-write, compare-exchange, fence, wait, notify | 8 |
//! | struct.new, array.new in all forms, ref.cast, ref.test, br_on_cast | 8 |
//! | throw, throw_ref, rethrow | 100 |
//! | memory.grow, table.grow | 100 |
//! | memory.fill, memory.copy, memory.init, table.fill, table.copy, table.init, array.fill, array.copy, array.init_* | 8 |
//! | and on top, for what it is about: each 64 bytes of memory (rounded down), each table element, each array element | 1 |
//! | entering a function: each 4 locals (rounded down; parameters are not counted) | 1 |
//!
//! `memory.grow` is about the bytes of the new pages. What a host function does costs nothing beyond its call.

use wasmparser::Operator;
use wasmrt_model::limits::call_depth::{CODE_PER_CALL, LOCALS_PER_CALL};

/// How many calls entering a function counts for, by its locals with parameters, to which the results of calls and blocks of several
/// belong, and the bytes of its body.
pub(crate) fn calls(locals: u64, code_bytes: usize) -> i64 {
    let code_bytes = u64::try_from(code_bytes).unwrap_or(u64::MAX);
    let more = (locals / LOCALS_PER_CALL).saturating_add(code_bytes / CODE_PER_CALL);
    i64::try_from(more).unwrap_or(i64::MAX - 1) + 1
}

/// Of how many locals one unit is charged for making them zero.
const LOCALS_PER_UNIT: u64 = 4;

/// 64 bytes of memory cost one unit.
const BYTES_PER_UNIT_LOG2: u32 = 6;

/// What entering a function with this many locals costs.
pub(crate) fn entry(locals: u64) -> u64 {
    locals / LOCALS_PER_UNIT
}

/// By which power of two the pages of a memory are scaled to units: positive when a page costs several, negative when several cost one.
pub(crate) fn page_scale(page_bytes_log2: u32) -> i64 {
    i64::from(page_bytes_log2) - i64::from(BYTES_PER_UNIT_LOG2)
}

/// The scale of bytes.
pub(crate) const BYTE_SCALE: i64 = -(BYTES_PER_UNIT_LOG2 as i64);

/// The scale of table and array elements.
pub(crate) const ELEMENT_SCALE: i64 = 0;

/// What a number of bytes, pages or elements costs at this scale. Saturates.
pub(crate) fn scaled(number: u64, scale: i64) -> u64 {
    match u32::try_from(scale) {
        Ok(up) if up > number.leading_zeros() => u64::MAX,
        Ok(up) => number << up,
        Err(_) => u32::try_from(scale.unsigned_abs()).ok().and_then(|down| number.checked_shr(down)).unwrap_or(0),
    }
}

/// What an instruction costs, without what depends on lengths that are known only when it is executed.
pub(crate) fn fixed(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::Nop
        | O::Block { .. }
        | O::Loop { .. }
        | O::Else
        | O::End
        | O::Try { .. }
        | O::TryTable { .. }
        | O::Catch { .. }
        | O::CatchAll
        | O::Delegate { .. } => 0,

        O::Call { .. } | O::ReturnCall { .. } => 4,
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } | O::CallRef { .. } | O::ReturnCallRef { .. } => 8,

        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 10,

        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt | O::F32x4Div | O::F64x2Div | O::F32x4Sqrt | O::F64x2Sqrt => 4,

        O::ArrayNewFixed { array_size, .. } => 8 + u64::from(*array_size),
        O::StructNew { .. }
        | O::StructNewDefault { .. }
        | O::ArrayNew { .. }
        | O::ArrayNewDefault { .. }
        | O::ArrayNewData { .. }
        | O::ArrayNewElem { .. }
        | O::RefTestNonNull { .. }
        | O::RefTestNullable { .. }
        | O::RefCastNonNull { .. }
        | O::RefCastNullable { .. }
        | O::BrOnCast { .. }
        | O::BrOnCastFail { .. } => 8,

        O::Throw { .. } | O::ThrowRef | O::Rethrow { .. } => 100,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 100,

        O::MemoryFill { .. }
        | O::MemoryCopy { .. }
        | O::MemoryInit { .. }
        | O::TableFill { .. }
        | O::TableCopy { .. }
        | O::TableInit { .. }
        | O::ArrayFill { .. }
        | O::ArrayCopy { .. }
        | O::ArrayInitData { .. }
        | O::ArrayInitElem { .. } => 8,

        other if is_atomic_update(other) => 8,
        _ => 1,
    }
}

macro_rules! atomic_updates {
    ($($variant:ident)*) => {
        fn is_atomic_update(operator: &Operator<'_>) -> bool {
            matches!(operator, Operator::AtomicFence $(| Operator::$variant { .. })*)
        }
    };
}

atomic_updates! {
    MemoryAtomicNotify MemoryAtomicWait32 MemoryAtomicWait64
    I32AtomicRmwAdd I64AtomicRmwAdd I32AtomicRmw8AddU I32AtomicRmw16AddU I64AtomicRmw8AddU I64AtomicRmw16AddU I64AtomicRmw32AddU
    I32AtomicRmwSub I64AtomicRmwSub I32AtomicRmw8SubU I32AtomicRmw16SubU I64AtomicRmw8SubU I64AtomicRmw16SubU I64AtomicRmw32SubU
    I32AtomicRmwAnd I64AtomicRmwAnd I32AtomicRmw8AndU I32AtomicRmw16AndU I64AtomicRmw8AndU I64AtomicRmw16AndU I64AtomicRmw32AndU
    I32AtomicRmwOr I64AtomicRmwOr I32AtomicRmw8OrU I32AtomicRmw16OrU I64AtomicRmw8OrU I64AtomicRmw16OrU I64AtomicRmw32OrU
    I32AtomicRmwXor I64AtomicRmwXor I32AtomicRmw8XorU I32AtomicRmw16XorU I64AtomicRmw8XorU I64AtomicRmw16XorU I64AtomicRmw32XorU
    I32AtomicRmwXchg I64AtomicRmwXchg I32AtomicRmw8XchgU I32AtomicRmw16XchgU I64AtomicRmw8XchgU I64AtomicRmw16XchgU
    I64AtomicRmw32XchgU
    I32AtomicRmwCmpxchg I64AtomicRmwCmpxchg I32AtomicRmw8CmpxchgU I32AtomicRmw16CmpxchgU I64AtomicRmw8CmpxchgU
    I64AtomicRmw16CmpxchgU I64AtomicRmw32CmpxchgU
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_functions_count_as_several_calls() {
        assert_eq!(calls(0, 0), 1);
        assert_eq!(calls(LOCALS_PER_CALL - 1, 4095), 1);
        assert_eq!(calls(LOCALS_PER_CALL, 4096), 3);
        assert_eq!(calls(50_000, 1 << 20), 1 + 195 + 256);
    }

    #[test]
    fn lengths_are_scaled_and_never_wrap() {
        assert_eq!(scaled(63, BYTE_SCALE), 0);
        assert_eq!(scaled(64, BYTE_SCALE), 1);
        assert_eq!(scaled(u64::MAX, BYTE_SCALE), u64::MAX >> 6);
        assert_eq!(scaled(1, page_scale(16)), 1024);
        assert_eq!(scaled(u64::MAX, page_scale(16)), u64::MAX);
        assert_eq!(scaled(64, page_scale(0)), 1);
        assert_eq!(scaled(7, ELEMENT_SCALE), 7);
    }
}
