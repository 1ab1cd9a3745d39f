//! Under which name native code is kept: everything that decides what it is.

use crate::cache::Key;
use wasmrt_guard::GuardOptions;
use wasmrt_model::backend::{CompileOptions, WasmEngine};
use wasmrt_model::component::ComponentOptions;

/// As [`artifact_key`], for components.
pub(super) fn component_key(
    engine: &dyn WasmEngine,
    options: ComponentOptions,
    guard: &GuardOptions,
    component: &[u8],
) -> Key {
    let capabilities = engine.capabilities();
    Key::of(&[
        b"wasmrt component 1",
        wasmrt_guard::FINGERPRINT.as_bytes(),
        format!("{guard:?} {options:?}").as_bytes(),
        capabilities.engine.as_str().as_bytes(),
        capabilities.version.as_bytes(),
        engine.component_fingerprint(options).as_bytes(),
        component,
    ])
}

/// The module as given and everything that decides what becomes of it. The guard is a function of its input, options and
/// version, so this stands for the prepared bytes, and a warm start need not prepare them.
pub(super) fn artifact_key(
    engine: &dyn WasmEngine,
    options: CompileOptions,
    guard: &GuardOptions,
    module: &[u8],
) -> Key {
    let capabilities = engine.capabilities();
    Key::of(&[
        b"wasmrt artifact 1",
        wasmrt_guard::FINGERPRINT.as_bytes(),
        format!("{guard:?}").as_bytes(),
        capabilities.engine.as_str().as_bytes(),
        capabilities.version.as_bytes(),
        engine.fingerprint(options).as_bytes(),
        module,
    ])
}
