//! Bounds of what a module may consist of, so that no engine sees one that it would choke on.
//!
//! The defaults are the implementation limits that the WebAssembly JavaScript API prescribes and that engines share, or tighter
//! where engines are. What takes time without being large, such as a million functions, is bounded by the compile time instead.

use crate::refusal::{Refusal, Result};

/// Bounds of what a module may consist of. None of them can be raised above what the validator itself allows (the values of the
/// JavaScript API).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StructureCaps {
    /// Types. Default 1,000,000.
    pub types: u32,
    /// Imports. Default 100,000.
    pub imports: u32,
    /// Functions that the module defines. Default 1,000,000.
    pub functions: u32,
    /// Tables that the module defines. Default 100.
    pub tables: u32,
    /// Memories that the module defines. Default 100.
    pub memories: u32,
    /// Exception tags that the module defines. Default 100,000.
    pub tags: u32,
    /// Globals that the module defines. Default 999,000: the usual million, less what the guard may add.
    pub globals: u32,
    /// Exports. Default 100,000.
    pub exports: u32,
    /// Data segments. Default 100,000.
    pub data_segments: u32,
    /// Element segments. Default 100,000.
    pub element_segments: u32,
    /// Custom sections. Default 10,000.
    pub custom_sections: u32,
    /// Elements that one table starts with, whatever the limit of their sum. Default 10,000,000.
    pub initial_table_elements: u32,
    /// Parameters of a function or block. Default 1,000.
    pub params: u32,
    /// Results of a function or block. Default 1,000.
    pub results: u32,
    /// Bytes of a function's code. Default 7,654,321.
    pub body_bytes: u32,
    /// Locals of a function, parameters not counted. Default 48,000: the usual 50,000, less parameters and what metering adds.
    pub locals: u32,
    /// Blocks within blocks in a function. Default 50,000.
    pub nesting: u32,
    /// Targets of one br_table. Default 65,520.
    pub branch_targets: u32,
    /// Components within components, the outermost one counted. Default 32.
    pub component_depth: u32,
    /// Modules and components that a component consists of, on all levels. Default 1,000.
    pub component_parts: u32,
}

impl Default for StructureCaps {
    fn default() -> Self {
        Self {
            types: 1_000_000,
            imports: 100_000,
            functions: 1_000_000,
            tables: 100,
            memories: 100,
            tags: 100_000,
            globals: 999_000,
            exports: 100_000,
            data_segments: 100_000,
            element_segments: 100_000,
            custom_sections: 10_000,
            initial_table_elements: 10_000_000,
            params: 1_000,
            results: 1_000,
            body_bytes: 7_654_321,
            locals: 48_000,
            nesting: 50_000,
            branch_targets: 65_520,
            component_depth: 32,
            component_parts: 1_000,
        }
    }
}

/// Refuses what is above its bound. `what` names the things that are counted.
pub(crate) fn check(what: &str, count: impl TryInto<u64>, bound: u32) -> Result<()> {
    match count.try_into() {
        Ok(count) if count <= u64::from(bound) => Ok(()),
        Ok(count) => Err(Refusal::above(what, count, bound)),
        Err(_) => Err(Refusal::above(what, "more than can be counted", bound)),
    }
}
