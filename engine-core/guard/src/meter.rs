//! Metering: fuel and call depth, counted by code that is injected into every function, the same on every engine and tier; and a flag that
//! this code looks at, by which a guest can be interrupted.
//!
//! [`cost`] is the table, [`scan`] reads a function, [`calls`] finds the calls that always come back, [`rewrite`] walks the function and
//! [`ledger`] writes the instructions. This file owns what the runtime sees of it.
//!
//! The numbers live in hidden mutable globals of type i64, appended behind the guest's own and exported under names that the guest does
//! not use. No host function is called. What is guaranteed:
//! - A guest that returns, exits or is ended by an exception has used the sum of the costs of the instructions it executed, exactly. With that
//!   much fuel it ends the same way; with one unit less it ends out of fuel.
//! - Before each call of the host the fuel is exact and checked: nothing is done for a guest that has nothing left.
//! - Checks stand at each loop iteration, at the entry of each function that calls others, and every 10,000 units of straight code; so a guest
//!   that has run out goes on for a bounded time only (without any effect but on itself).
//! - After a trap the figure may lack the last stretch of code between two places where it is settled; it is the same on every engine.
//! - A call at the depth limit ends the guest; depth counts the guest's own functions but small ones that call none of them; tail calls
//!   take the place of their callers, and each call from outside starts anew.
//! - A guest whose flag is raised, from whatever thread, ends at its next loop iteration, or at the next entry of a function that calls others.
//!
//! Two crates were looked at first. finite-wasm finds block costs and stack heights, for instrumentation that calls a host function per block and
//! balances each exit: here costs are carried along at no run-time cost and meet in locals, and depth needs no balancing. wasm-encoder's
//! `reencode` decodes and encodes every instruction again: here nothing is renumbered, so that bytes can be copied, at a third of the time.

pub(crate) mod calls;
mod cost;
mod ledger;
pub(crate) mod rewrite;
pub(crate) mod scan;

use crate::binary::Edits;
use crate::grow::Ends;
use crate::outline::{Outline, id};
use crate::{Metering, refusal};
use wasm_encoder::{ConstExpr, Encode, ExportKind, GlobalType, ValType};
use wasmparser::{BinaryReader, ExportSectionReader};

use serde::{Deserialize, Serialize};

/// The hidden exports through which a metered module is run.
///
/// All globals are of type i64 and start at 0, so that a module whose meters nobody set is exhausted at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meters {
    fuel: Option<String>,
    depth: Option<String>,
    interruption: Option<String>,
    start: Option<String>,
}

/// What a metered guest has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// Its fuel.
    Fuel,
    /// The calls that may be nested.
    CallDepth,
}

impl Meters {
    /// The exported global that holds the fuel left. Set it once, before anything is called.
    #[must_use]
    pub fn fuel(&self) -> Option<&str> {
        self.fuel.as_deref()
    }

    /// The exported global that holds how many calls may still be nested. Set it before every call from outside.
    #[must_use]
    pub fn depth(&self) -> Option<&str> {
        self.depth.as_deref()
    }

    /// The exported global that is looked at: what is not 0 ends the guest by a trap. The guest never writes it, so that it can be raised
    /// while the guest runs.
    #[must_use]
    pub fn interruption(&self) -> Option<&str> {
        self.interruption.as_deref()
    }

    /// The exported function that was the start section. Call it first, once the meters are set; a trap in it is a failed instantiation.
    #[must_use]
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// What was used up, if anything, given what the globals say after the guest has ended, in whatever way: also one that has returned
    /// may have used more than it had in its last stretch of code.
    #[must_use]
    pub fn exhausted(&self, fuel_left: Option<i64>, depth_left: Option<i64>) -> Option<Exhausted> {
        if self.fuel.is_some() && fuel_left.is_some_and(|left| left < 0) {
            Some(Exhausted::Fuel)
        } else if self.depth.is_some() && depth_left.is_some_and(|left| left < 0) {
            Some(Exhausted::CallDepth)
        } else {
            None
        }
    }
}

/// The hidden globals by their indices.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Globals {
    /// The fuel left.
    pub(crate) fuel: Option<u32>,
    /// The calls that may still be nested.
    pub(crate) depth: Option<u32>,
    /// Whether the guest is to end.
    pub(crate) interruption: Option<u32>,
}

/// Injects the globals, exports them, and turns the start section into an export.
pub(crate) fn inject(
    metering: Metering,
    outline: &Outline<'_>,
    ends: &mut Ends,
    edits: &mut Edits,
) -> refusal::Result<(Meters, Globals)> {
    let names = export_names(outline)?;
    let mut meters = Meters { fuel: None, depth: None, interruption: None, start: None };
    let mut globals = Globals::default();
    let mut meter = |name: &str| {
        edits.append(id::GLOBAL, |entry| {
            GlobalType { val_type: ValType::I64, mutable: true, shared: false }.encode(entry);
            ConstExpr::i64_const(0).encode(entry);
        });
        let name = unused(name, &names);
        let global = ends.globals;
        ends.globals += 1;
        edits.append(id::EXPORT, |entry| write_export(&name, ExportKind::Global, global, entry));
        (name, global)
    };
    if metering.fuel {
        let (name, global) = meter("wasmrt:fuel");
        (meters.fuel, globals.fuel) = (Some(name), Some(global));
    }
    if metering.call_depth {
        let (name, global) = meter("wasmrt:depth");
        (meters.depth, globals.depth) = (Some(name), Some(global));
    }
    if metering.interruption {
        let (name, global) = meter("wasmrt:interruption");
        (meters.interruption, globals.interruption) = (Some(name), Some(global));
    }
    if let Some(section) = outline.section(id::START) {
        let content = outline.bytes.get(section.content.clone()).unwrap_or_default();
        let function = BinaryReader::new(content, section.content.start).read_var_u32()?;
        let name = unused("wasmrt:start", &names);
        edits.drop_section(id::START);
        edits.append(id::EXPORT, |entry| write_export(&name, ExportKind::Func, function, entry));
        meters.start = Some(name);
    }
    Ok((meters, globals))
}

fn write_export(name: &str, kind: ExportKind, index: u32, entry: &mut Vec<u8>) {
    name.encode(entry);
    kind.encode(entry);
    index.encode(entry);
}

/// The names of the guest's own exports that could be in the way.
fn export_names<'a>(outline: &Outline<'a>) -> refusal::Result<Vec<&'a str>> {
    let Some(section) = outline.section(id::EXPORT) else { return Ok(Vec::new()) };
    let content = outline.bytes.get(section.content.clone()).unwrap_or_default();
    let mut names = Vec::new();
    for export in ExportSectionReader::new(BinaryReader::new(content, section.content.start))? {
        let name = export?.name;
        if name.starts_with("wasmrt:") {
            names.push(name);
        }
    }
    Ok(names)
}

/// This name, or one made of it that is not taken.
fn unused(name: &str, taken: &[&str]) -> String {
    let mut candidate = name.to_owned();
    while taken.contains(&candidate.as_str()) {
        candidate.push('+');
    }
    candidate
}

#[cfg(test)]
mod tests;
