//! `doctor`: what this machine has of what is used, and what to do about the rest.

use crate::args::DoctorArgs;
use crate::output::{self, Tone};
use wasmrt_model::{Error, ErrorKind, Result};
use wasmrt_runtime::doctor::{Check, Health, examine};
use wasmrt_runtime::{Runtime, RuntimeConfig};

/// Prints the checks. The exit code is 0 unless something is broken.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<u8> {
    let checks = examine(&Runtime::new(RuntimeConfig::default()));
    let text = if args.json {
        serde_json::to_string_pretty(&checks)
            .map(|text| text + "\n")
            .map_err(|source| Error::new(ErrorKind::Internal, "cannot write JSON").with_source(source))?
    } else {
        list(&checks)
    };
    output::print(&text)?;
    let broken = checks.iter().any(|check| check.health == Health::Broken);
    Ok(if broken { ErrorKind::Internal.exit_code() } else { 0 })
}

fn list(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let mark = match check.health {
            Health::Good => Tone::Good.paint("ok  "),
            Health::Degraded => Tone::Weak.paint("warn"),
            Health::Broken => Tone::Bad.paint("FAIL"),
        };
        text.push_str(&format!("{mark}  {:width$}  {}\n", check.name, output::printable(&check.found)));
        if let Some(fix) = &check.fix {
            text.push_str(&format!("      {:width$}  to do: {}\n", "", output::printable(fix)));
        }
    }
    text
}
