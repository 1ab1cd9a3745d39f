//! Which calls may end without coming back: by an exception, or because the host ends the guest.
//!
//! Before such a call the fuel spent so far has to be settled, so that it is exact whatever happens; before any other it may be settled later.
//! Traps do not count: they end the guest, and what it used is then known up to a stretch of straight code.

use crate::outline::{Outline, id};
use crate::refusal::Result;
use std::collections::BTreeMap;
use wasmparser::types::{CoreTypeId, TypesRef};
use wasmparser::{BinaryReader, ConstExpr, ElementItems, ElementSectionReader, GlobalSectionReader, Operator};
use wasmrt_model::{Feature, FeatureSet};

/// What may end without coming back.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// By function.
    ends: Vec<bool>,
    /// By the class that a reference's type belongs to.
    ends_through: BTreeMap<Class, bool>,
    /// Whether an imported function can be called through a reference.
    pub(crate) host_through: bool,
    classes_by_type: bool,
}

/// The functions that a call through a reference may mean: those of one type, or with subtypes in the module, all.
type Class = Option<CoreTypeId>;

impl Calls {
    /// Reads every function for whom it calls.
    pub(crate) fn read(
        outline: &Outline<'_>,
        types: TypesRef<'_>,
        features: FeatureSet,
        imported: u32,
    ) -> Result<Self> {
        let mut graph = Graph {
            types,
            classes_by_type: !features.contains(Feature::Gc) && !features.contains(Feature::FunctionReferences),
            edges: Vec::new(),
            through: Vec::new(),
            referenced: vec![false; index(types.function_count())],
            throws: Vec::new(),
        };
        graph.read_segments(outline)?;
        for (body, function) in outline.bodies.iter().zip(imported..) {
            let mut operators = body.get_operators_reader()?;
            while !operators.eof() {
                match operators.read()? {
                    Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                        graph.edges.push((function, function_index));
                    }
                    Operator::CallIndirect { type_index, .. }
                    | Operator::ReturnCallIndirect { type_index, .. }
                    | Operator::CallRef { type_index }
                    | Operator::ReturnCallRef { type_index } => {
                        graph.through.push((function, graph.class_of_type(type_index)))
                    }
                    Operator::RefFunc { function_index } => graph.mark(function_index),
                    Operator::Throw { .. } | Operator::ThrowRef | Operator::Rethrow { .. } => {
                        graph.throws.push(function)
                    }
                    _ => {}
                }
            }
        }
        Ok(graph.solve(imported))
    }

    /// Whether a call of this function may not come back.
    pub(crate) fn ends(&self, function: u32) -> bool {
        self.ends.get(index(function)).copied().unwrap_or(true)
    }

    /// Whether a call through a reference of this type may not come back.
    pub(crate) fn ends_through(&self, types: TypesRef<'_>, type_index: u32) -> bool {
        let class = self.classes_by_type.then(|| types.core_type_at_in_module(type_index));
        // A class without functions: the call can only trap.
        self.ends_through.get(&class).copied().unwrap_or(false)
    }
}

/// Who calls whom, while it is being read.
struct Graph<'a> {
    types: TypesRef<'a>,
    classes_by_type: bool,
    edges: Vec<(u32, u32)>,
    through: Vec<(u32, Class)>,
    referenced: Vec<bool>,
    throws: Vec<u32>,
}

impl Graph<'_> {
    fn class_of_type(&self, type_index: u32) -> Class {
        self.classes_by_type.then(|| self.types.core_type_at_in_module(type_index))
    }

    fn mark(&mut self, function: u32) {
        if let Some(referenced) = self.referenced.get_mut(index(function)) {
            *referenced = true;
        }
    }

    /// Finds the references in element segments, tables and globals.
    fn read_segments(&mut self, outline: &Outline<'_>) -> Result<()> {
        let reader = |id: u8| {
            let section = outline.section(id)?;
            Some(BinaryReader::new(outline.bytes.get(section.content.clone())?, section.content.start))
        };
        if let Some(reader) = reader(id::ELEMENT) {
            for element in ElementSectionReader::new(reader)? {
                match element?.items {
                    ElementItems::Functions(functions) => {
                        for function in functions {
                            self.mark(function?);
                        }
                    }
                    ElementItems::Expressions(_, expressions) => {
                        for expression in expressions {
                            self.mark_all(&expression?)?;
                        }
                    }
                }
            }
        }
        if let Some(reader) = reader(id::GLOBAL) {
            for global in GlobalSectionReader::new(reader)? {
                self.mark_all(&global?.init_expr)?;
            }
        }
        for init in outline.tables.iter().filter_map(|table| table.init.as_ref()) {
            self.mark_all(init)?;
        }
        Ok(())
    }

    fn mark_all(&mut self, expression: &ConstExpr<'_>) -> Result<()> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.mark(function_index);
            }
        }
        Ok(())
    }

    /// Spreads what may end from callee to caller until nothing changes.
    fn solve(self, imported: u32) -> Calls {
        let mut calls = Calls {
            ends: vec![false; self.referenced.len()],
            classes_by_type: self.classes_by_type,
            host_through: self.referenced.iter().take(index(imported)).any(|referenced| *referenced),
            ..Calls::default()
        };
        let mut callers: Vec<Vec<u32>> = vec![Vec::new(); self.referenced.len()];
        for (caller, callee) in &self.edges {
            if let Some(callers) = callers.get_mut(index(*callee)) {
                callers.push(*caller);
            }
        }
        let mut callers_through: BTreeMap<Class, Vec<u32>> = BTreeMap::new();
        for (caller, class) in &self.through {
            callers_through.entry(*class).or_default().push(*caller);
        }
        let mut work: Vec<u32> = (0..imported).chain(self.throws.iter().copied()).collect();
        while let Some(function) = work.pop() {
            let Some(ends) = calls.ends.get_mut(index(function)) else { continue };
            if std::mem::replace(ends, true) {
                continue;
            }
            work.extend(callers.get(index(function)).into_iter().flatten());
            if self.referenced.get(index(function)).copied().unwrap_or(false) {
                let class = self.classes_by_type.then(|| self.types.core_function_at(function));
                if calls.ends_through.insert(class, true).is_none() {
                    work.extend(callers_through.get(&class).into_iter().flatten());
                }
            }
        }
        calls
    }
}

/// Indices of a validated module are below a million.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
