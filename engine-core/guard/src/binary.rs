//! Writes the prepared module: every section as it was, byte by byte, except where an edit says otherwise.
//!
//! Things are only ever appended to the index spaces, so what is copied keeps its meaning: backtraces and names stay right.

use crate::outline::{Outline, id};
use crate::refusal::Result;
use std::collections::BTreeMap;
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

/// The custom section in which WasmEdge looks for native code to execute.
const NATIVE_CODE: &str = "wasmedge";

/// Sections in the order in which the binary format wants them.
const ORDER: [u8; 13] = [
    id::TYPE,
    id::IMPORT,
    id::FUNCTION,
    id::TABLE,
    id::MEMORY,
    id::TAG,
    id::GLOBAL,
    id::EXPORT,
    id::START,
    id::ELEMENT,
    id::DATA_COUNT,
    id::CODE,
    id::DATA,
];

/// What is different in the prepared module.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    replaced: BTreeMap<u8, Vec<u8>>,
    appended: BTreeMap<u8, Entries>,
    dropped: Vec<u8>,
}

/// Entries of a section that is a vector of something.
#[derive(Debug, Default)]
struct Entries {
    count: u32,
    bytes: Vec<u8>,
}

impl Edits {
    /// Gives a section another content; it comes into being if need be.
    pub(crate) fn replace(&mut self, section: u8, content: Vec<u8>) {
        self.replaced.insert(section, content);
    }

    /// Adds an entry at the end of a section, which comes into being if need be.
    pub(crate) fn append(&mut self, section: u8, entry: impl FnOnce(&mut Vec<u8>)) {
        let entries = self.appended.entry(section).or_default();
        entries.count += 1;
        entry(&mut entries.bytes);
    }

    /// Leaves a section out.
    pub(crate) fn drop_section(&mut self, section: u8) {
        self.dropped.push(section);
    }

    /// Writes the module.
    pub(crate) fn apply(self, outline: &Outline<'_>) -> Result<Vec<u8>> {
        let mut output = Vec::with_capacity(outline.bytes.len() + outline.bytes.len() / 8);
        let first = outline.sections.first().map_or(outline.bytes.len(), |section| section.whole.start);
        output.extend_from_slice(outline.bytes.get(..first).unwrap_or_default());
        let mut missing: Vec<u8> = ORDER.into_iter().filter(|id| outline.section(*id).is_none()).collect();
        missing.retain(|section| self.appended.contains_key(section) || self.replaced.contains_key(section));
        for section in &outline.sections {
            if section.id == id::CUSTOM {
                if !self.strips(section.name) {
                    output.extend_from_slice(outline.bytes.get(section.whole.clone()).unwrap_or_default());
                }
                continue;
            }
            missing.retain(|id| {
                let due = place(*id) < place(section.id);
                if due {
                    self.write_new(*id, &mut output);
                }
                !due
            });
            let content = outline.bytes.get(section.content.clone()).unwrap_or_default();
            if self.dropped.contains(&section.id) {
                continue;
            } else if let Some(content) = self.replaced.get(&section.id) {
                write_section(section.id, &[content], &mut output);
            } else if let Some(entries) = self.appended.get(&section.id) {
                let mut reader = BinaryReader::new(content, section.content.start);
                let count = reader.read_var_u32()?.saturating_add(entries.count);
                let old = content.get(reader.current_position()..).unwrap_or_default();
                write_section(section.id, &[&encoded(count), old, &entries.bytes], &mut output);
            } else {
                output.extend_from_slice(outline.bytes.get(section.whole.clone()).unwrap_or_default());
            }
        }
        for id in missing {
            self.write_new(id, &mut output);
        }
        Ok(output)
    }

    /// Whether a custom section must not, or can no longer, be passed on.
    fn strips(&self, name: &str) -> bool {
        // What speaks of offsets in the code would be wrong once that is another.
        let by_offset =
            || name.starts_with(".debug_") || name.starts_with("reloc.") || name.starts_with("metadata.code.");
        name == NATIVE_CODE || (self.replaced.contains_key(&id::CODE) && by_offset())
    }

    fn write_new(&self, section: u8, output: &mut Vec<u8>) {
        if let Some(content) = self.replaced.get(&section) {
            write_section(section, &[content], output);
        } else if let Some(entries) = self.appended.get(&section) {
            write_section(section, &[&encoded(entries.count), &entries.bytes], output);
        }
    }
}

/// Where a section stands among the others.
fn place(section: u8) -> usize {
    ORDER.iter().position(|id| *id == section).unwrap_or(ORDER.len())
}

fn encoded(number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    number.encode(&mut bytes);
    bytes
}

fn write_section(section: u8, parts: &[&[u8]], output: &mut Vec<u8>) {
    output.push(section);
    parts.iter().map(|part| part.len()).sum::<usize>().encode(output);
    for part in parts {
        output.extend_from_slice(part);
    }
}
