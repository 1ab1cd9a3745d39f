//! Metering against the reference, on an engine: generated guests, the specification's own programs, and cases by hand.

mod generator;
mod reference;
mod run;

use crate::{Exhausted, GuardOptions, Metering, PreparedModule, prepare};
use arbitrary::Unstructured;
use generator::{Wanted, guest};
use proptest::prelude::*;
use run::{End, Run, Seen, compile, run};
use wasmrt_model::{Feature, Limits};

/// More than any guest here uses.
const PLENTY: i64 = 1 << 40;

fn metered(bytes: &[u8], metering: Metering) -> PreparedModule {
    let mut options = GuardOptions::new(Feature::ALL.iter().copied().collect(), &Limits::UNLIMITED);
    options.metering = Some(metering);
    prepare(bytes, &options).unwrap()
}

/// One guest, metered, and what the reference says of it.
struct Pair {
    prepared: PreparedModule,
    module: wasmtime::Module,
    reference: wasmtime::Module,
    has_start: bool,
}

impl Pair {
    fn new(bytes: &[u8], fuel: bool, call_depth: bool) -> Self {
        let prepared = metered(bytes, Metering { fuel, call_depth, interruption: false });
        Self {
            module: compile(prepared.bytes()),
            reference: compile(&reference::counted(bytes)),
            has_start: prepared.info().has_start,
            prepared,
        }
    }

    fn with_limits(&self, export: &str, fuel: i64, depth: i64, exit_at: usize) -> Option<Seen> {
        let meters = self.prepared.meters().unwrap();
        // Where only depth is counted, its global stands in for the fuel that nobody reads.
        let counter = meters.fuel().map(|name| (name, fuel)).or(meters.depth().map(|name| (name, depth)));
        let depth = meters.depth().map(|name| (name, depth));
        run(&self.module, &Run { module: &[], export, fuel: counter, depth, start: meters.start(), exit_at })
    }

    fn reference(&self, export: &str, exit_at: usize) -> Option<Seen> {
        let start = self.has_start.then_some(reference::START);
        run(&self.reference, &Run { module: &[], export, fuel: None, depth: None, start, exit_at })
    }

    fn exhausted(&self, seen: &Seen) -> Option<Exhausted> {
        let meters = self.prepared.meters().unwrap();
        meters.exhausted(meters.fuel().map(|_| seen.counter), meters.depth().map(|_| seen.depth))
    }
}

/// Checks a run of an export against the reference: the same end, the same fuel at each call of the host and at the end, and the limit
/// itself to the unit. False when there was nothing to compare.
fn same_fuel(pair: &Pair, export: &str, exit_at: usize) -> bool {
    let Some(expected) = pair.reference(export, exit_at) else { return false };
    let seen = pair.with_limits(export, PLENTY, PLENTY, exit_at).unwrap();
    assert_eq!(seen.end, expected.end);
    assert_eq!(seen.state, expected.state);
    let left: Vec<i64> = expected.at_calls.iter().map(|spent| PLENTY - spent).collect();
    assert_eq!(seen.at_calls, left, "fuel at the calls of the host");
    if matches!(expected.end, End::Trapped(_)) {
        // Up to the last stretch of code; never more than was spent by then.
        assert!(PLENTY - seen.counter <= expected.counter);
        return true;
    }
    let used = expected.counter;
    assert_eq!(PLENTY - seen.counter, used, "fuel used");
    let enough = pair.with_limits(export, used, PLENTY, exit_at).unwrap();
    assert_eq!((enough.end, enough.counter, enough.state), (expected.end.clone(), 0, expected.state));
    for limit in [used - 1, used / 2, 1, 0] {
        if limit < 0 || limit >= used {
            continue;
        }
        let short = pair.with_limits(export, limit, PLENTY, exit_at).unwrap();
        assert_eq!(pair.exhausted(&short), Some(Exhausted::Fuel), "limit {limit} of {used}: {:?}", short.end);
        // The host saw nothing but what the guest could pay for, in the same order.
        let paid: Vec<i64> =
            expected.at_calls.iter().map(|spent| limit - spent).take_while(|left| *left >= 0).collect();
        assert_eq!(short.at_calls, paid);
    }
    true
}

/// Checks that a depth of exactly what the reference needed is enough.
fn same_depth(pair: &Pair, export: &str) -> bool {
    let Some(expected) = pair.reference(export, usize::MAX) else { return false };
    if !matches!(expected.end, End::Returned(_)) {
        return false;
    }
    let needed = expected.depth;
    if needed == 0 {
        // Nothing that counts was called.
        return pair.with_limits(export, PLENTY, 0, usize::MAX).unwrap().end == expected.end;
    }
    let enough = pair.with_limits(export, PLENTY, needed, usize::MAX).unwrap();
    assert_eq!((enough.end, enough.state), (expected.end, expected.state));
    let short = pair.with_limits(export, PLENTY, needed - 1, usize::MAX).unwrap();
    assert_eq!(pair.exhausted(&short), Some(Exhausted::CallDepth), "depth {needed}: {:?}", short.end);
    true
}

/// Runs an export of a guest that looks at its flag, which stands at this from the beginning.
fn flagged(bytes: &[u8], metering: Metering, export: &str, flag: i64) -> Option<Seen> {
    let prepared = metered(bytes, Metering { interruption: true, ..metering });
    let meters = prepared.meters().unwrap();
    let flag = meters.interruption().map(|name| (name, flag));
    let counter = meters.fuel().map(|name| (name, PLENTY)).or(flag);
    run(
        &compile(prepared.bytes()),
        &Run { module: &[], export, fuel: counter, depth: flag, start: meters.start(), exit_at: usize::MAX },
    )
}

/// Such a loop goes on without any branch to it.
#[test]
fn a_loop_that_catches_runs_out_of_fuel() {
    let guest = wat::parse_str(
        r#"(module (tag $e) (tag $with (param i32)) (global $g (export "g") (mut i32) (i32.const 0))
            (func $throw (throw $e))
            (func (export "all") (loop $again (try_table (catch_all $again) (throw $e))))
            (func (export "one") (loop $again (try_table (catch $e $again) (call $throw))))
            (func (export "carrying")
                (drop (i32.const 0) (loop $again (param i32) (result i32)
                    (drop) (try_table (catch $with $again) (throw $with (i32.const 1))) (i32.const 2))))
            (func (export "ends") (result i32)
                (block $done
                    (loop $again
                        (global.set $g (i32.add (global.get $g) (i32.const 1)))
                        (try_table (catch $e $again)
                            (br_if $done (i32.gt_u (global.get $g) (i32.const 9)))
                            (br_if $again (i32.and (global.get $g) (i32.const 1)))
                            (throw $e))))
                (global.get $g)))"#,
    )
    .unwrap();
    for call_depth in [false, true] {
        let pair = Pair::new(&guest, true, call_depth);
        for export in ["all", "one", "carrying"] {
            let seen = pair.with_limits(export, 10_000, PLENTY, usize::MAX).unwrap();
            assert_eq!(pair.exhausted(&seen), Some(Exhausted::Fuel), "{export}: {:?}", seen.end);
        }
        assert!(same_fuel(&pair, "ends", usize::MAX));
    }
}

#[test]
fn a_raised_flag_ends_whatever_goes_on() {
    let fuel = Metering { fuel: true, ..Metering::default() };
    let guest = wat::parse_str(
        r#"(module (table 2 funcref) (elem (i32.const 0) $even $odd)
            (func (export "spin") (loop (br 0)))
            (func (export "nested") (loop (block (br_table 1 1 (i32.const 0)))))
            (func (export "carrying") (drop (i32.const 5) (loop (param i32) (result i32) (br 0))))
            (func $recur (export "recur") (call $recur))
            (func $even (export "even") (call_indirect (i32.const 1)))
            (func $odd (call_indirect (i32.const 0)))
            (func $tail (export "tail") (return_call $tail))
            (func (export "straight") (result i32) (i32.const 7)))"#,
    )
    .unwrap();
    for metering in [Metering::default(), fuel] {
        for export in ["spin", "nested", "carrying", "recur", "even", "tail"] {
            let seen = flagged(&guest, metering, export, 1).unwrap();
            assert_eq!(seen.end, End::Trapped(wasmtime::Trap::UnreachableCodeReached), "{export}");
        }
        for flag in [0, 1] {
            assert!(matches!(flagged(&guest, metering, "straight", flag).unwrap().end, End::Returned(_)));
        }
    }
}

fn generated(seed: &[u8], wanted: Wanted) -> Vec<u8> {
    guest(&mut Unstructured::new(seed), wanted).unwrap()
}

fn text_of(bytes: &[u8]) -> String {
    format!("{} bytes", bytes.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn fuel_is_exact_for_generated_guests(seed in proptest::collection::vec(any::<u8>(), 100..1500), exit_at in 0usize..12) {
        let bytes = generated(&seed, Wanted { exceptions: true, tail_calls: true, host_in_table: true });
        for depth in [false, true] {
            let pair = Pair::new(&bytes, true, depth);
            prop_assert!(same_fuel(&pair, "run", usize::MAX), "{}", text_of(&bytes));
            prop_assert!(same_fuel(&pair, "run", exit_at));
        }
    }

    #[test]
    fn a_flag_that_is_not_raised_changes_nothing(seed in proptest::collection::vec(any::<u8>(), 100..1500), fuel: bool) {
        let bytes = generated(&seed, Wanted { exceptions: true, tail_calls: true, host_in_table: true });
        let expected = Pair::new(&bytes, true, false).with_limits("run", PLENTY, PLENTY, usize::MAX).unwrap();
        let seen = flagged(&bytes, Metering { fuel, ..Metering::default() }, "run", 0).unwrap();
        prop_assert_eq!((&seen.end, seen.state), (&expected.end, expected.state));
        if fuel {
            prop_assert_eq!((seen.counter, seen.at_calls), (expected.counter, expected.at_calls));
        }
    }

    #[test]
    fn depth_is_exact_for_generated_guests(seed in proptest::collection::vec(any::<u8>(), 100..1500)) {
        let bytes = generated(&seed, Wanted { exceptions: false, tail_calls: true, host_in_table: false });
        for fuel in [false, true] {
            prop_assert!(same_depth(&Pair::new(&bytes, fuel, true), "run"));
        }
    }
}
