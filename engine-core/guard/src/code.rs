//! Rewrites function bodies: instructions are copied byte by byte, and only those that an injection concerns are replaced.

use crate::grow::Growers;
use crate::outline::Outline;
use crate::refusal::Result;
use wasm_encoder::Encode;
use wasmparser::{FunctionBody, Operator};

/// The content of a code section in which the injected functions take the place of grow instructions.
pub(crate) fn code_section(outline: &Outline<'_>, growers: &Growers) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(outline.bytes.len());
    (outline.bodies.len() + growers.bodies.len()).encode(&mut content);
    for body in &outline.bodies {
        rewrite(body, growers)?.as_slice().encode(&mut content);
    }
    for body in &growers.bodies {
        body.as_slice().encode(&mut content);
    }
    Ok(content)
}

fn rewrite(body: &FunctionBody<'_>, growers: &Growers) -> Result<Vec<u8>> {
    let mut splice = Splice::new(body);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, start) = operators.read_with_offset()?;
        let instead = match operator {
            Operator::MemoryGrow { mem } => growers.memories.get(&mem),
            Operator::TableGrow { table } => growers.tables.get(&table),
            _ => None,
        };
        if let Some(function) = instead {
            let sink = splice.replace(start..operators.original_position());
            wasm_encoder::Instruction::Call(*function).encode(sink);
        }
    }
    Ok(splice.finish())
}

/// A function body that is copied with replacements.
#[derive(Debug)]
struct Splice<'a> {
    source: &'a [u8],
    base: usize,
    copied: usize,
    output: Vec<u8>,
}

impl<'a> Splice<'a> {
    fn new(body: &FunctionBody<'a>) -> Self {
        let source = body.as_bytes();
        Self {
            source,
            base: body.range().start,
            copied: 0,
            output: Vec::with_capacity(source.len() + source.len() / 8),
        }
    }

    /// Copies what comes before this range of the module, leaves the range out, and gives the place where it would have gone.
    fn replace(&mut self, range: std::ops::Range<usize>) -> &mut Vec<u8> {
        let start = range.start - self.base;
        self.output.extend_from_slice(self.source.get(self.copied..start).unwrap_or_default());
        self.copied = range.end - self.base;
        &mut self.output
    }

    fn finish(mut self) -> Vec<u8> {
        self.output.extend_from_slice(self.source.get(self.copied..).unwrap_or_default());
        self.output
    }
}
