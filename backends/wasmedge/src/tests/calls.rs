//! Memories that WasmEdge does not show by itself, and sizes that it does not have.

use super::{TIERS, engine, failure_of, i32s, no_host, prepare, start};
use wasmrt_model::ErrorKind;

#[test]
fn finding_memories_adds_no_export() {
    let Some(engine) = engine() else { return };
    let text = r#"(module (memory 1) (func (export "wasmrt:memories") (result i32) (i32.const 5)))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, no_host()).unwrap();
        assert_eq!(guest.memory_pages(), 1, "{tier}");
        assert_eq!(guest.call("wasmrt:memories", &[]).unwrap(), i32s(&[5]), "{tier}");
        assert!(guest.call("wasmrt:memories'", &[]).is_err(), "{tier}");
    }
}

#[test]
fn a_minimum_beyond_what_wasmedge_has_is_refused() {
    let Some(engine) = engine() else { return };
    let mut prepared = prepare(r#"(module (memory 1))"#);
    let module = super::load(&engine, &prepared.bytes, super::Tier::Interpreter).unwrap();
    let mut kind_for = |minimum| {
        prepared.info.memories[0].minimum = minimum;
        failure_of(module.instantiate(&prepared.info, &[], no_host()))
    };
    assert_eq!(kind_for(65537), ErrorKind::LimitExceeded);
    // And a guest that gets less than its module says does not run.
    assert_eq!(kind_for(2), ErrorKind::Internal);
}
