//! Random guests that end by themselves and never trap, full of ways from block to block.

use arbitrary::{Result, Unstructured};
use wasm_encoder::{
    BlockType, Catch, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstructionSink, MemorySection, MemoryType,
    Module, RefType, TableSection, TableType, TagKind, TagSection, TagType, TypeSection, ValType,
};

/// The steps (loop iterations and calls) that a guest takes before it only returns.
const STEPS: i32 = 150;
const IMPORTED: u32 = 1;
const STEPS_GLOBAL: u32 = 0;
const TRACE_GLOBAL: u32 = 1;

/// What a guest may contain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// throw and try_table.
    pub(super) exceptions: bool,
    /// return_call and return_call_indirect.
    pub(super) tail_calls: bool,
    /// The host in the table.
    pub(super) host_in_table: bool,
}

/// A guest with the export `run`, and a start section now and then.
pub(super) fn guest(u: &mut Unstructured<'_>, wanted: Wanted) -> Result<Vec<u8>> {
    let count = u.int_in_range(1..=5u32)?;
    let mut signatures = Vec::new();
    for _ in 0..count {
        // The start function and those in the table have neither parameters nor results.
        signatures.push(if u.ratio(1, 2)? { (0u32, 0u32) } else { (u.int_in_range(0..=2)?, u.int_in_range(0..=2)?) });
    }
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([], [ValType::I32]);
    types.ty().function([ValType::I32], [ValType::I32]);
    for (params, results) in &signatures {
        types.ty().function(vec![ValType::I32; *params as usize], vec![ValType::I32; *results as usize]);
    }
    let mut imports = ImportSection::new();
    imports.import("host", "call", EntityType::Function(0));
    let mut functions = FunctionSection::new();
    for index in 0..count {
        functions.function(3 + index);
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 4,
        maximum: None,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: Some(3), memory64: false, shared: false, page_size_log2: None });
    let mut tags = TagSection::new();
    tags.tag(TagType { kind: TagKind::Exception, func_type_idx: 0 });
    let mut globals = GlobalSection::new();
    for start in [STEPS, 0] {
        globals
            .global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(start));
    }
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, IMPORTED);
    exports.export("memory", ExportKind::Memory, 0).export("trace", ExportKind::Global, TRACE_GLOBAL);
    let plain: Vec<u32> =
        (0..count).filter(|index| signatures[*index as usize] == (0, 0)).map(|index| index + IMPORTED).collect();
    // Sometimes the host is in the table as well.
    let mut elements = ElementSection::new();
    let mut in_table = plain.clone();
    if wanted.host_in_table && u.ratio(1, 4)? {
        in_table.push(0);
    }
    let through = !in_table.is_empty();
    let in_table: Vec<u32> = in_table.into_iter().cycle().take(4).collect();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(in_table.into()));
    let mut code = CodeSection::new();
    for (params, results) in &signatures {
        let shape = Shape { params: *params, results: *results, signatures: &signatures, wanted, through };
        code.function(&function(u, shape)?);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&tables).section(&memories);
    if wanted.exceptions {
        module.section(&tags);
    }
    module.section(&globals).section(&exports);
    if let Some(start) = plain.last()
        && u.ratio(1, 4)?
    {
        module.section(&wasm_encoder::StartSection { function_index: *start });
    }
    module.section(&elements).section(&code);
    Ok(module.finish())
}

#[derive(Clone, Copy)]
struct Shape<'a> {
    params: u32,
    results: u32,
    signatures: &'a [(u32, u32)],
    wanted: Wanted,
    /// Whether there is anything in the table.
    through: bool,
}

/// A label: how many values a branch to it carries, and whether it is a loop's.
#[derive(Clone, Copy)]
struct Label {
    arity: u32,
}

struct Body<'a, 'u, 's> {
    u: &'a mut Unstructured<'u>,
    shape: Shape<'s>,
    code: Vec<u8>,
    /// From the function inwards.
    labels: Vec<Label>,
    variables: u32,
}

fn function(u: &mut Unstructured<'_>, shape: Shape<'_>) -> Result<Function> {
    let locals = u.int_in_range(1..=9u32)?;
    let mut body = Body {
        u,
        shape,
        code: Vec::new(),
        labels: vec![Label { arity: shape.results }],
        variables: shape.params + locals,
    };
    body.step()?;
    body.statements(4)?;
    body.values(shape.results)?;
    let mut function = Function::new([(locals, ValType::I32)]);
    function.raw(body.code);
    function.instructions().end();
    Ok(function)
}

impl Body<'_, '_, '_> {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    fn variable(&mut self) -> Result<u32> {
        self.u.int_in_range(0..=self.variables - 1)
    }

    /// Returns if there are no steps left, else takes one.
    fn step(&mut self) -> Result<()> {
        self.sink().global_get(STEPS_GLOBAL).i32_eqz().if_(BlockType::Empty);
        self.values(self.shape.results)?;
        self.sink().return_().end();
        self.sink().global_get(STEPS_GLOBAL).i32_const(1).i32_sub().global_set(STEPS_GLOBAL);
        Ok(())
    }

    /// Puts so many values on the stack.
    fn values(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            self.value()?;
        }
        Ok(())
    }

    /// Puts a value on the stack that depends on what has happened.
    fn value(&mut self) -> Result<()> {
        let variable = self.variable()?;
        match self.u.int_in_range(0..=5)? {
            0 => self.sink().i32_const(7),
            1 => self.sink().global_get(TRACE_GLOBAL).local_get(variable).i32_add(),
            2 => self.sink().global_get(STEPS_GLOBAL).i32_const(3).i32_rem_u(),
            3 => self.sink().local_get(variable).i32_const(1).i32_or().i32_const(5).i32_div_s(),
            4 => self.sink().global_get(STEPS_GLOBAL).local_get(variable).i32_xor(),
            _ => self.sink().local_get(variable),
        };
        Ok(())
    }

    fn condition(&mut self) -> Result<()> {
        self.value()?;
        let bit = 1 << self.u.int_in_range(0..=2)?;
        self.sink().i32_const(bit).i32_and();
        Ok(())
    }

    fn statements(&mut self, depth: u32) -> Result<()> {
        for _ in 0..self.u.int_in_range(0..=4)? {
            self.statement(depth)?;
        }
        Ok(())
    }

    /// Drops values, leaving a trace of them.
    fn consume(&mut self, count: u32) {
        for _ in 0..count {
            self.sink().global_get(TRACE_GLOBAL).i32_const(31).i32_mul().i32_add().global_set(TRACE_GLOBAL);
        }
    }

    fn statement(&mut self, depth: u32) -> Result<()> {
        let choice = self.u.int_in_range(0..=19)?;
        match choice {
            0 | 1 => {
                self.value()?;
                let variable = self.variable()?;
                self.sink().local_set(variable);
            }
            2..=7 if depth > 0 => self.block(depth)?,
            8 | 9 => {
                // An unconditional branch, on one way only.
                self.condition()?;
                self.sink().if_(BlockType::Empty);
                self.labels.push(Label { arity: 0 });
                self.statement_or_nothing(depth)?;
                let label = self.label()?;
                self.values(self.arity(label))?;
                self.sink().br(label);
                // What follows is never executed.
                if self.u.ratio(1, 4)? {
                    self.statement_or_nothing(depth)?;
                }
                self.labels.pop();
                self.sink().end();
            }
            10 | 11 => {
                let label = self.label()?;
                let arity = self.arity(label);
                self.values(arity)?;
                self.condition()?;
                self.sink().br_if(label);
                self.consume(arity);
            }
            12 => self.branch_table(depth)?,
            13 => self.call()?,
            14 => {
                self.sink().call(0);
            }
            15 if self.shape.through => self.call_through()?,
            16 => self.bulk()?,
            17 if self.shape.wanted.exceptions => {
                self.condition()?;
                self.sink().if_(BlockType::Empty).throw(0).end();
            }
            18 if self.shape.wanted.tail_calls => self.tail_call()?,
            _ => self.consume_one()?,
        }
        Ok(())
    }

    fn statement_or_nothing(&mut self, depth: u32) -> Result<()> {
        if depth > 0 && self.u.ratio(1, 2)? { self.statement(depth - 1) } else { Ok(()) }
    }

    fn consume_one(&mut self) -> Result<()> {
        self.value()?;
        self.consume(1);
        Ok(())
    }

    fn label(&mut self) -> Result<u32> {
        let count = u32::try_from(self.labels.len()).unwrap();
        self.u.int_in_range(0..=count - 1)
    }

    fn arity(&self, label: u32) -> u32 {
        self.labels[self.labels.len() - 1 - label as usize].arity
    }

    fn block(&mut self, depth: u32) -> Result<()> {
        let results = self.u.int_in_range(0..=1)?;
        let block_type = if results == 1 { BlockType::Result(ValType::I32) } else { BlockType::Empty };
        match self.u.int_in_range(0..=7)? {
            0 | 1 => {
                self.sink().block(block_type);
                self.labels.push(Label { arity: results });
                self.statements(depth - 1)?;
                self.values(results)?;
            }
            2..=4 => {
                // A loop takes one parameter now and then.
                let takes = self.u.ratio(1, 4)? && results == 1;
                self.values(u32::from(takes))?;
                self.sink().loop_(if takes { BlockType::FunctionType(2) } else { block_type });
                self.labels.push(Label { arity: u32::from(takes) });
                self.consume(u32::from(takes));
                self.step()?;
                self.statements(depth - 1)?;
                match self.u.int_in_range(0..=2)? {
                    0 => {}
                    1 => {
                        self.values(u32::from(takes))?;
                        self.condition()?;
                        self.sink().br_if(0);
                        self.consume(u32::from(takes));
                    }
                    _ => {
                        self.condition()?;
                        self.sink().if_(BlockType::Empty);
                        self.values(u32::from(takes))?;
                        self.sink().br(1).end();
                    }
                }
                self.values(results)?;
            }
            5 => {
                self.condition()?;
                self.sink().if_(BlockType::Empty);
                self.labels.push(Label { arity: 0 });
                self.statements(depth - 1)?;
                self.labels.pop();
                self.sink().end();
                return Ok(());
            }
            6 if self.shape.wanted.exceptions => return self.try_table(depth),
            _ => {
                self.condition()?;
                self.sink().if_(block_type);
                self.labels.push(Label { arity: results });
                self.statements(depth - 1)?;
                self.values(results)?;
                self.sink().else_();
                self.statements(depth - 1)?;
                self.values(results)?;
            }
        }
        self.labels.pop();
        self.sink().end();
        self.consume(results);
        Ok(())
    }

    /// A try_table whose handler is any label that takes nothing.
    fn try_table(&mut self, depth: u32) -> Result<()> {
        let handlers: Vec<u32> =
            (0..u32::try_from(self.labels.len()).unwrap()).filter(|label| self.arity(*label) == 0).collect();
        let Some(label) = self.u.choose_iter(handlers.iter()).ok().copied() else { return self.consume_one() };
        let catch = if self.u.ratio(1, 2)? { Catch::All { label } } else { Catch::One { tag: 0, label } };
        self.sink().try_table(BlockType::Empty, vec![catch].into_iter().collect::<Vec<_>>());
        self.labels.push(Label { arity: 0 });
        self.statements(depth - 1)?;
        self.labels.pop();
        self.sink().end();
        Ok(())
    }

    /// A br_table, on one way only.
    fn branch_table(&mut self, depth: u32) -> Result<()> {
        self.condition()?;
        self.sink().if_(BlockType::Empty);
        self.labels.push(Label { arity: 0 });
        self.statement_or_nothing(depth)?;
        let default = self.label()?;
        let arity = self.arity(default);
        let same: Vec<u32> =
            (0..u32::try_from(self.labels.len()).unwrap()).filter(|label| self.arity(*label) == arity).collect();
        let mut targets = Vec::new();
        for _ in 0..self.u.int_in_range(0..=4)? {
            targets.push(*self.u.choose(&same)?);
        }
        self.values(arity)?;
        self.value()?;
        self.sink().i32_const(5).i32_rem_u().br_table(targets, default);
        self.labels.pop();
        self.sink().end();
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        let count = self.shape.signatures.len();
        let callee = self.u.int_in_range(0..=count - 1)?;
        let (params, results) = self.shape.signatures[callee];
        self.values(params)?;
        self.sink().call(IMPORTED + u32::try_from(callee).unwrap());
        self.consume(results);
        Ok(())
    }

    fn call_through(&mut self) -> Result<()> {
        self.value()?;
        self.sink().i32_const(3).i32_and().call_indirect(0, 0);
        Ok(())
    }

    fn tail_call(&mut self) -> Result<()> {
        self.condition()?;
        self.sink().if_(BlockType::Empty);
        let same: Vec<usize> = (0..self.shape.signatures.len())
            .filter(|callee| self.shape.signatures[*callee].1 == self.shape.results)
            .collect();
        let callee = *self.u.choose(&same)?;
        if self.shape.results == 0 && self.shape.through && self.u.ratio(1, 3)? {
            self.value()?;
            self.sink().i32_const(3).i32_and().return_call_indirect(0, 0);
        } else {
            self.values(self.shape.signatures[callee].0)?;
            self.sink().return_call(IMPORTED + u32::try_from(callee).unwrap());
        }
        self.sink().end();
        Ok(())
    }

    /// Instructions that cost by a length, which is known or not.
    fn bulk(&mut self) -> Result<()> {
        let known = self.u.ratio(1, 3)?;
        self.sink().i32_const(64).i32_const(128);
        if known {
            let length = self.u.int_in_range(0..=2000)?;
            self.sink().i32_const(length);
        } else {
            self.value()?;
            self.sink().i32_const(1023).i32_and();
        }
        match self.u.int_in_range(0..=2)? {
            0 => self.sink().memory_fill(0),
            1 => self.sink().memory_copy(0, 0),
            _ => self.sink().i32_const(6).i32_shr_u().memory_grow(0).drop().drop().drop(),
        };
        Ok(())
    }
}
