//! Compares what came of a file raw with what came of it through the guard, and both with what is excluded.

use crate::exclusions::Kind;
use crate::run::{Fault, Outcome, Verdict};
use crate::script::{Script, What};
use crate::world::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Directives that do not hold and need a reason, by line.
pub type Differences = BTreeMap<usize, String>;

/// What is wrong in a raw run, leaving out what needs no reason:
/// - what the guard refuses too, because the backend does not claim it;
/// - invalid modules that the engine takes and the guard does not;
/// - in files that a later version has overruled: invalid modules that have become valid, in the opinion of both.
#[must_use]
pub fn raw_differences(script: &Script, raw: &[Verdict], guarded: &[Verdict], current: bool) -> Differences {
    let mut differences = Differences::new();
    for ((step, raw), guarded) in script.steps.iter().zip(raw).zip(guarded) {
        let Verdict::Failed(fault) = raw else { continue };
        let explained = match (fault, guarded) {
            // Line 0 is nowhere: the harness lost sight of an instance.
            (Fault::Follows(line), _) => *line > 0,
            (
                Fault::Engine(Failure::Rejected(_) | Failure::Unlinkable(_)),
                Verdict::Failed(Fault::Refused(_) | Fault::Follows(_)),
            ) => true,
            (Fault::Accepted, Verdict::Passed(_)) => matches!(step.what, What::Reject(_)),
            (Fault::Accepted, Verdict::Failed(Fault::Accepted)) => !current && matches!(step.what, What::Reject(_)),
            _ => false,
        };
        if !explained {
            differences.insert(step.line, format!("{fault:?}"));
        }
    }
    differences
}

/// What holds raw and not through the guard. Runaway recursion has to end in a metered run whatever the engine does with it.
#[must_use]
pub fn differences(script: &Script, raw: &[Verdict], other: &[Verdict]) -> Differences {
    let mut differences = Differences::new();
    for ((step, raw), other_verdict) in script.steps.iter().zip(raw).zip(other) {
        let difference = match (raw, other_verdict) {
            (_, Verdict::Failed(Fault::Follows(_))) => None,
            (Verdict::Passed(raw), Verdict::Passed(other)) => {
                (raw != other).then(|| format!("it traps, but as {other}, not as {raw}"))
            }
            (Verdict::Passed(_), Verdict::Failed(fault)) => Some(format!("{fault:?}")),
            (Verdict::Passed(_), Verdict::Skipped(why)) => Some(format!("it was skipped: {why}")),
            (Verdict::Skipped(_), Verdict::Failed(fault)) => Some(format!("{fault:?}")),
            _ => None,
        };
        if let Some(difference) = difference {
            differences.insert(step.line, difference);
        }
    }
    differences
}

/// Steps that hold on both of two tiers and used different amounts of fuel.
#[must_use]
pub fn fuel_differences(script: &Script, here: &Outcome, wasmtime: &Outcome) -> Differences {
    let mut differences = Differences::new();
    let fuel = here.fuel.iter().zip(&wasmtime.fuel);
    let verdicts = here.verdicts.iter().zip(&wasmtime.verdicts);
    for ((step, verdicts), (here, wasmtime)) in script.steps.iter().zip(verdicts).zip(fuel) {
        if matches!(verdicts, (Verdict::Passed(_), Verdict::Passed(_))) && here != wasmtime {
            differences.insert(step.line, format!("{here} units, and {wasmtime} on wasmtime"));
        }
    }
    differences
}

/// What the differences and the exclusions have not in common, as text. Empty when all is as expected.
#[must_use]
pub fn complaints(kind: Kind, differences: &Differences, excluded: &BTreeSet<usize>) -> String {
    let mut text = String::new();
    for (line, difference) in differences.iter().filter(|(line, _)| !excluded.contains(line)) {
        let _ = writeln!(text, "  {}, line {line}: {difference}", kind.name());
    }
    for line in excluded.iter().filter(|line| !differences.contains_key(line)) {
        let _ =
            writeln!(text, "  {}, line {line}: it holds, so it must no longer stand in exclusions.toml", kind.name());
    }
    text
}

/// How many directives held.
#[must_use]
pub fn passed(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Passed(_))).count()
}
