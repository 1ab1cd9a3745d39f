//! Bytes that need not be a module: the guard must never panic on them, and what it lets through is a module to every engine.

use crate::compare;
use crate::digest::{Stream, mix};
use crate::engines::Engines;
use crate::guest::{Guest, guest};
use crate::known;
use crate::report::{Finding, Report, chain};
use wasmrt_guard::{GuardOptions, Metering, StructureCaps, inspect, prepare, sniff};
use wasmrt_model::backend::{Code, WasmEngine};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{ErrorKind, Limit, Limits};

/// Looks at what these bytes stand for.
pub(crate) fn input(engines: &Engines, data: &[u8], report: &mut Report) -> Result<(), Finding> {
    report.count("hostile inputs");
    let mut choices = choices(data);
    let (bytes, guest) = bytes(data, &mut choices);
    let is_taken = look(engines, &bytes, &mut choices, report)?;
    match guest {
        Some(guest) if is_taken && known::runs_the_same(&bytes, guest.floats) => {
            report.count("hostile: run");
            compare::whole(engines, &Guest { wasm: bytes, ..guest }, report)
        }
        _ => Ok(()),
    }
}

/// What decides everything but the bytes.
pub(crate) fn choices(data: &[u8]) -> Stream {
    Stream::new(data.iter().fold(0, |all, byte| mix(all ^ u64::from(*byte))))
}

/// Raw bytes, or a module with a few changes and what it was before.
pub(crate) fn bytes(data: &[u8], choices: &mut Stream) -> (Vec<u8>, Option<Guest>) {
    let Some((kind, rest)) = data.split_first() else { return (Vec::new(), None) };
    match kind % 32 {
        0 => (rest.to_vec(), None),
        1 => ([b"\0asm\x01\0\0\0".as_slice(), rest].concat(), None),
        _ => match guest(rest) {
            Ok(guest) => (changed(guest.wasm.clone(), choices), Some(guest)),
            Err(_) => (rest.to_vec(), None),
        },
    }
}

/// A few changes of a few bytes each.
fn changed(mut bytes: Vec<u8>, choices: &mut Stream) -> Vec<u8> {
    for _ in 0..=choices.below(6).saturating_sub(3) {
        let length = u64::try_from(bytes.len()).unwrap_or(1);
        let at = usize::try_from(choices.below(length)).unwrap_or(0);
        let some = usize::try_from(choices.below(9)).unwrap_or(0);
        let end = at.saturating_add(some).min(bytes.len());
        let byte = u8::try_from(choices.below(256)).unwrap_or(0);
        match choices.below(7) {
            0 => {
                if let Some(bit) = bytes.get_mut(at) {
                    *bit ^= 1 << (byte % 8);
                }
            }
            1 | 2 => {
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            3 => bytes.truncate(at.max(8)),
            4 => {
                bytes.drain(at..end);
            }
            5 => bytes.insert(at.min(bytes.len()), byte),
            _ => {
                let copy = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = usize::try_from(choices.below(length)).unwrap_or(0).min(bytes.len());
                bytes.splice(to..to, copy);
            }
        }
    }
    bytes
}

/// Whether the guard lets it through, and every engine takes it.
fn look(engines: &Engines, bytes: &[u8], choices: &mut Stream, report: &mut Report) -> Result<bool, Finding> {
    let _ = sniff(bytes);
    let inspected = inspect(bytes, &StructureCaps::default());
    let mut options = GuardOptions::new(engines.features(), &Limits::UNLIMITED);
    options.memory_bytes = Limit::At(Bytes(choices.below(64 << 16)));
    options.table_elements = Limit::At(Count(choices.below(1_000)));
    options.metering = (!choices.one_in(4)).then(|| Metering {
        fuel: choices.one_in(2),
        call_depth: choices.one_in(2),
        interruption: choices.one_in(2),
    });
    let prepared = match prepare(bytes, &options) {
        Ok(prepared) => prepared,
        Err(refusal) => {
            report.count(&format!("hostile: refused: {}", refusal.kind().as_str()));
            if refusal.kind() == ErrorKind::Internal {
                return Err(Finding::new("the guard fails", refusal.to_string()));
            }
            return Ok(false);
        }
    };
    report.count("hostile: let through");
    if let Err(refusal) = inspected {
        return Err(Finding::new("refused to be inspected and prepared all the same", refusal.to_string()));
    }
    let needed = prepared.info().features;
    for (engine, has) in [
        (&engines.wasmtime as &dyn WasmEngine, true),
        (&engines.wasmedge as &dyn WasmEngine, engines.interpreter_has(needed)),
    ] {
        if !has {
            continue;
        }
        match engine.load(Code::Wasm(prepared.bytes())) {
            Ok(_) => report.count("hostile: loaded"),
            Err(error) => {
                let reason = chain(&error);
                if !known::may_reject(&reason) {
                    return Err(Finding::new("an engine rejects what the guard let through", reason));
                }
                report.count("hostile: rejected as known");
                return Ok(false);
            }
        }
    }
    Ok(true)
}
