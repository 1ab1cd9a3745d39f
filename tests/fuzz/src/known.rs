//! Where engines are known to differ, each with its reason. Nothing else is left out of a comparison.

use crate::run::{End, Step};
use wasmparser::{Parser, Payload};
use wasmrt_guard::{StructureCaps, inspect};
use wasmrt_model::module::{ExternType, Import, ModuleInfo};
use wasmrt_model::{Feature, TrapKind, ValueType};

/// Whether a run without meters can be compared on WasmEdge, whose host functions look for the memory in the frame that calls them until there is
/// an instance to look into, and that is handed out only after the start section. With meters the start is an export, which sees the memory.
///
/// Not when the start section calls the host and is itself a function of the host (WasmEdge calls it without a frame), nor when there may be tail
/// calls (between the guest and the host there is another function then). `started` is what was seen with meters.
pub(crate) fn starts_the_same_on_wasmedge(wasm: &[u8], info: &ModuleInfo, started: &Step) -> bool {
    if started.host_calls == 0 {
        return true;
    }
    if info.features.contains(Feature::TailCall) || info.features.contains(Feature::FunctionReferences) {
        return false;
    }
    let imported = info.imports.iter().filter(|import| matches!(import.extern_type, ExternType::Function(_))).count();
    let start = Parser::new(0).parse_all(wasm).map_while(Result::ok).find_map(|payload| match payload {
        Payload::StartSection { func, .. } => usize::try_from(func).ok(),
        _ => None,
    });
    start.is_none_or(|start| start >= imported)
}

/// Whether two engines may see these as the same step.
///
/// An atomic access that is out of bounds and not aligned either: wasmtime looks at the alignment first, WasmEdge at the bounds.
pub(crate) fn same_step(one: &Step, other: &Step) -> bool {
    let atomic = [End::Trapped(TrapKind::UnalignedAtomic), End::Trapped(TrapKind::MemoryOutOfBounds)];
    one == other
        || atomic.contains(&one.end)
            && atomic.contains(&other.end)
            && Step { end: other.end.clone(), ..one.clone() } == *other
}

/// Whether an engine may reject what the guard let through.
///
/// The validator takes exact references for a part of the GC proposal; to wasmtime they are one of their own, which it does not have. The
/// specification's tests exclude the same.
pub(crate) fn may_reject(reason: &str) -> bool {
    reason.contains("custom-descriptors proposal not implemented")
}

/// Whether a changed module means the same to every engine: no floats, whose NaNs are not made canonical any more after a change, no vectors whose
/// results are left open, and imports that the host has.
pub(crate) fn runs_the_same(wasm: &[u8], floats: bool) -> bool {
    let number = |value_type: &ValueType| !matches!(value_type, ValueType::V128 | ValueType::Ref);
    let can_be_offered = |import: &Import| match &import.extern_type {
        ExternType::Function(signature) => signature.params.iter().chain(&signature.results).all(number),
        _ => false,
    };
    !floats
        && inspect(wasm, &StructureCaps::default())
            .is_ok_and(|info| !info.features.contains(Feature::RelaxedSimd) && info.imports.iter().all(can_be_offered))
}
