//! Specs as the JavaScript half writes them: a RunSpec in JSON, in which preopens may stand in docker's form.

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use wasmrt_runtime::model::stdio::{Input, Output};
use wasmrt_runtime::model::{Error, ErrorKind, Preopen, Result, RunSpec};

/// Where a spec was written: standard input, since it need not be text, and the directory at which relative paths begin, since the process may
/// have changed it by the time at which the run starts.
#[napi(object, object_to_js = false)]
pub struct Around {
    /// Standard input.
    pub stdin: Option<Uint8Array>,
    /// The current directory. None when it is gone.
    pub directory: Option<String>,
}

/// Reads a spec.
pub(crate) fn read(json: &str, around: Around) -> Result<RunSpec> {
    let wrong = |source: serde_json::Error| Error::new(ErrorKind::InvalidInput, "not a run spec").with_source(source);
    let mut value: Json = serde_json::from_str(json).map_err(wrong)?;
    if let Some(preopens) = value.get_mut("preopens").and_then(Json::as_array_mut) {
        for preopen in preopens {
            if let Some(text) = preopen.as_str() {
                let parsed: Preopen = text.parse()?;
                *preopen = serde_json::to_value(parsed).map_err(wrong)?;
            }
        }
    }
    let mut spec: RunSpec = serde_json::from_value(value.clone()).map_err(|source| match blame(&value) {
        Some(field) => Error::new(ErrorKind::InvalidInput, format!("not a run spec, in {field}")).with_source(source),
        None => wrong(source),
    })?;
    if let Some(bytes) = around.stdin {
        spec.stdio.stdin = Input::Bytes(bytes.to_vec());
    }
    let directory = around.directory.map(PathBuf::from);
    let make_absolute = |path: &mut PathBuf| make_absolute(path, directory.as_deref());
    for preopen in &mut spec.preopens {
        make_absolute(&mut preopen.host)?;
    }
    if let Input::File(path) = &mut spec.stdio.stdin {
        make_absolute(path)?;
    }
    for output in [&mut spec.stdio.stdout, &mut spec.stdio.stderr] {
        if let Output::File(path) = output {
            make_absolute(path)?;
        }
    }
    Ok(spec)
}

/// The field that makes no spec even by itself.
fn blame(spec: &Json) -> Option<String> {
    let alone = |name: &str, field: &Json| Json::Object([(name.to_owned(), field.clone())].into_iter().collect());
    let is_wrong = |spec: Json| serde_json::from_value::<RunSpec>(spec).is_err();
    let (name, field) = spec.as_object()?.iter().find(|(name, field)| is_wrong(alone(name, field)))?;
    let fields = field.as_object().into_iter().flatten();
    let within = fields.into_iter().find(|(inner, value)| is_wrong(alone(name, &alone(inner, value))));
    Some(match within {
        Some((inner, _)) => format!("{name}.{inner}"),
        None => name.clone(),
    })
}

fn make_absolute(path: &mut PathBuf, directory: Option<&Path>) -> Result<()> {
    if !path.is_absolute() {
        let directory = directory.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the current directory is gone, and a path begins there")
                .with_context("path", path.display())
        })?;
        *path = directory.join(&*path);
    }
    Ok(())
}
