//! The schema that is checked in is the one that the code has.

#![allow(clippy::expect_used, reason = "a failed expectation is a failed test")]

use wasmrt_model::RunSpec;

#[test]
fn the_checked_in_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/run-spec.schema.json");
    let current = RunSpec::json_schema();
    if std::env::var_os("WASMRT_BLESS").is_some() {
        std::fs::write(path, &current).expect("the schema can be written");
    }
    let checked_in = std::fs::read_to_string(path).expect("the schema is checked in");
    assert!(checked_in == current, "docs/run-spec.schema.json is stale: run the test once with WASMRT_BLESS=1");
}
