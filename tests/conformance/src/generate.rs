//! Modules that are too large to write down: one thing of a module, made as large as a case says. Each has an empty `_start`, so a
//! module that is let through runs and exits with 0; that of the recursive ones calls itself without end.

use crate::Result;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
    ValType,
};

/// A module in which `what` occurs `count` times.
///
/// # Errors
/// When there is no generator of that name.
pub fn module(what: &str, count: u32) -> Result<Vec<u8>> {
    Ok(match what {
        "functions" => functions(count, |_| empty()),
        "large-functions" => functions(count, |index| arithmetic(index, 400)),
        "body" => with_start(arithmetic(0, count)),
        "nesting" => with_start(nesting(count)),
        "locals" => with_start(finished(Function::new([(count, ValType::I64)]))),
        "local-groups" => with_start(finished(Function::new((0..count).map(|_| (1, ValType::I64))))),
        "br-table" => with_start(br_table(count)),
        "data" => data(count),
        "memories" => memories(count),
        "tables" => tables(count),
        "exports" => exports(count),
        "types" => types(count),
        "params" => params(count),
        "custom" => custom(count),
        "recursion-locals" => recursion(&Parts::new(&locals_across_call(count))),
        "recursion-values" => recursion(&Parts::new(&values_across_call(count))),
        "recursion-results" => recursion(&results_of_calls(count)),
        other => return Err(format!("there is no generator '{other}'")),
    })
}

fn finished(mut function: Function) -> Function {
    function.instructions().end();
    function
}

fn empty() -> Function {
    finished(Function::new([]))
}

fn arithmetic(seed: u32, rounds: u32) -> Function {
    let mut function = Function::new([(1, ValType::I64)]);
    let mut code = function.instructions();
    for round in 0..rounds {
        code.local_get(0).i64_const(i64::from(seed ^ round)).i64_mul().local_set(0);
    }
    code.end();
    function
}

fn nesting(depth: u32) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    for _ in 0..depth {
        code.block(BlockType::Empty);
    }
    for _ in 0..=depth {
        code.end();
    }
    function
}

fn br_table(targets: u32) -> Function {
    let mut function = Function::new([]);
    let labels = vec![0; usize::try_from(targets).unwrap_or(usize::MAX)];
    function.instructions().i32_const(0).br_table(labels, 0).end();
    function
}

/// The sections around code: types, functions, exports.
struct Parts {
    types: TypeSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
}

impl Parts {
    /// With `_start` as function 0, of this body and type 0.
    fn new(start: &Function) -> Self {
        let mut parts = Self {
            types: TypeSection::new(),
            functions: FunctionSection::new(),
            exports: ExportSection::new(),
            code: CodeSection::new(),
        };
        parts.types.ty().function([], []);
        parts.functions.function(0);
        parts.exports.export("_start", ExportKind::Func, 0);
        parts.code.function(start);
        parts
    }
}

fn with_start(start: Function) -> Vec<u8> {
    functions(1, |_| start.clone())
}

fn functions(count: u32, body: impl Fn(u32) -> Function) -> Vec<u8> {
    let mut parts = Parts::new(&body(0));
    for index in 1..count {
        parts.functions.function(0);
        parts.code.function(&body(index));
    }
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&parts.exports).section(&parts.code);
    module.finish()
}

fn memory(minimum: u64) -> MemoryType {
    MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None }
}

fn data(bytes: u32) -> Vec<u8> {
    let parts = Parts::new(&empty());
    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(memory(u64::from(bytes).div_ceil(65536)));
    let content = (0..bytes).map(|index| u8::try_from(index % 251).unwrap_or(0));
    data.active(0, &ConstExpr::i32_const(0), content);
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&memories).section(&parts.exports);
    module.section(&parts.code).section(&data);
    module.finish()
}

fn memories(count: u32) -> Vec<u8> {
    let parts = Parts::new(&empty());
    let mut memories = MemorySection::new();
    (0..count).for_each(|_| {
        memories.memory(memory(1));
    });
    let mut module = Module::new();
    module
        .section(&parts.types)
        .section(&parts.functions)
        .section(&memories)
        .section(&parts.exports)
        .section(&parts.code);
    module.finish()
}

fn tables(count: u32) -> Vec<u8> {
    let parts = Parts::new(&empty());
    let mut tables = TableSection::new();
    (0..count).for_each(|_| {
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            minimum: 1000,
            maximum: None,
            table64: false,
            shared: false,
        });
    });
    let mut module = Module::new();
    module
        .section(&parts.types)
        .section(&parts.functions)
        .section(&tables)
        .section(&parts.exports)
        .section(&parts.code);
    module.finish()
}

fn exports(count: u32) -> Vec<u8> {
    let mut parts = Parts::new(&empty());
    (0..count).for_each(|index| {
        parts.exports.export(&format!("export-{index}"), ExportKind::Func, 0);
    });
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&parts.exports).section(&parts.code);
    module.finish()
}

fn types(count: u32) -> Vec<u8> {
    let mut parts = Parts::new(&empty());
    (0..count).for_each(|_| parts.types.ty().function([ValType::I32], []));
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&parts.exports).section(&parts.code);
    module.finish()
}

fn params(count: u32) -> Vec<u8> {
    let mut parts = Parts::new(&empty());
    parts.types.ty().function((0..count).map(|_| ValType::I64), []);
    parts.functions.function(1);
    parts.code.function(&empty());
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&parts.exports).section(&parts.code);
    module.finish()
}

/// Calls itself while as many locals are in use, with values that no compiler can know.
fn locals_across_call(count: u32) -> Function {
    let mut function = Function::new([(count, ValType::I64)]);
    let mut code = function.instructions();
    for local in 0..count {
        code.global_get(0).i64_const(i64::from(local)).i64_mul().local_set(local);
    }
    code.call(0);
    for local in 0..count {
        code.local_get(local).global_get(0).i64_xor().global_set(0);
    }
    code.end();
    function
}

/// Calls itself while as many values are on the operand stack.
fn values_across_call(count: u32) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    for value in 0..count {
        code.global_get(0).i64_const(i64::from(value)).i64_mul();
    }
    code.call(0);
    for _ in 0..count {
        code.global_get(0).i64_xor().global_set(0);
    }
    code.end();
    function
}

/// A module of these parts, with one global.
fn recursion(parts: &Parts) -> Vec<u8> {
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: ValType::I64, mutable: true, shared: false }, &ConstExpr::i64_const(3));
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&globals).section(&parts.exports);
    module.section(&parts.code);
    module.finish()
}

/// Calls so often a function of 1,000 results before it calls itself: little code, and much for a compiler to keep.
fn results_of_calls(count: u32) -> Parts {
    const RESULTS: u32 = 1000;
    let mut start = Function::new([]);
    let mut code = start.instructions();
    code.block(BlockType::Empty);
    for _ in 0..count {
        code.call(1);
    }
    code.call(0).global_get(0).i64_xor().global_set(0).br(0).end().end();
    let mut many = Function::new([]);
    let mut code = many.instructions();
    for _ in 0..RESULTS {
        code.global_get(0);
    }
    code.end();
    let mut parts = Parts::new(&start);
    parts.types.ty().function([], (0..RESULTS).map(|_| ValType::I64));
    parts.functions.function(1);
    parts.code.function(&many);
    parts
}

fn custom(bytes: u32) -> Vec<u8> {
    let parts = Parts::new(&empty());
    let content = vec![0x5a; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let mut module = Module::new();
    module.section(&parts.types).section(&parts.functions).section(&parts.exports).section(&parts.code);
    module.section(&wasm_encoder::CustomSection { name: "padding".into(), data: content.into() });
    module.finish()
}
