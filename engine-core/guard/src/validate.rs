//! Validation, and with it the exact set of proposals a module needs.
//!
//! The outline of the module (everything but function bodies) is checked first, for the smallest set of features that it passes
//! under. Then each body is checked once under what is known to be needed so far; only a body that fails is checked again, to
//! find what it needs on top. The set that comes out is what the validator itself accepts: nothing here knows instructions.
//! This relies on features only ever allowing more, which a test holds against the specification's test suite.

use crate::StructureCaps;
use crate::caps::check;
use crate::features::{every, smallest, validator_flags};
use crate::outline::Outline;
use crate::refusal::{Refusal, Result};
use wasmparser::types::Types;
use wasmparser::{
    Chunk, FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet};

/// A module that is valid under `features` and under none of their subsets.
pub(crate) struct Validated {
    /// What its indices mean.
    pub(crate) types: Types,
    /// What it needs.
    pub(crate) features: FeatureSet,
}

/// Validates a module, whatever features it needs.
pub(crate) fn validate(outline: &Outline<'_>, caps: &StructureCaps) -> Result<Validated> {
    let bytes = outline.bytes;
    let everything = validator_flags(every());
    if let Err(error) = check_outline(bytes, everything) {
        return Err(beyond_all_features(error, &mut || check_outline(bytes, WasmFeatures::all()).is_ok()));
    }
    let mut needed =
        smallest(FeatureSet::EMPTY, &mut |features| check_outline(bytes, validator_flags(features)).is_ok());

    let outline_flags = validator_flags(needed);
    let mut parser = Parser::new(0);
    parser.set_features(outline_flags);
    let mut validator = Validator::new_with_features(outline_flags);
    let mut allocations = FuncValidatorAllocations::default();
    let mut types = None;
    for payload in parser.parse_all(bytes) {
        match validator.payload(&payload?)? {
            ValidPayload::Func(function, body) => {
                let function = Function { function, body, caps };
                allocations = match function.check(validator_flags(needed), allocations) {
                    Ok(allocations) => allocations,
                    Err(Complaint::Cap(refusal)) => return Err(refusal),
                    Err(Complaint::Invalid(_)) => {
                        needed = function.needed(needed)?;
                        FuncValidatorAllocations::default()
                    }
                };
            }
            ValidPayload::End(end) => types = Some(end),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    // Where either of the two would do for one function, the older was taken; another function may have turned out to need the younger.
    let without_older = needed.without(Feature::FunctionReferences);
    if without_older != needed && needed.contains(Feature::Gc) && valid_under(bytes, validator_flags(without_older)) {
        needed = without_older;
    }
    match types {
        Some(types) => Ok(Validated { types, features: needed }),
        None => Err(Refusal::invalid("the module has no end", bytes.len())),
    }
}

/// Whether the whole module is valid under these features.
fn valid_under(bytes: &[u8], features: WasmFeatures) -> bool {
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in parser.parse_all(bytes) {
        match payload.and_then(|payload| validator.payload(&payload)) {
            Ok(ValidPayload::Func(function, body)) => {
                let mut function = function.into_validator(allocations);
                if function.validate(&body).is_err() {
                    return false;
                }
                allocations = function.into_allocations();
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Validates everything but function bodies.
fn check_outline(bytes: &[u8], features: WasmFeatures) -> Result<(), wasmparser::Error> {
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut rest = bytes;
    loop {
        let (consumed, payload) = match parser.parse(rest, true)? {
            Chunk::Parsed { consumed, payload } => (consumed, payload),
            // Cannot be with all bytes at hand; counts as a module that ends too soon.
            Chunk::NeedMoreData(_) => return Ok(()),
        };
        rest = rest.get(consumed..).unwrap_or_default();
        let is_end = matches!(payload, Payload::End(_));
        validator.payload(&payload)?;
        if let Payload::CodeSectionStart { size, .. } = payload {
            parser.skip_section();
            rest = usize::try_from(size).ok().and_then(|size| rest.get(size..)).unwrap_or_default();
        }
        if is_end {
            return Ok(());
        }
    }
}

/// The refusal of something that is not valid under all our features. It may be that a proposal is used that we have no name for.
pub(crate) fn beyond_all_features(error: wasmparser::Error, valid_with_the_rest: &mut dyn FnMut() -> bool) -> Refusal {
    if valid_with_the_rest() {
        let message = format!("the module uses a proposal that no engine here has: {}", error.message());
        return Refusal::from(Error::new(ErrorKind::Unsupported, message))
            .with_context("offset", format_args!("{:#x}", error.offset()));
    }
    error.into()
}

/// A function body, and what it takes to validate it as often as needed.
struct Function<'a, 'caps> {
    function: FuncToValidate<ValidatorResources>,
    body: FunctionBody<'a>,
    caps: &'caps StructureCaps,
}

/// Why a body is not let through.
enum Complaint {
    /// It is above a structure cap, whatever the features.
    Cap(Refusal),
    /// It is not valid under the features that were tried.
    Invalid(wasmparser::Error),
}

impl From<wasmparser::Error> for Complaint {
    fn from(error: wasmparser::Error) -> Self {
        Self::Invalid(error)
    }
}

impl From<Refusal> for Complaint {
    fn from(refusal: Refusal) -> Self {
        Self::Cap(refusal)
    }
}

impl Function<'_, '_> {
    /// The smallest set of features over `base` that this body is valid under.
    fn needed(&self, base: FeatureSet) -> Result<FeatureSet> {
        let valid = |features| self.check(features, FuncValidatorAllocations::default());
        match valid(validator_flags(every())) {
            Ok(_) => {}
            Err(Complaint::Cap(refusal)) => return Err(refusal),
            Err(Complaint::Invalid(error)) => {
                let refusal = beyond_all_features(error, &mut || valid(WasmFeatures::all()).is_ok());
                return Err(refusal.with_context("function", self.function.index));
            }
        }
        Ok(smallest(base, &mut |features| valid(validator_flags(features)).is_ok()))
    }

    /// Validates the body under these features.
    fn check(
        &self,
        features: WasmFeatures,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, Complaint> {
        self.check_locals()?;
        let function = FuncToValidate {
            resources: self.function.resources.clone(),
            index: self.function.index,
            ty: self.function.ty,
            features,
        };
        let mut validator = function.into_validator(allocations);
        let mut reader = self.body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        reader.set_features(features);
        let start = self.body.range().start;
        while !reader.eof() {
            let offset = reader.original_position();
            let opens_block = match self.body.as_bytes().get(offset - start) {
                Some(&(opcode::BLOCK | opcode::LOOP | opcode::IF | opcode::TRY | opcode::TRY_TABLE)) => true,
                Some(&opcode::BR_TABLE) => {
                    let mut ahead = reader.clone();
                    ahead.read_u8()?;
                    check("targets of one br_table", ahead.read_var_u32()?, self.caps.branch_targets)?;
                    false
                }
                _ => false,
            };
            reader.visit_operator(&mut validator.visitor(offset))??;
            if opens_block {
                check("nested blocks", validator.control_stack_height().saturating_sub(1), self.caps.nesting)?;
            }
        }
        let end = reader.original_position();
        reader.finish_expression(&validator.visitor(end))?;
        Ok(validator.into_allocations())
    }

    /// Refuses too many locals, before they are counted out one by one.
    fn check_locals(&self) -> Result<(), Complaint> {
        let mut total = 0u64;
        for group in self.body.get_locals_reader()? {
            let (count, _) = group?;
            total += u64::from(count);
            check("locals in one function", total, self.caps.locals)?;
        }
        Ok(())
    }
}

/// The instructions that the caps are about.
mod opcode {
    pub(super) const BLOCK: u8 = 0x02;
    pub(super) const LOOP: u8 = 0x03;
    pub(super) const IF: u8 = 0x04;
    pub(super) const TRY: u8 = 0x06;
    pub(super) const BR_TABLE: u8 = 0x0e;
    pub(super) const TRY_TABLE: u8 = 0x1f;
}

#[cfg(test)]
mod tests;
