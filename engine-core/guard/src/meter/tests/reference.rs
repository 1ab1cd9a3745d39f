//! Metering as the documentation says it, without any cleverness: what the real one is compared with.

use crate::StructureCaps;
use crate::binary::Edits;
use crate::bounds::page_bytes_log2;
use crate::meter::cost;
use crate::meter::scan::{Kind, Module, Scan};
use crate::outline::{Outline, id};
use crate::validate::validate;
use wasm_encoder::{ConstExpr, Encode, ExportKind, GlobalType, InstructionSink, ValType};
use wasmparser::Operator;

/// The exports of what the reference counts.
pub(super) const SPENT: &str = "reference:spent";
pub(super) const DEPTH: &str = "reference:depth";
pub(super) const START: &str = "reference:start";

/// The module, with each instruction's cost added to a global right before it is executed, and the deepest nesting of calls kept in another.
/// Counting depth takes a step back after each call, so it is right only for guests that throw nothing.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    let caps = StructureCaps::default();
    let outline = Outline::read(bytes, &caps).unwrap();
    let validated = validate(&outline, &caps).unwrap();
    let types = validated.types.as_ref();
    let imported = types.function_count() - u32::try_from(outline.bodies.len()).unwrap();
    let module = Module { outline: &outline, types, imported_functions: imported };
    let mut edits = Edits::default();
    let spent = types.global_count();
    let (depth, deepest) = (spent + 1, spent + 2);
    for (start, name) in [(0, SPENT), (1, "reference:now"), (0, DEPTH)] {
        edits.append(id::GLOBAL, |entry| {
            GlobalType { val_type: ValType::I64, mutable: true, shared: false }.encode(entry);
            ConstExpr::i64_const(start).encode(entry);
        });
        let index = match name {
            SPENT => spent,
            DEPTH => deepest,
            _ => depth,
        };
        edits.append(id::EXPORT, |entry| {
            name.encode(entry);
            ExportKind::Global.encode(entry);
            index.encode(entry);
        });
    }
    if let Some(section) = outline.section(id::START) {
        let mut reader = wasmparser::BinaryReader::new(&bytes[section.content.clone()], 0);
        let function = reader.read_var_u32().unwrap();
        edits.drop_section(id::START);
        edits.append(id::EXPORT, |entry| {
            START.encode(entry);
            ExportKind::Func.encode(entry);
            function.encode(entry);
        });
    }
    let mut content = Vec::new();
    outline.bodies.len().encode(&mut content);
    for (body, function) in outline.bodies.iter().zip(imported..) {
        let parameters = u32::try_from(types[types.core_function_at(function)].unwrap_func().params().len()).unwrap();
        let mut scan = Scan::default();
        scan.read(body, &module).unwrap();
        let locals = parameters + u32::try_from(scan.locals).unwrap();
        let (narrow, wide) = (locals, locals + 1);
        let source = body.as_bytes();
        let mut code = Vec::new();
        let mut reader = wasmparser::BinaryReader::new(source, 0);
        let groups = reader.read_var_u32().unwrap();
        (groups + 2).encode(&mut code);
        code.extend_from_slice(&source[reader.current_position()..scan.code_start]);
        for value_type in [ValType::I32, ValType::I64] {
            1u32.encode(&mut code);
            value_type.encode(&mut code);
        }
        add(&mut code, spent, cost::entry(scan.locals));
        // A function that calls nobody does not count.
        if scan.calls {
            note_depth(&mut code, depth, deepest);
        }
        let base = body.range().start;
        let mut operators = body.get_operators_reader().unwrap();
        while !operators.eof() {
            let (operator, start) = operators.read_with_offset().unwrap();
            let end = operators.original_position();
            if cost::fixed(&operator) > 0 {
                add(&mut code, spent, cost::fixed(&operator));
            }
            if let Some((scale, is_64)) = length(&operator, &module) {
                let local = if is_64 { wide } else { narrow };
                let mut sink = InstructionSink::new(&mut code);
                sink.local_tee(local).global_get(spent).local_get(local);
                if !is_64 {
                    sink.i64_extend_i32_u();
                }
                // What costs more than this is out of fuel by any limit that the tests use.
                sink.local_set(wide)
                    .local_get(wide)
                    .i64_const(1 << 40)
                    .local_get(wide)
                    .i64_const(1 << 40)
                    .i64_lt_u()
                    .select();
                if scale > 0 {
                    sink.i64_const(scale).i64_shl();
                } else {
                    sink.i64_const(-scale).i64_shr_u();
                }
                sink.i64_add().global_set(spent);
            }
            let raw = &source[start - base..end - base];
            match operator {
                Operator::Call { function_index } if function_index >= imported => nested(&mut code, depth, raw),
                Operator::CallIndirect { .. } | Operator::CallRef { .. } => nested(&mut code, depth, raw),
                _ => code.extend_from_slice(raw),
            }
        }
        code.as_slice().encode(&mut content);
    }
    edits.replace(id::CODE, content);
    edits.apply(&outline).unwrap()
}

fn add(code: &mut Vec<u8>, global: u32, amount: u64) {
    let amount = i64::try_from(amount).unwrap();
    InstructionSink::new(code).global_get(global).i64_const(amount).i64_add().global_set(global);
}

fn note_depth(code: &mut Vec<u8>, depth: u32, deepest: u32) {
    InstructionSink::new(code)
        .global_get(depth)
        .global_get(deepest)
        .global_get(depth)
        .global_get(deepest)
        .i64_gt_s()
        .select()
        .global_set(deepest);
}

fn nested(code: &mut Vec<u8>, depth: u32, call: &[u8]) {
    InstructionSink::new(code).global_get(depth).i64_const(1).i64_add().global_set(depth);
    code.extend_from_slice(call);
    InstructionSink::new(code).global_get(depth).i64_const(1).i64_sub().global_set(depth);
}

/// The scale and width of the length on top of the stack, for instructions that cost by it. Written down a second time, on purpose.
fn length(operator: &Operator<'_>, module: &Module<'_>) -> Option<(i64, bool)> {
    let types = module.types;
    Some(match operator {
        Operator::MemoryFill { mem } => (-6, types.memory_at(*mem).memory64),
        Operator::MemoryCopy { dst_mem, src_mem } => {
            (-6, types.memory_at(*dst_mem).memory64 && types.memory_at(*src_mem).memory64)
        }
        Operator::MemoryInit { .. } => (-6, false),
        Operator::MemoryGrow { mem } => {
            let memory = types.memory_at(*mem);
            (i64::from(page_bytes_log2(&memory)) - 6, memory.memory64)
        }
        Operator::TableFill { table } | Operator::TableGrow { table } => (0, types.table_at(*table).table64),
        Operator::TableCopy { dst_table, src_table } => {
            (0, types.table_at(*dst_table).table64 && types.table_at(*src_table).table64)
        }
        Operator::TableInit { .. }
        | Operator::ArrayNew { .. }
        | Operator::ArrayNewDefault { .. }
        | Operator::ArrayNewData { .. }
        | Operator::ArrayNewElem { .. }
        | Operator::ArrayFill { .. }
        | Operator::ArrayCopy { .. }
        | Operator::ArrayInitData { .. }
        | Operator::ArrayInitElem { .. } => (0, false),
        _ => return None,
    })
}

/// Whether a function of the module throws, catches, or is called in another's place.
#[allow(dead_code, reason = "read by the tests of exceptions as they are added")]
pub(super) fn unwinds(bytes: &[u8]) -> bool {
    let caps = StructureCaps::default();
    let outline = Outline::read(bytes, &caps).unwrap();
    let validated = validate(&outline, &caps).unwrap();
    let types = validated.types.as_ref();
    let imported = types.function_count() - u32::try_from(outline.bodies.len()).unwrap();
    let module = Module { outline: &outline, types, imported_functions: imported };
    let mut scan = Scan::default();
    outline.bodies.iter().any(|body| {
        scan.read(body, &module).unwrap();
        scan.events.iter().any(|event| event.kind == Kind::Throw)
    })
}
