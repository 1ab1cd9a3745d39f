//! Whether an engine can be given the host's functions at all. Linking them is the engine's business.

use wasmrt_model::backend::ImportedFunction;
use wasmrt_model::{Error, ErrorKind, Result};

/// Refuses a function with values that do not cross.
///
/// # Errors
/// `Unsupported` naming the import.
pub fn check_import(import: &ImportedFunction) -> Result<()> {
    let types = import.signature.params.iter().chain(&import.signature.results);
    if types.copied().all(wasmrt_model::ValueType::is_number) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "vectors and references do not cross to the host")
        .with_operation("instantiate")
        .with_context("import", format!("{}.{}", import.module, import.name))
        .with_context("type", &import.signature))
}
