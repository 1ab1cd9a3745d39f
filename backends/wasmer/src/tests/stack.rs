//! The stacks that guests run on: what fits, what is refused, what overflows.

use super::*;
use wasmrt_model::limits::call_depth::STACK_PER_CALL;

/// A function that keeps `values` values on the stack while it calls itself, as often as it is told.
fn keeps(values: usize) -> String {
    let (push, sum) = ("(local.get 1) ".repeat(values), "i64.add ".repeat(values));
    format!(
        r#"(module (func $deeper (export "run") (param i32 i64) (result i64)
          (if (result i64) (i32.eqz (local.get 0)) (then (i64.const 0))
            (else {push} (call $deeper (i32.sub (local.get 0) (i32.const 1)) (local.get 1)) {sum}))))"#
    )
}

/// A function that keeps what it was given by calls that return much.
fn collects(results: usize, calls: usize) -> String {
    let types = "i64 ".repeat(results);
    let values = "(i64.const 1) ".repeat(results);
    format!(
        r#"(module (func $much (result {types}) {values})
        (func (export "run") {} {}))"#,
        "(call $much) ".repeat(calls),
        "drop ".repeat(results * calls),
    )
}

#[test]
fn a_guest_whose_calls_are_counted_fits_however_much_its_functions_keep() {
    let calls: i32 = 2048;
    let stack = usize::try_from(STACK_PER_CALL.0).unwrap() * usize::try_from(calls).unwrap();
    let mut tried = 0;
    for values in [0, 100, 900, 950, 970, 980, 990, 1000, 1010] {
        let wasm = wasm(&keeps(values));
        let Ok(mut module) = WasmerEngine::with_stack(64 << 10).unwrap().load(Code::Wasm(&wasm)) else { continue };
        tried = values;
        assert!(!module.reserve_stack(u64::MAX) && !module.reserve_stack(1 << 60));
        assert!(module.reserve_stack(u64::try_from(stack).unwrap()));
        let mut guest = module.instantiate(&info(), &[], no_host()).unwrap();
        let sum = guest.call("run", &[Value::I32(calls - 1), Value::I64(3)]);
        assert_eq!(sum.unwrap(), [Value::I64(3 * i64::from(calls - 1) * i64::try_from(values).unwrap())]);
    }
    assert!(tried >= 900, "a call may keep {tried} values at most");
}

#[test]
fn what_keeps_more_than_it_counts_for_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("artifact");
    for text in [keeps(1100), keeps(2000), collects(1000, 2), collects(100, 30)] {
        let wasm = wasm(&text);
        assert_eq!(engine().load(Code::Wasm(&wasm)).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(engine().compile(&wasm, BASELINE, &output).unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(!output.exists());
    }
    assert!(engine().load(Code::Wasm(&wasm(&collects(100, 3)))).is_ok());
}

#[test]
fn functions_with_many_locals_count_for_more_and_fit() {
    for locals in [300, 4_000, 48_000] {
        let uses: String = (0..locals).map(|local| format!("(local.set {local} (local.get {}))", local / 2)).collect();
        let text = format!("(module (func (export \"run\") (local {}) {uses}))", "i64 ".repeat(locals));
        let mut guest = load(&text).instantiate(&info(), &[], no_host()).unwrap();
        assert!(guest.call("run", &[]).is_ok(), "{locals}");
    }
}

#[test]
fn a_stack_of_no_usable_size_is_refused() {
    for bytes in [0, 1 << 10, usize::MAX] {
        assert_eq!(WasmerEngine::with_stack(bytes).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_stack_that_cannot_be_had_is_an_error() {
    // 128 MiB of private memory, in kibibytes. (A panic that prints a backtrace may need more than is left.)
    run_alone("tests::stack::child_asks_for_more_stack_than_it_may_have", "export RUST_BACKTRACE=0; ulimit -d 131072;");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_asks_for_more_stack_than_it_may_have() {
    let engine = WasmerEngine::with_stack(256 << 20).unwrap();
    let text = r#"(module (func $start) (start $start) (func (export "run")))"#;
    let mut module = engine.load(Code::Wasm(&wasm(text))).unwrap();
    assert!(!module.reserve_stack(256 << 20) && module.reserve_stack(16 << 20));
    assert!(module.instantiate(&info(), &[], no_host()).is_ok());
    match engine.load(Code::Wasm(&wasm(text))).unwrap().instantiate(&info(), &[], no_host()) {
        Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Internal),
        other => panic!("{other:?}"),
    }
    let text = r#"(module (func (export "run")))"#;
    let mut guest = engine.load(Code::Wasm(&wasm(text))).unwrap().instantiate(&info(), &[], no_host()).unwrap();
    match guest.call("run", &[]) {
        Err(Ending::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Internal),
        other => panic!("{other:?}"),
    }
}
