//! Traps and the process around them.

use super::{TIERS, engine, no_host, run_alone, start};

/// The signals that somebody in this process handles.
fn handled_signals() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("SigCgt:")).unwrap().to_owned()
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_keeps_its_signal_handlers() {
    let engine = engine().unwrap();
    let before = handled_signals();
    // The standard library handles SIGSEGV and SIGBUS, so there is something to lose.
    assert!(u64::from_str_radix(before.split_whitespace().nth(1).unwrap(), 16).unwrap() & 1 << 10 != 0);
    let text = r#"(module (memory 1) (func (export "run") (result i32) (i32.load (i32.const -1))))"#;
    for tier in TIERS {
        let mut guest = start(&engine, text, tier, no_host()).unwrap();
        assert!(guest.call("run", &[]).is_err(), "{tier}");
        assert_eq!(handled_signals(), before, "{tier}");
    }
}

#[test]
fn the_signal_handlers_of_the_process_stay() {
    let Some(_) = engine() else { return };
    run_alone("tests::traps::child_keeps_its_signal_handlers", "");
}
