//! `engines`: which there are, in which version, and what they can do.

use crate::args::EnginesArgs;
use crate::output::{self, Tone};
use crate::report::ReportedError;
use serde::Serialize;
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result};
use wasmrt_runtime::{EngineStatus, Runtime, RuntimeConfig};

/// What programs read of one engine.
#[derive(Debug, Serialize)]
struct Engine<'a> {
    name: EngineName,
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<&'a Capabilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReportedError>,
}

/// Prints the engines.
pub(crate) fn engines(args: &EnginesArgs) -> Result<u8> {
    let statuses = Runtime::new(RuntimeConfig::default()).engines();
    let text = if args.json { json(&statuses)? } else { table(&statuses, args.verbose) };
    output::print(&text).map(|()| 0)
}

fn json(statuses: &[EngineStatus]) -> Result<String> {
    let engines: Vec<Engine<'_>> = statuses
        .iter()
        .map(|status| Engine {
            name: status.name,
            available: status.capabilities.is_ok(),
            capabilities: status.capabilities.as_ref().ok(),
            error: status.capabilities.as_ref().err().map(ReportedError::new),
        })
        .collect();
    serde_json::to_string_pretty(&engines)
        .map(|text| text + "\n")
        .map_err(|source| Error::new(ErrorKind::Internal, "cannot write JSON").with_source(source))
}

fn table(statuses: &[EngineStatus], verbose: bool) -> String {
    let mut rows = vec![["ENGINE", "STATE", "VERSION", "TIERS", "FEATURES", "WHERE"].map(str::to_owned)];
    rows.extend(statuses.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let padded = format!("{:width$}", output::printable(cell));
                match (index, column) {
                    (1.., 1) if cell == "ready" => Tone::Good.paint(&padded),
                    (1.., 1) => Tone::Weak.paint(&padded),
                    _ => padded,
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    if verbose {
        statuses.iter().for_each(|status| text.push_str(&details(status)));
    }
    text
}

fn row(status: &EngineStatus) -> [String; 6] {
    let name = status.name.to_string();
    match &status.capabilities {
        Ok(capabilities) => {
            let tiers: Vec<&str> = capabilities.tiers.iter().map(|tier| tier.tier.as_str()).collect();
            [
                name,
                "ready".to_owned(),
                capabilities.version.clone(),
                tiers.join(", "),
                capabilities.all_features().iter().count().to_string(),
                capabilities.path.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string()),
            ]
        }
        Err(error) => {
            let dash = || "-".to_owned();
            [name, "missing".to_owned(), dash(), dash(), dash(), output::sentence(error)]
        }
    }
}

fn details(status: &EngineStatus) -> String {
    let name = status.name;
    let mut text = format!("\n{name}\n");
    match &status.capabilities {
        Ok(capabilities) => {
            for tier in &capabilities.tiers {
                text.push_str(&format!("  {}: {}\n", tier.tier, tier.features));
            }
            let in_process: Vec<&str> = capabilities.in_process.iter().map(|tier| tier.as_str()).collect();
            let in_process = if in_process.is_empty() { "no".to_owned() } else { in_process.join(", ") };
            text.push_str(&format!(
                "  backtraces: {}\n  components: {}\n  in-process: {in_process}\n",
                yes_or_no(capabilities.backtrace),
                yes_or_no(capabilities.components)
            ));
        }
        Err(error) => {
            text.push_str(&format!("  {}\n", output::printable(&output::sentence(error))));
            if let Some(hint) = error.hint() {
                text.push_str(&format!("  hint: {}\n", output::printable(hint)));
            }
        }
    }
    text
}

fn yes_or_no(condition: bool) -> &'static str {
    if condition { "yes" } else { "no" }
}
