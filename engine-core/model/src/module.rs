//! What is known about a module after the guard has read it, without an engine.

use crate::{FeatureSet, FunctionType};
use serde::{Deserialize, Serialize};

/// A memory's or table's size in its own unit (pages or elements).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// What it starts with.
    pub minimum: u64,
    /// What it may grow to; None when the module sets no bound.
    pub maximum: Option<u64>,
}

/// What an import or export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ExternType {
    /// A function.
    Function(FunctionType),
    /// A linear memory; sizes in pages.
    Memory(Size),
    /// A table; sizes in elements.
    Table(Size),
    /// A global.
    Global {
        /// The type of its value, in text form.
        content: String,
        /// Whether it can be set.
        mutable: bool,
    },
    /// An exception tag.
    Tag,
}

impl std::fmt::Display for ExternType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = |f: &mut std::fmt::Formatter<'_>, what: &str, size: &Size| match size.maximum {
            Some(maximum) => write!(f, "{what} {}..{maximum}", size.minimum),
            None => write!(f, "{what} {}..", size.minimum),
        };
        match self {
            Self::Function(signature) => write!(f, "func {signature}"),
            Self::Memory(pages) => size(f, "memory", pages),
            Self::Table(elements) => size(f, "table", elements),
            Self::Global { content, mutable: true } => write!(f, "global mut {content}"),
            Self::Global { content, mutable: false } => write!(f, "global {content}"),
            Self::Tag => f.write_str("tag"),
        }
    }
}

/// Something that a module wants to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The module part of its name, such as `wasi_snapshot_preview1`.
    pub module: String,
    /// The field part of its name, such as `fd_write`.
    pub name: String,
    /// What it has to be.
    #[serde(rename = "type")]
    pub extern_type: ExternType,
}

/// Something that a module offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub extern_type: ExternType,
}

/// What a module says of itself, in the order of the binary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// What it wants.
    pub imports: Vec<Import>,
    /// What it offers.
    pub exports: Vec<Export>,
    /// Its own memories, in pages, as the engine will see them.
    pub memories: Vec<Size>,
    /// Its own tables, in elements, as the engine will see them.
    pub tables: Vec<Size>,
    /// How many functions it defines.
    pub functions: u32,
    /// Whether it has a start section.
    pub has_start: bool,
    /// The proposals that it needs.
    pub features: FeatureSet,
    /// What it is as a component; None for core modules. The lists above are empty for components, whose modules keep to themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentInfo>,
}

/// What a component says of itself, in the order of the binary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentInfo {
    /// The names of what it wants, such as `wasi:cli/environment@0.2.0`.
    pub imports: Vec<String>,
    /// The names of what it offers, such as `wasi:cli/run@0.2.0`.
    pub exports: Vec<String>,
    /// How many core modules are in it, on every level.
    pub modules: u32,
}

impl ModuleInfo {
    /// The signature of an exported function.
    #[must_use]
    pub fn exported_function(&self, name: &str) -> Option<&FunctionType> {
        self.exports.iter().find_map(|export| match &export.extern_type {
            ExternType::Function(signature) if export.name == name => Some(signature),
            _ => None,
        })
    }
}
