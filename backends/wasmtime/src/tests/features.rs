//! What only this engine claims, or refuses.

use super::*;

/// Without them the result of an out-of-range lane would be the processor's choice: it is 0.
#[test]
fn relaxed_vectors_give_one_result_on_every_machine() {
    let text = r#"(module (func (export "run") (result i32) (i32.add (i32.const 42)
        (i8x16.extract_lane_u 0 (i8x16.relaxed_swizzle (v128.const i8x16 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9)
          (v128.const i8x16 0x7f 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0))))))"#;
    let mut modules = vec![load(text)];
    modules.extend([BASELINE, OPTIMIZED].map(|options| artifacts::round_trip(&wasm(text), options)));
    for module in modules {
        let result = module.instantiate(&small(), &[], no_host()).unwrap().call("run", &[]);
        assert_eq!(result.unwrap(), [Value::I32(42)], "{module:?}");
    }
}

#[test]
fn shared_memories_are_refused() {
    let text = r#"(module (memory 1 2 shared) (func (export "run")))"#;
    assert!(
        engine().load(Code::Wasm(&wasm(text))).is_err() || {
            matches!(load(text).instantiate(&small(), &[], no_host()), Err(Ending::Failed(_)))
        }
    );
}

#[test]
fn both_tiers_claim_the_same_and_may_run_in_process() {
    let engine = engine();
    let capabilities = engine.capabilities();
    assert!(capabilities.features(Tier::Interpreter).is_none());
    assert_eq!(capabilities.features(Tier::Baseline), capabilities.features(Tier::Optimized));
    assert_eq!(capabilities.in_process, [Tier::Baseline, Tier::Optimized]);
    assert!(capabilities.backtrace && capabilities.components);
    assert!(!WasmtimeEngine::in_process().unwrap().capabilities().components);
}
