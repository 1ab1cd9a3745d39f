//! Whether a module's frames fit what its calls are metered as.
//!
//! The guard counts nested calls, larger functions more than once, and a guest's stack is made for
//! [`STACK_PER_CALL`](call_depth::STACK_PER_CALL) bytes for each call that counts. An engine that catches every overflow may leave
//! it at that. Below wasmer's stacks lies a single guard page, and its code does not touch what it reserves: a function that keeps
//! more on its stack than it counts for could step over that page. The compiler says how much each function keeps at most, so
//! such functions are refused here, before anything of them runs.

use wasmer::Module;
use wasmparser::{Parser, Payload};
use wasmrt_model::limits::call_depth::{LOCALS_PER_CALL, STACK_PER_CALL};
use wasmrt_model::{Error, ErrorKind, Result};

/// Return address, frame pointer, alignment and the entry's share: what a frame takes that the compiler does not count.
const FRAME_OVERHEAD: u64 = 128;

/// The guard counts the locals of the module that it was given; it may add this many for metering at most.
const METERING_LOCALS: u64 = 64;

/// Refuses a module with a function whose frame is larger than its calls stand for.
///
/// # Errors
/// `Unsupported` naming the function; `Internal` when the compiler does not tell.
pub(crate) fn check(module: &Module, wasm: &[u8]) -> Result<()> {
    let untold = || Error::new(ErrorKind::Internal, "wasmer does not tell how much stack the functions take");
    let frames = module.sys_artifact().and_then(|artifact| artifact.finished_functions_max_stack_usage());
    let frames = frames.ok_or_else(untold)?;
    let locals = locals(module, wasm)?;
    if frames.len() != locals.len() {
        return Err(untold());
    }
    for ((function, frame), locals) in frames.into_iter().zip(locals) {
        let frame = u64::try_from(frame.ok_or_else(untold)?).unwrap_or(u64::MAX).saturating_add(FRAME_OVERHEAD);
        let most = allowed(locals);
        if frame > most {
            let index = module.info().func_index(function).as_u32();
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("function {index} takes {frame} bytes of stack on wasmer, and a call of it counts for {most}"),
            )
            .with_hint("take another engine"));
        }
    }
    Ok(())
}

/// What a function with this many locals counts for at least. (Its code counts too, but the guard's own code would be taken for it.)
fn allowed(locals: u64) -> u64 {
    let calls = (locals.saturating_sub(METERING_LOCALS) / LOCALS_PER_CALL).saturating_add(1);
    calls.saturating_mul(STACK_PER_CALL.0)
}

/// The locals of each function that the module defines, parameters included.
fn locals(module: &Module, wasm: &[u8]) -> Result<Vec<u64>> {
    let unread = |error| Error::new(ErrorKind::InvalidModule, "the prepared module cannot be read").with_source(error);
    let info = module.info();
    let mut signatures = info.functions.values().skip(info.num_imported_functions);
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload.map_err(unread)? else { continue };
        let params = signatures.next().and_then(|signature| info.signatures.get(*signature));
        let mut count = params.map_or(0, |signature| u64::try_from(signature.params().len()).unwrap_or(u64::MAX));
        for group in body.get_locals_reader().map_err(unread)? {
            let (number, _) = group.map_err(unread)?;
            count = count.saturating_add(u64::from(number));
        }
        found.push(count);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_allowed_no_more_than_it_counts_for() {
        assert_eq!(allowed(0), STACK_PER_CALL.0);
        for locals in 0..100_000 {
            let counted = locals / LOCALS_PER_CALL + 1;
            assert!(allowed(locals) <= counted * STACK_PER_CALL.0, "{locals}");
            assert!(allowed(locals) >= 8 * locals, "{locals} locals alone would not fit");
        }
    }
}
