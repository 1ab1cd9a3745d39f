//! Reads a function body once and keeps what metering acts on: where control goes, what it costs to get there, and what lies ahead.

use super::cost;
use crate::bounds::page_bytes_log2;
use crate::outline::Outline;
use crate::refusal::Result;
use wasmparser::types::TypesRef;
use wasmparser::{BlockType, Catch, FuncType, FunctionBody, Operator, ValType};

/// After how much straight code without anything to act on a place to check is put in.
const CHECKPOINT_EVERY: u64 = 10_000;

/// An instruction that metering acts on, or a place between instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Where it starts, in the body.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The fixed cost of the instructions since the event before, its own included.
    pub(crate) cost: u64,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What kind of event. Blocks and lists are numbers into the [`Scan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// block, loop, if, try, try_table.
    Open(usize),
    /// else.
    Else,
    /// catch, catch_all.
    Handler,
    /// end, delegate.
    Close,
    /// br.
    Branch(u32),
    /// br_if.
    BranchIf(u32),
    /// br_on_*: conditional, and with the operand on the stack.
    BranchOn(u32),
    /// br_table, to these labels.
    BranchTable(usize),
    /// return.
    Return,
    /// unreachable.
    Trap,
    /// throw, throw_ref, rethrow.
    Throw,
    /// call.
    Call(u32),
    /// call_indirect, call_ref: by type.
    CallThrough(u32),
    /// return_call.
    TailCall(u32),
    /// return_call_indirect, return_call_ref: by type.
    TailCallThrough(u32),
    /// An instruction whose cost depends on the length on top of the stack.
    Bulk {
        /// The scale of the length; None when its cost is already counted.
        scale: Option<i64>,
        /// Whether the length is an i64.
        is_64: bool,
        /// What grows, if it is a grow instruction.
        grows: Grows,
    },
    /// No instruction: a place in a long stretch of code.
    Checkpoint,
}

/// What an instruction grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grows {
    /// Nothing.
    Nothing,
    /// The memory with this index.
    Memory(u32),
    /// The table with this index.
    Table(u32),
}

/// What opens a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// block, try_table.
    Block,
    /// loop.
    Loop,
    /// if.
    If,
    /// try, as first proposed.
    Try,
}

/// What is known of a block before its code is looked at again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// What opens it.
    pub(crate) shape: Shape,
    /// Whether a branch to it carries values.
    pub(crate) carries: bool,
    /// Whether a br_table goes to it.
    pub(crate) in_table: bool,
    /// Whether exceptions arrive at it.
    pub(crate) catches: bool,
    /// Whether it is an `if` with an `else`.
    pub(crate) has_else: bool,
}

/// What was found in a function body.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The events, in order.
    pub(crate) events: Vec<Event>,
    /// The blocks, by the order of their opening.
    pub(crate) blocks: Vec<Block>,
    /// Lists of labels of br_table.
    pub(crate) tables: Vec<Vec<u32>>,
    /// Where the instructions start in the body.
    pub(crate) code_start: usize,
    /// How many locals there are besides parameters.
    pub(crate) locals: u64,
    /// How many values come onto the stack several at a time: as results of calls and blocks. No code says each of them.
    pub(crate) values: u64,
    /// Whether a function of the module may be called, by name or through a reference.
    pub(crate) calls: bool,
    open: Vec<usize>,
}

/// What a scan has to know of the module.
#[derive(Clone, Copy)]
pub(crate) struct Module<'a> {
    /// Its memories and tables.
    pub(crate) outline: &'a Outline<'a>,
    /// Its types.
    pub(crate) types: TypesRef<'a>,
    /// How many functions it imports.
    pub(crate) imported_functions: u32,
}

impl Scan {
    /// Whether the function has a loop.
    pub(crate) fn has_loops(&self) -> bool {
        self.blocks.iter().any(|block| block.shape == Shape::Loop)
    }

    /// Reads a body, in place of what was read before.
    pub(crate) fn read(&mut self, body: &FunctionBody<'_>, module: &Module<'_>) -> Result<()> {
        self.events.clear();
        self.blocks.clear();
        self.tables.clear();
        self.open.clear();
        (self.locals, self.values) = (0, 0);
        self.calls = false;
        for group in body.get_locals_reader()? {
            self.locals += u64::from(group?.0);
        }
        let base = body.range().start;
        let mut operators = body.get_operators_reader()?;
        self.code_start = operators.original_position() - base;
        let mut cost = 0;
        // The constant that the instruction before has put on the stack.
        let mut constant = None;
        while !operators.eof() {
            let start = operators.original_position() - base;
            let operator = operators.read()?;
            let end = operators.original_position() - base;
            cost += cost::fixed(&operator);
            let mut kind = self.kind(&operator, module);
            // A length that is known, and small, is part of the fixed cost.
            if let (Some(Kind::Bulk { scale: Some(scale), is_64, grows }), Some(length)) = (kind, constant)
                && cost::scaled(length, scale) <= CHECKPOINT_EVERY
            {
                cost += cost::scaled(length, scale);
                kind = (grows != Grows::Nothing).then_some(Kind::Bulk { scale: None, is_64, grows });
            }
            constant = match operator {
                Operator::I32Const { value } => Some(u64::from(value.cast_unsigned())),
                Operator::I64Const { value } => Some(value.cast_unsigned()),
                _ => None,
            };
            let event = match kind {
                Some(kind) => Event { start, end, cost, kind },
                None if cost > CHECKPOINT_EVERY => Event { start: end, end, cost, kind: Kind::Checkpoint },
                None => continue,
            };
            cost = 0;
            self.events.push(event);
        }
        Ok(())
    }

    /// The event that an instruction is, if it is one.
    fn kind(&mut self, operator: &Operator<'_>, module: &Module<'_>) -> Option<Kind> {
        use Operator as O;
        let wide_memory = |index: u32| module.types.memory_at(index).memory64;
        let wide_table = |index: u32| module.types.table_at(index).table64;
        let bulk = |scale: i64, is_64: bool| Kind::Bulk { scale: Some(scale), is_64, grows: Grows::Nothing };
        Some(match operator {
            O::Block { blockty } => self.open(Shape::Block, *blockty, module),
            O::Loop { blockty } => self.open(Shape::Loop, *blockty, module),
            O::If { blockty } => self.open(Shape::If, *blockty, module),
            O::Try { blockty } => self.open(Shape::Try, *blockty, module),
            O::TryTable { try_table } => {
                // Labels are counted from outside the block.
                for catch in &try_table.catches {
                    let (Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label }) = catch;
                    if let Some(block) = self.target(*label) {
                        block.catches = true;
                    }
                }
                self.open(Shape::Block, try_table.ty, module)
            }
            O::Else => {
                if let Some(block) = self.target(0) {
                    block.has_else = true;
                }
                Kind::Else
            }
            O::Catch { .. } | O::CatchAll => Kind::Handler,
            O::End | O::Delegate { .. } => {
                self.open.pop();
                Kind::Close
            }
            O::Br { relative_depth } => Kind::Branch(*relative_depth),
            O::BrIf { relative_depth } => Kind::BranchIf(*relative_depth),
            O::BrOnNull { relative_depth }
            | O::BrOnNonNull { relative_depth }
            | O::BrOnCast { relative_depth, .. }
            | O::BrOnCastFail { relative_depth, .. } => Kind::BranchOn(*relative_depth),
            O::BrTable { targets } => {
                let mut labels: Vec<u32> = targets.targets().map_while(Result::ok).collect();
                labels.push(targets.default());
                labels.sort_unstable();
                labels.dedup();
                for label in &labels {
                    if let Some(block) = self.target(*label) {
                        block.in_table = true;
                    }
                }
                self.tables.push(labels);
                Kind::BranchTable(self.tables.len() - 1)
            }
            O::Return => Kind::Return,
            O::Unreachable => Kind::Trap,
            O::Throw { .. } | O::ThrowRef | O::Rethrow { .. } => Kind::Throw,
            O::Call { function_index } => {
                self.calls |= *function_index >= module.imported_functions;
                self.come(module.types[module.types.core_function_at(*function_index)].unwrap_func().results());
                Kind::Call(*function_index)
            }
            O::CallIndirect { type_index, .. } | O::CallRef { type_index } => {
                self.calls = true;
                self.come(signature(*type_index, module).results());
                Kind::CallThrough(*type_index)
            }
            O::ReturnCall { function_index } => {
                self.calls |= *function_index >= module.imported_functions;
                Kind::TailCall(*function_index)
            }
            O::ReturnCallIndirect { type_index, .. } | O::ReturnCallRef { type_index } => {
                self.calls = true;
                Kind::TailCallThrough(*type_index)
            }
            O::MemoryFill { mem } => bulk(cost::BYTE_SCALE, wide_memory(*mem)),
            O::MemoryCopy { dst_mem, src_mem } => {
                bulk(cost::BYTE_SCALE, wide_memory(*dst_mem) && wide_memory(*src_mem))
            }
            O::MemoryInit { .. } => bulk(cost::BYTE_SCALE, false),
            O::TableFill { table } => bulk(cost::ELEMENT_SCALE, wide_table(*table)),
            O::TableCopy { dst_table, src_table } => {
                bulk(cost::ELEMENT_SCALE, wide_table(*dst_table) && wide_table(*src_table))
            }
            O::TableInit { .. }
            | O::ArrayNew { .. }
            | O::ArrayNewDefault { .. }
            | O::ArrayNewData { .. }
            | O::ArrayNewElem { .. }
            | O::ArrayFill { .. }
            | O::ArrayCopy { .. }
            | O::ArrayInitData { .. }
            | O::ArrayInitElem { .. } => bulk(cost::ELEMENT_SCALE, false),
            O::MemoryGrow { mem } => {
                let memory = module.types.memory_at(*mem);
                let scale = cost::page_scale(page_bytes_log2(&memory));
                Kind::Bulk { scale: Some(scale), is_64: memory.memory64, grows: Grows::Memory(*mem) }
            }
            O::TableGrow { table } => {
                Kind::Bulk { scale: Some(cost::ELEMENT_SCALE), is_64: wide_table(*table), grows: Grows::Table(*table) }
            }
            _ => return None,
        })
    }

    fn open(&mut self, shape: Shape, block_type: BlockType, module: &Module<'_>) -> Kind {
        let carries = match (shape, block_type) {
            (_, BlockType::Empty) | (Shape::Loop, BlockType::Type(_)) => false,
            (_, BlockType::Type(_)) => true,
            (_, BlockType::FuncType(index)) => {
                let signature = signature(index, module);
                self.come(signature.params());
                self.come(signature.results());
                !if shape == Shape::Loop { signature.params() } else { signature.results() }.is_empty()
            }
        };
        let number = self.blocks.len();
        self.blocks.push(Block { shape, carries, in_table: false, catches: false, has_else: false });
        self.open.push(number);
        Kind::Open(number)
    }

    /// Counts values that one instruction puts on the stack.
    fn come(&mut self, types: &[ValType]) {
        if types.len() > 1 {
            self.values = self.values.saturating_add(u64::try_from(types.len()).unwrap_or(u64::MAX));
        }
    }

    /// The open block that a label means. None for the function itself.
    fn target(&mut self, label: u32) -> Option<&mut Block> {
        let from_inside = usize::try_from(label).ok()?;
        let number = *self.open.iter().rev().nth(from_inside)?;
        self.blocks.get_mut(number)
    }
}

/// The function type with this index.
fn signature<'a>(index: u32, module: &'a Module<'_>) -> &'a FuncType {
    module.types[module.types.core_type_at_in_module(index)].unwrap_func()
}
