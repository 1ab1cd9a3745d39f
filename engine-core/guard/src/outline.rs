//! The first look at a module: where its sections and function bodies lie, and whether it keeps within the structure caps.
//!
//! Reads section headers and what is small; function bodies and data are stepped over. Decides nothing about validity.

use crate::StructureCaps;
use crate::caps::check;
use crate::refusal::{Refusal, Result};
use std::ops::Range;
use wasmparser::{ConstExpr, Encoding, FunctionBody, MemoryType, Parser, Payload, TableInit, TableType, TypeRef};
use wasmrt_model::{Error, ErrorKind};

/// Section numbers of the binary format, as far as they are told apart here.
pub(crate) mod id {
    pub(crate) const CUSTOM: u8 = 0;
    pub(crate) const TYPE: u8 = 1;
    pub(crate) const IMPORT: u8 = 2;
    pub(crate) const FUNCTION: u8 = 3;
    pub(crate) const TABLE: u8 = 4;
    pub(crate) const MEMORY: u8 = 5;
    pub(crate) const GLOBAL: u8 = 6;
    pub(crate) const EXPORT: u8 = 7;
    pub(crate) const START: u8 = 8;
    pub(crate) const ELEMENT: u8 = 9;
    pub(crate) const CODE: u8 = 10;
    pub(crate) const DATA: u8 = 11;
    pub(crate) const DATA_COUNT: u8 = 12;
    pub(crate) const TAG: u8 = 13;
}

/// A section as it lies in the file.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    /// Its number.
    pub(crate) id: u8,
    /// All of it, from the number on.
    pub(crate) whole: Range<usize>,
    /// What stands behind number and size.
    pub(crate) content: Range<usize>,
    /// The name of a custom section, "" for others.
    pub(crate) name: &'a str,
}

/// A module's sections and function bodies.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// The module.
    pub(crate) bytes: &'a [u8],
    /// Its sections in order.
    pub(crate) sections: Vec<Section<'a>>,
    /// The code of the functions it defines.
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    /// Its memories, imported ones first.
    pub(crate) memories: Vec<Memory>,
    /// Its tables, imported ones first.
    pub(crate) tables: Vec<Table<'a>>,
}

/// A memory as the module declares it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Whether it comes from outside.
    pub(crate) imported: bool,
    /// Its type.
    pub(crate) memory_type: MemoryType,
}

/// A table as the module declares it.
#[derive(Debug, Clone)]
pub(crate) struct Table<'a> {
    /// Whether it comes from outside.
    pub(crate) imported: bool,
    /// Its type.
    pub(crate) table_type: TableType,
    /// What its elements are at the start, if not null.
    pub(crate) init: Option<ConstExpr<'a>>,
}

impl<'a> Outline<'a> {
    /// Reads the outline of a core module.
    pub(crate) fn read(bytes: &'a [u8], caps: &StructureCaps) -> Result<Self> {
        let mut outline =
            Self { bytes, sections: Vec::new(), bodies: Vec::new(), memories: Vec::new(), tables: Vec::new() };
        let mut end = 0;
        let mut customs = 0u32;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Some((id, content)) = payload.as_section() {
                let name = if let Payload::CustomSection(custom) = &payload { custom.name() } else { "" };
                outline.sections.push(Section { id, whole: end..content.end, content: content.clone(), name });
                end = content.end;
            }
            match payload {
                Payload::Version { encoding: Encoding::Component, .. } => return Err(Refusal::component()),
                Payload::Version { range, .. } => end = range.end,
                Payload::TypeSection(section) => {
                    check("types", section.count(), caps.types)?;
                    for group in section {
                        for sub_type in group?.types() {
                            if let wasmparser::CompositeInnerType::Func(signature) = &sub_type.composite_type.inner {
                                check("parameters of a function", signature.params().len(), caps.params)?;
                                check("results of a function", signature.results().len(), caps.results)?;
                            }
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    let mut count = 0u32;
                    for import in section.into_imports() {
                        count = count.saturating_add(1);
                        match import?.ty {
                            TypeRef::Memory(memory_type) => {
                                check_memory(&memory_type)?;
                                outline.memories.push(Memory { imported: true, memory_type });
                            }
                            TypeRef::Table(table_type) => {
                                check_table(&table_type, caps)?;
                                outline.tables.push(Table { imported: true, table_type, init: None });
                            }
                            _ => {}
                        }
                    }
                    check("imports", count, caps.imports)?;
                }
                Payload::FunctionSection(section) => check("functions", section.count(), caps.functions)?,
                Payload::TableSection(section) => {
                    check("tables", section.count(), caps.tables)?;
                    for table in section {
                        let wasmparser::Table { ty: table_type, init } = table?;
                        check_table(&table_type, caps)?;
                        let init = if let TableInit::Expr(init) = init { Some(init) } else { None };
                        outline.tables.push(Table { imported: false, table_type, init });
                    }
                }
                Payload::MemorySection(section) => {
                    check("memories", section.count(), caps.memories)?;
                    for memory in section {
                        let memory_type = memory?;
                        check_memory(&memory_type)?;
                        outline.memories.push(Memory { imported: false, memory_type });
                    }
                }
                Payload::TagSection(section) => check("exception tags", section.count(), caps.tags)?,
                Payload::GlobalSection(section) => check("globals", section.count(), caps.globals)?,
                Payload::ExportSection(section) => check("exports", section.count(), caps.exports)?,
                Payload::ElementSection(section) => {
                    check("element segments", section.count(), caps.element_segments)?;
                }
                Payload::DataSection(section) => check("data segments", section.count(), caps.data_segments)?,
                Payload::DataCountSection { count, .. } => check("data segments", count, caps.data_segments)?,
                Payload::CodeSectionStart { count, .. } => check("functions", count, caps.functions)?,
                Payload::CodeSectionEntry(body) => {
                    check("bytes in one function", body.range().len(), caps.body_bytes)?;
                    outline.bodies.push(body);
                }
                Payload::CustomSection(_) => {
                    customs += 1;
                    check("custom sections", customs, caps.custom_sections)?;
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    /// The section with this number, of which there is at most one unless it is a custom one.
    pub(crate) fn section(&self, id: u8) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.id == id)
    }
}

fn check_memory(memory: &MemoryType) -> Result<()> {
    if memory.shared {
        return Err(not_shared("memory"));
    }
    Ok(())
}

fn check_table(table: &TableType, caps: &StructureCaps) -> Result<()> {
    if table.shared {
        return Err(not_shared("table"));
    }
    check("elements in one table at the start", table.initial, caps.initial_table_elements)
}

/// A guest has one thread, and nobody else may see its memory: an engine that took a shared memory would promise what is not there.
fn not_shared(what: &str) -> Refusal {
    Error::new(ErrorKind::Unsupported, format!("the module wants a shared {what}, and guests have no threads"))
        .with_hint("build it without threads (for Rust and C: a wasip1 target rather than wasip1-threads)")
        .into()
}
