//! The target for `cargo fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use wasmrt_fuzz::{Engines, check};

static ENGINES: OnceLock<Engines> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let engines = ENGINES.get_or_init(|| Engines::load().unwrap_or_else(|error| panic!("{error}")));
    if let Err(finding) = check(engines, data) {
        panic!("{finding}");
    }
});
