//! The code section of a module in which something is injected.

use crate::StructureCaps;
use crate::caps::check;
use crate::meter::rewrite::{Rules, rewrite};
use crate::meter::scan::Scan;
use crate::refusal::Result;
use wasm_encoder::Encode;

/// The content of the code section: the guest's functions rewritten by these rules, and the injected ones behind them.
pub(crate) fn code_section(rules: &Rules<'_>, caps: &StructureCaps) -> Result<Vec<u8>> {
    let outline = rules.module.outline;
    let types = rules.module.types;
    let mut content = Vec::with_capacity(outline.bytes.len());
    (outline.bodies.len() + rules.growers.bodies.len()).encode(&mut content);
    let mut scan = Scan::default();
    for (body, function) in outline.bodies.iter().zip(rules.module.imported_functions..) {
        scan.read(body, &rules.module)?;
        let signature = types[types.core_function_at(function)].unwrap_func();
        let rewritten = rewrite(rules, &scan, body.as_bytes(), signature);
        check("bytes in one function, with what is injected", rewritten.len(), caps.body_bytes)?;
        rewritten.as_slice().encode(&mut content);
    }
    for body in &rules.growers.bodies {
        body.as_slice().encode(&mut content);
    }
    Ok(content)
}
