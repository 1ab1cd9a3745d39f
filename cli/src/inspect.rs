//! `inspect`: what a file is, and which engines would run it.

use crate::args::InspectArgs;
use crate::module::{self, Module, ModuleSource};
use crate::report::ReportedError;
use crate::{output, quantity};
use serde::Serialize;
use std::fmt::Write;
use wasmrt_model::module::{Export, Import, Size};
use wasmrt_model::{Error, ErrorKind, Limits, Result};
use wasmrt_runtime::{Inspection, Runtime, RuntimeConfig, Verdict};

/// What programs read.
#[derive(Debug, Serialize)]
struct Inspected<'a> {
    file: &'a str,
    kind: String,
    file_bytes: usize,
    #[serde(flatten)]
    inspection: Option<&'a Inspection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReportedError>,
}

/// Prints what a file is. Something that no engine would run is told as an error as well.
pub(crate) fn inspect(args: &InspectArgs) -> Result<u8> {
    let source = ModuleSource::new(&args.file);
    let name = source.name();
    let module = module::read(&source, Limits::default().module_bytes)?;
    let result = Runtime::new(RuntimeConfig::default()).inspect(&module.bytes);
    if args.json {
        let inspected = Inspected {
            file: &name,
            kind: module.kind.to_string(),
            file_bytes: module.file_bytes,
            inspection: result.as_ref().ok(),
            error: result.as_ref().err().map(ReportedError::new),
        };
        let text = serde_json::to_string_pretty(&inspected)
            .map_err(|source| Error::new(ErrorKind::Internal, "cannot write JSON").with_source(source))?;
        output::print(&(text + "\n"))?;
    } else {
        output::print(&describe(&name, &module, result.as_ref().ok()))?;
    }
    result.map(|_| 0)
}

fn describe(name: &str, module: &Module, inspection: Option<&Inspection>) -> String {
    let bytes = u64::try_from(module.file_bytes).unwrap_or(u64::MAX);
    let mut text = format!("{name}: {}, {}\n", module.kind, quantity::size(bytes));
    if let Some(inspection) = inspection {
        describe_module(&mut text, inspection);
        describe_engines(&mut text, inspection);
    }
    output::printable(&text).into_owned()
}

/// Writing to a string does not fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

fn describe_module(text: &mut String, inspection: &Inspection) {
    let info = &inspection.info;
    if let Some(component) = &info.component {
        line!(text, "core modules: {}", component.modules);
        line!(text, "functions: {}", info.functions);
        line!(text, "features: {}", info.features);
        for (what, names) in [("imports", &component.imports), ("exports", &component.exports)] {
            line!(text, "{what}: {}", names.len());
            names.iter().for_each(|name| line!(text, "  {}", one_line(name)));
        }
        return;
    }
    line!(text, "functions: {}{}", info.functions, if info.has_start { ", and a start function" } else { "" });
    for memory in &info.memories {
        line!(text, "memory: {} of 64 KiB", size(memory, "pages"));
    }
    for table in &info.tables {
        line!(text, "table: {}", size(table, "elements"));
    }
    line!(text, "features: {}", info.features);
    let mut groups: Vec<(&str, Vec<&Import>)> = Vec::new();
    for import in &info.imports {
        match groups.iter_mut().find(|(module, _)| *module == import.module) {
            Some((_, imports)) => imports.push(import),
            None => groups.push((&import.module, vec![import])),
        }
    }
    line!(text, "imports: {}", info.imports.len());
    for (module, imports) in groups {
        line!(text, "  {}", one_line(module));
        let rows = imports.iter().map(|import| (one_line(&import.name), import.extern_type.to_string()));
        columns(text, "    ", rows.collect());
    }
    line!(text, "exports: {}", info.exports.len());
    let rows = info.exports.iter().map(|Export { name, extern_type }| (one_line(name), extern_type.to_string()));
    columns(text, "  ", rows.collect());
}

fn describe_engines(text: &mut String, inspection: &Inspection) {
    line!(text, "engines:");
    let rows = inspection.engines.iter().map(|verdict| (verdict.engine.to_string(), verdict_of(verdict)));
    columns(text, "  ", rows.collect());
    match (&inspection.auto, &inspection.unresolved) {
        (_, Some(unresolved)) => {
            line!(text, "no engine starts it:");
            unresolved.lines().for_each(|line| line!(text, "  {line}"));
        }
        (Some(engine), None) => line!(text, "auto takes {engine}"),
        (None, None) => line!(text, "auto takes none"),
    }
}

fn verdict_of(verdict: &Verdict) -> String {
    let tiers: Vec<&str> = verdict.tiers.iter().map(|tier| tier.as_str()).collect();
    let reason = verdict.reason.as_deref().map(one_line);
    match (tiers.is_empty(), reason) {
        (false, None) => tiers.join(", "),
        (false, Some(reason)) => format!("{} ({reason})", tiers.join(", ")),
        (true, reason) => format!("no: {}", reason.unwrap_or_else(|| "it has no tier for it".to_owned())),
    }
}

fn size(size: &Size, unit: &str) -> String {
    match size.maximum {
        Some(maximum) if maximum == size.minimum => format!("{maximum} {unit}"),
        Some(maximum) => format!("{} to {maximum} {unit}", size.minimum),
        None => format!("{} or more {unit}", size.minimum),
    }
}

/// Names come from the module and could pretend to be lines of ours.
fn one_line(name: &str) -> String {
    name.replace('\n', "\\n")
}

fn columns(text: &mut String, indent: &str, rows: Vec<(String, String)>) {
    const WIDEST: usize = 40;
    let width = rows.iter().map(|(left, _)| left.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    for (left, right) in rows {
        line!(text, "{indent}{left:width$}  {right}");
    }
}
