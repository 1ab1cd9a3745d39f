//! Growing where several memories, or several tables, share one limit: each grow instruction becomes a call of an injected function
//! that asks a hidden counter of what is left, and answers -1, as a failed grow does, when that is too little.

use crate::binary::Edits;
use crate::bounds::{Bound, encoder_failed, page_bytes_log2};
use crate::outline::{Outline, id};
use crate::refusal::Result;
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, ConstExpr, Encode, Function, GlobalType, ValType};

/// The index spaces of the guest, at whose ends things are injected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// One past the last type.
    pub(crate) types: u32,
    /// One past the last function.
    pub(crate) functions: u32,
    /// One past the last global.
    pub(crate) globals: u32,
}

/// The injected functions by what they grow.
#[derive(Debug, Default)]
pub(crate) struct Growers {
    /// What is called instead of `memory.grow`, by memory.
    pub(crate) memories: BTreeMap<u32, u32>,
    /// What is called instead of `table.grow`, by table.
    pub(crate) tables: BTreeMap<u32, u32>,
    /// The bodies of the injected functions, in the order of their indices.
    pub(crate) bodies: Vec<Vec<u8>>,
}

impl Growers {
    /// Injects the counters and functions that the bounds ask for, if any.
    pub(crate) fn inject(
        outline: &Outline<'_>,
        memories: &Bound,
        tables: &Bound,
        ends: &mut Ends,
        edits: &mut Edits,
    ) -> Result<Self> {
        let mut growers = Self::default();
        if let Some(left) = memories.counter {
            let counter = add_counter(left, ends, edits);
            for (index, memory) in (0..).zip(&outline.memories) {
                let size = if memory.memory_type.memory64 { ValType::I64 } else { ValType::I32 };
                let weight_log2 = page_bytes_log2(&memory.memory_type);
                let body = counted_grow(counter, size, weight_log2, 0, |function| {
                    function.instructions().local_get(0).memory_grow(index);
                });
                growers.memories.insert(index, ends.functions);
                add_function(&[size], size, ends, edits);
                growers.bodies.push(body);
            }
        }
        if let Some(left) = tables.counter {
            let counter = add_counter(left, ends, edits);
            for (index, table) in (0..).zip(&outline.tables) {
                let size = if table.table_type.table64 { ValType::I64 } else { ValType::I32 };
                let element = RoundtripReencoder.ref_type(table.table_type.element_type).map_err(encoder_failed)?;
                let body = counted_grow(counter, size, 0, 1, |function| {
                    function.instructions().local_get(0).local_get(1).table_grow(index);
                });
                growers.tables.insert(index, ends.functions);
                add_function(&[ValType::Ref(element), size], size, ends, edits);
                growers.bodies.push(body);
            }
        }
        Ok(growers)
    }

    /// Whether there is nothing to call instead.
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }
}

/// A hidden global that starts with this value. Limits are below 2^63, as address spaces are; a larger one is as good as that.
fn add_counter(left: u64, ends: &mut Ends, edits: &mut Edits) -> u32 {
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    edits.append(id::GLOBAL, |entry| {
        GlobalType { val_type: ValType::I64, mutable: true, shared: false }.encode(entry);
        ConstExpr::i64_const(left).encode(entry);
    });
    let index = ends.globals;
    ends.globals += 1;
    index
}

/// Declares a function with a type of its own.
fn add_function(params: &[ValType], result: ValType, ends: &mut Ends, edits: &mut Edits) {
    edits.append(id::TYPE, |entry| {
        entry.push(0x60);
        params.encode(entry);
        [result].as_slice().encode(entry);
    });
    edits.append(id::FUNCTION, |entry| ends.types.encode(entry));
    ends.types += 1;
    ends.functions += 1;
}

/// The body of a function that grows something by its parameter number `delta`, in units of 2^`weight_log2`, while the counter allows.
fn counted_grow(
    counter: u32,
    size: ValType,
    weight_log2: u32,
    delta: u32,
    grow: impl FnOnce(&mut Function),
) -> Vec<u8> {
    let is_64 = size == ValType::I64;
    let weight = i64::from(weight_log2);
    let widened = |function: &mut Function| {
        function.instructions().local_get(delta);
        if !is_64 {
            function.instructions().i64_extend_i32_u();
        }
    };
    let failed = |function: &mut Function| {
        if is_64 {
            function.instructions().i64_const(-1);
        } else {
            function.instructions().i32_const(-1);
        }
    };
    let answer = delta + 1;
    let mut function = Function::new([(1, size)]);
    widened(&mut function);
    function.instructions().global_get(counter).i64_const(weight).i64_shr_u().i64_gt_u().if_(BlockType::Empty);
    failed(&mut function);
    function.instructions().return_().end();
    grow(&mut function);
    function.instructions().local_tee(answer);
    failed(&mut function);
    if is_64 {
        function.instructions().i64_ne();
    } else {
        function.instructions().i32_ne();
    }
    function.instructions().if_(BlockType::Empty).global_get(counter);
    widened(&mut function);
    function.instructions().i64_const(weight).i64_shl().i64_sub().global_set(counter).end();
    function.instructions().local_get(answer).end();
    function.into_raw_body()
}
