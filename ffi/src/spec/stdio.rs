//! Where a guest's standard streams go.

use super::{set, wasmrt_spec_t};
use crate::boundary::{ErrorOut, Text, invalid, slice};
use wasmrt_runtime::model::stdio::{Input, Output};
use wasmrt_runtime::model::units::Bytes;
use wasmrt_runtime::model::{Result, Stdio};

/// Where standard input comes from: "inherit" (this program's own, the default), "null" (empty) or "piped" (a pipe to be written to while the guest runs).
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stdin(
    spec: Option<&mut wasmrt_spec_t>,
    source: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.stdio.stdin = match source.read("source")? {
            "inherit" => Input::Inherit,
            "null" => Input::Null,
            "piped" => Input::Piped,
            other => return Err(invalid(format!("'{other}' is neither inherit, null nor piped"))),
        };
        Ok(())
    })
}

/// Standard input is these bytes, which are copied.
///
/// # Safety
/// `bytes` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_spec_set_stdin_bytes(
    spec: Option<&mut wasmrt_spec_t>,
    bytes: *const u8,
    size: usize,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        // SAFETY: the caller's promise.
        spec.stdio.stdin = Input::Bytes(unsafe { slice(bytes, size, "bytes") }?.to_vec());
        Ok(())
    })
}

/// Standard input is this file.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stdin_file(
    spec: Option<&mut wasmrt_spec_t>,
    path: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.stdio.stdin = Input::File(path.path("path")?.into());
        Ok(())
    })
}

/// Where standard output goes: "inherit" (this program's own, the default), "null" (nowhere), "capture" (into the outcome, up to the limit output_bytes) or "piped"
/// (a pipe to be read from while the guest runs).
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stdout(
    spec: Option<&mut wasmrt_spec_t>,
    sink: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stdout, || named(sink))
}

/// Standard output goes to this file, which is made or emptied.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stdout_file(
    spec: Option<&mut wasmrt_spec_t>,
    path: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stdout, || Ok(Output::File(path.path("path")?.into())))
}

/// Standard output goes into the outcome. A guest that writes more than `bytes` is ended.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stdout_capture(
    spec: Option<&mut wasmrt_spec_t>,
    bytes: u64,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stdout, || Ok(Output::Capture { cap: Some(Bytes(bytes)) }))
}

/// Where standard error goes, as wasmrt_spec_set_stdout.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stderr(
    spec: Option<&mut wasmrt_spec_t>,
    sink: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stderr, || named(sink))
}

/// Standard error goes to this file, which is made or emptied.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stderr_file(
    spec: Option<&mut wasmrt_spec_t>,
    path: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stderr, || Ok(Output::File(path.path("path")?.into())))
}

/// Standard error goes into the outcome. A guest that writes more than `bytes` is ended.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_stderr_capture(
    spec: Option<&mut wasmrt_spec_t>,
    bytes: u64,
    error: ErrorOut<'_>,
) -> bool {
    set_output(spec, error, |stdio| &mut stdio.stderr, || Ok(Output::Capture { cap: Some(Bytes(bytes)) }))
}

fn set_output(
    spec: Option<&mut wasmrt_spec_t>,
    error: ErrorOut<'_>,
    place: impl FnOnce(&mut Stdio) -> &mut Output,
    output: impl FnOnce() -> Result<Output>,
) -> bool {
    set(spec, error, |spec| {
        *place(&mut spec.stdio) = output()?;
        Ok(())
    })
}

fn named(sink: Text<'_>) -> Result<Output> {
    Ok(match sink.read("sink")? {
        "inherit" => Output::Inherit,
        "null" => Output::Null,
        "piped" => Output::Piped,
        "capture" => Output::Capture { cap: None },
        other => return Err(invalid(format!("'{other}' is neither inherit, null, capture nor piped"))),
    })
}
