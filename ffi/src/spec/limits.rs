//! Limits by name.

use super::{from_json, set, wasmrt_spec_t};
use crate::boundary::{ErrorOut, Text, invalid};
use serde_json::Value;
use wasmrt_runtime::model::Limits;

/// A limit by the name that it has in a run spec: "memory_bytes", "fuel", "cpu_time", "wall_time", "output_bytes" and so on. The value is a text such as "64MiB",
/// "1000000", "1.5s" or "unlimited". NULL means the default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_limit(
    spec: Option<&mut wasmrt_spec_t>,
    name: Text<'_>,
    value: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        let name = name.read("name")?;
        if !Limits::NAMES.contains(&name) {
            return Err(invalid(format!("'{name}' is not a limit"))
                .with_hint(format!("the limits are {}", Limits::NAMES.join(", "))));
        }
        let value = value.read_if_any("value")?;
        let asked = serde_json::to_value(spec.limits).map_err(|source| invalid(source.to_string()))?;
        let Value::Object(mut asked) = asked else { return Err(invalid("limits are no object")) };
        match value {
            Some(value) => asked.insert(name.to_owned(), value.into()),
            None => asked.remove(name),
        };
        spec.limits = from_json(asked.into()).map_err(|error| error.with_context("limit", name))?;
        Ok(())
    })
}
