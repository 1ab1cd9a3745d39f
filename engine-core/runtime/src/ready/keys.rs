//! Under which name native code is kept: everything that decides what it is.

use crate::cache::Key;
use wasmrt_guard::GuardOptions;
use wasmrt_model::backend::{CompileOptions, WasmEngine};
use wasmrt_model::component::ComponentOptions;

/// The module as given and everything that decides what becomes of it. The guard is a function of its input, options and
/// version, so this stands for the prepared bytes, and a warm start need not prepare them.
pub(super) fn artifact_key(
    engine: &dyn WasmEngine,
    options: CompileOptions,
    guard: &GuardOptions,
    module: &[u8],
) -> Key {
    key(b"wasmrt artifact 1", engine, &format!("{guard:?}"), &engine.fingerprint(options), module)
}

/// As [`artifact_key`], for components.
pub(super) fn component_key(
    engine: &dyn WasmEngine,
    options: ComponentOptions,
    guard: &GuardOptions,
    component: &[u8],
) -> Key {
    let fingerprint = engine.component_fingerprint(options);
    key(b"wasmrt component 1", engine, &format!("{guard:?} {options:?}"), &fingerprint, component)
}

fn key(kind: &[u8], engine: &dyn WasmEngine, options: &str, fingerprint: &str, program: &[u8]) -> Key {
    let capabilities = engine.capabilities();
    Key::of(&[
        kind,
        wasmrt_guard::FINGERPRINT.as_bytes(),
        options.as_bytes(),
        capabilities.engine.as_str().as_bytes(),
        capabilities.version.as_bytes(),
        fingerprint.as_bytes(),
        program,
    ])
}
