//! Every field of a run spec and of an outcome can be reached from C.

use crate::build::{Language, Linked, Workshop, output, package, read};
use crate::header::functions;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// Each field of an outcome and what it holds, with the functions that tell of it.
const OUTCOME: &[(&str, &[(&str, &str)])] = &[
    (
        "pub struct Outcome {",
        &[
            ("status", "wasmrt_outcome_ending"),
            ("usage", "wasmrt_outcome_usage"),
            ("engine", "wasmrt_outcome_engine"),
            ("tier", "wasmrt_outcome_tier"),
            ("results", "wasmrt_outcome_result"),
            ("stdout", "wasmrt_outcome_stdout"),
            ("stderr", "wasmrt_outcome_stderr"),
            ("refusals", "wasmrt_outcome_refusal"),
            ("os_sandbox", "wasmrt_outcome_os_sandbox"),
        ],
    ),
    (
        "pub enum ExitStatus {",
        &[
            ("code", "wasmrt_outcome_code"),
            ("trap", "wasmrt_outcome_trap"),
            ("limit", "wasmrt_outcome_limit"),
            ("signal", "wasmrt_outcome_signal"),
        ],
    ),
    (
        "pub struct Trap {",
        &[
            ("kind", "wasmrt_outcome_trap"),
            ("detail", "wasmrt_outcome_trap_detail"),
            ("backtrace", "wasmrt_outcome_frame_count"),
        ],
    ),
    (
        "pub struct Frame {",
        &[
            ("function", "wasmrt_outcome_frame_function"),
            ("name", "wasmrt_outcome_frame_name"),
            ("offset", "wasmrt_outcome_frame_offset"),
            ("source", "wasmrt_outcome_frame_source"),
        ],
    ),
];

/// The names of the fields between a line and the end of what it opens.
fn fields(source: &str, opening: &str) -> Vec<String> {
    let body = source.split(opening).nth(1).unwrap_or_else(|| panic!("there is no {opening}"));
    let body = body.split("\n}").next().unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with('#'));
    let named = lines.filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).split_once(": "));
    let mut names: Vec<String> = named.map(|(name, _)| name.to_owned()).collect();
    names.dedup();
    names
}

fn model(file: &str) -> String {
    read(&package().join("../engine-core/model/src").join(file))
}

#[test]
fn every_field_of_an_outcome_has_a_function() {
    let source = model("outcome.rs");
    let functions: BTreeSet<String> = functions().into_iter().collect();
    for (opening, known) in OUTCOME {
        for field in fields(&source, opening) {
            let (_, function) =
                known.iter().find(|(name, _)| *name == field).unwrap_or_else(|| panic!("{opening} {field} has none"));
            assert!(functions.contains(*function), "{function}");
        }
    }
}

#[test]
fn every_figure_of_usage_has_a_number() {
    let header = crate::header::made();
    for field in fields(&model("outcome.rs"), "pub struct Usage {") {
        let number = format!("WASMRT_USAGE_{} = ", field.to_uppercase());
        assert!(header.contains(&number), "{number}");
    }
}

#[test]
fn every_kind_of_error_has_a_code() {
    let header = crate::header::made();
    let source = model("error.rs");
    let names: Vec<&str> = source
        .split("pub fn as_str")
        .nth(1)
        .unwrap()
        .split("\n    }\n")
        .next()
        .unwrap()
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(names.len() > 10);
    for name in names {
        let code = format!("WASMRT_ERROR_{} = ", name.to_uppercase().replace('-', "_"));
        assert!(header.contains(&code), "{code}");
    }
}

/// A program sets every field by its function; what comes out is what was set, and differs from the default in each field of the schema.
#[test]
fn every_field_of_a_spec_can_be_set() {
    let workshop = Workshop::new();
    let source = package().join("tests/programs/spec.c");
    let program = workshop.compile(&source, Language::C11, Linked::Shared);
    let printed = output(&mut Command::new(program), 0);
    let mut lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (default, set, other) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
    let schema: Value = serde_json::from_str(&read(&package().join("../docs/run-spec.schema.json"))).unwrap();
    for field in schema["properties"].as_object().unwrap().keys() {
        assert_ne!(default[field], set[field], "nothing sets {field}");
    }
    let definitions = &schema["$defs"];
    for limit in definitions["LimitsSpec"]["properties"].as_object().unwrap().keys() {
        assert!(set["limits"].get(limit).is_some(), "nothing sets {limit}");
    }
    for (parent, definition) in [("env", "Environment"), ("stdio", "Stdio"), ("network", "NetworkPolicy")] {
        for field in definitions[definition]["properties"].as_object().unwrap().keys() {
            assert_ne!(default[parent][field], set[parent][field], "nothing sets {parent}.{field}");
        }
    }
    for field in definitions["Preopen"]["properties"].as_object().unwrap().keys() {
        assert!(set["preopens"][0].get(field).is_some(), "nothing sets {field} of a preopen");
    }
    let expected = json!({
        "engine": "wasmtime", "isolation": "in-process", "require_os_sandbox": true, "aot": "never", "optimize": 2,
        "entry": { "invoke": { "name": "add", "args": ["1", "2"] } },
        "args": ["guest", "one", "two"],
        "env": { "set": { "A": "1", "B": "two words" }, "inherit": ["HOME"] },
        "preopens": [{ "host": "/tmp", "guest": "/data", "access": "ro" }, { "host": "/var", "guest": "/v", "access": "rw" }],
        "network": { "allow": ["connect=example.org:443"], "publish": ["127.0.0.1:8080:80"] },
        "clock": { "fixed": { "unix_seconds": 1_000_000_000u64 } },
        "random": { "fixed": { "seed": 7 } },
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(set[field], *value, "{field}");
    }
    assert_eq!(
        set["stdio"],
        json!({ "stdin": { "bytes": "in" }, "stdout": { "capture": { "cap": "4KiB" } }, "stderr": { "file": "/dev/null" } })
    );
    assert_eq!(set["limits"]["memory_bytes"], json!("64MiB"));
    assert_eq!(set["limits"]["wall_time"], json!("1500ms"));
    assert_eq!(set["limits"]["fuel"], json!("unlimited"));
    // And back: those of the first kind again, through the functions for them.
    for field in ["entry", "clock", "random", "optimize"] {
        assert_eq!(other[field], default[field], "{field}");
    }
    assert_eq!(other["stdio"], json!({ "stdin": "piped", "stdout": { "capture": {} }, "stderr": "null" }));
    assert!(other["limits"].get("fuel").is_none());
}
