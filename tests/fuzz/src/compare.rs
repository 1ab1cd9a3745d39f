//! What has to agree, and whether it does.

use crate::digest::Stream;
use crate::engines::Engines;
use crate::guest::{Guest, guest};
use crate::hostile;
use crate::known;
use crate::report::{Finding, Report, chain};
use crate::run::{Budget, DEPTH, End, FUEL, Loaded, Trace};
use wasmrt_guard::{Exhausted, PreparedModule, prepare};
use wasmrt_model::backend::{Code, WasmEngine};
use wasmrt_model::{ErrorKind, Feature};

type Result<T = (), E = Finding> = std::result::Result<T, E>;

fn is_hostile(kind: u8) -> bool {
    kind.is_multiple_of(4)
}

/// The module that these bytes stand for; None when they stand for none.
pub(crate) fn module(data: &[u8]) -> Option<Vec<u8>> {
    let (kind, rest) = data.split_first()?;
    if is_hostile(*kind) {
        return Some(hostile::bytes(rest, &mut hostile::choices(rest)).0);
    }
    Some(guest(rest).ok()?.wasm)
}

/// Checks what these bytes stand for.
pub(crate) fn input(engines: &Engines, data: &[u8], report: &mut Report) -> Result {
    report.count("inputs");
    let Some((kind, rest)) = data.split_first() else { return Ok(()) };
    if is_hostile(*kind) {
        return hostile::input(engines, rest, report);
    }
    let guest = match guest(rest) {
        Ok(guest) => guest,
        Err(why) => {
            report.count(&format!("no module from these bytes: {why}"));
            return Ok(());
        }
    };
    report.count("modules");
    whole(engines, &guest, report)
}

/// Everything about one guest.
pub(crate) fn whole(engines: &Engines, guest: &Guest, report: &mut Report) -> Result {
    let features = engines.features();
    let prepared = match prepare(&guest.wasm, &guest.options(features, guest.metered())) {
        Ok(prepared) => prepared,
        Err(refusal) => {
            // A valid module of features that are there has a limit, or shares memory.
            let expected = refusal.kind() == ErrorKind::LimitExceeded
                || refusal.kind() == ErrorKind::Unsupported && refusal.missing_features().is_empty();
            report.count(&format!("refused by the guard: {}", refusal.kind().as_str()));
            return if expected { Ok(()) } else { Err(Finding::new("the guard refuses", refusal.to_string())) };
        }
    };
    let plain = prepare(&guest.wasm, &guest.options(features, guest.unmetered()))
        .map_err(|refusal| Finding::new("the guard refuses without fuel", refusal.to_string()))?;
    still_valid(engines, guest, &prepared)?;

    let calls = guest.calls(prepared.info());
    let load = |engine: &dyn WasmEngine, prepared: &PreparedModule| {
        engine
            .load(Code::Wasm(prepared.bytes()))
            .map_err(|error| Finding::new("an engine rejects what the guard prepared", chain(&error)))
    };
    let metered = Loaded::new(load(&engines.wasmtime, &prepared)?, &prepared, &calls);
    let expected = metered.run(None);
    tally(&expected, report);
    sane(&expected)?;

    let bounded = bounded(&expected);
    let few = calls.get(..bounded.steps.len().saturating_sub(1)).unwrap_or_default();
    if !bounded.steps.is_empty() {
        let unmetered = Loaded::new(load(&engines.wasmtime, &plain)?, &plain, few);
        same("wasmtime without fuel", &bounded, &unmetered.run(None))?;
        report.count("compared: wasmtime without fuel");
    }
    exact(&metered, &expected, guest, "wasmtime", report)?;

    let needed = prepared.info().features;
    if let Some(every) = engines.native_every
        && guest.seed.is_multiple_of(every)
        && engines.native_has(needed)
    {
        let native = Loaded::new(engines.native(prepared.bytes())?, &prepared, &calls);
        same("wasmedge's native code", &expected, &native.run(None))?;
        report.count("compared: wasmedge's native code");
    }
    if engines.interpreter_has(needed) {
        let other = Loaded::new(load(&engines.wasmedge, &prepared)?, &prepared, &calls);
        same("wasmedge with meters", &expected, &other.run(None))?;
        report.count("compared: wasmedge with meters");
        exact(&other, &expected, guest, "wasmedge", report)?;
        if let Some(started) = bounded.steps.first()
            && known::starts_the_same_on_wasmedge(&guest.wasm, prepared.info(), started)
        {
            let other = Loaded::new(load(&engines.wasmedge, &plain)?, &plain, few);
            same("wasmedge without fuel", &bounded, &other.run(None))?;
            report.count("compared: wasmedge without fuel");
        }
    }
    Ok(())
}

/// The prepared module is one that the guard itself takes, and needs no more than the guest did.
fn still_valid(engines: &Engines, guest: &Guest, prepared: &PreparedModule) -> Result {
    let mut options = guest.options(engines.features(), None);
    // Functions grow, and by how much is no matter here.
    options.memory_bytes = wasmrt_model::Limit::Unlimited;
    options.table_elements = wasmrt_model::Limit::Unlimited;
    let again = prepare(prepared.bytes(), &options)
        .map_err(|refusal| Finding::new("the guard refuses its own module", refusal.to_string()))?;
    let more = again.info().features.difference(prepared.info().features.with(Feature::MutableGlobal));
    if !more.is_empty() {
        return Err(Finding::new("the prepared module needs more features", more.to_string()));
    }
    if again.bytes() != prepared.bytes() {
        return Err(Finding::new("a module that needs no change is changed", ""));
    }
    Ok(())
}

fn tally(trace: &Trace, report: &mut Report) {
    report.count("executed");
    report.add("calls", u64::try_from(trace.steps.len()).unwrap_or(0));
    report.add("calls of the host", u64::try_from(trace.host.len()).unwrap_or(0));
    for step in &trace.steps {
        match &step.end {
            End::Returned(_) => report.count("ended: returned"),
            End::Exited(_) => report.count("ended: exited"),
            End::Trapped(kind) => report.count(&format!("ended: trap {}", kind.as_str())),
            End::Exhausted(Exhausted::Fuel) => report.count("ended: out of fuel"),
            End::Exhausted(_) => report.count("ended: out of depth"),
            End::Limit(_) => report.count("ended: limit"),
            End::Failed(_) => report.count("ended: failed"),
        }
    }
}

/// What no guest of ours may end with.
fn sane(trace: &Trace) -> Result {
    for step in &trace.steps {
        if let End::Failed(why) = &step.end {
            return Err(Finding::new("a guest fails", why.clone()));
        }
        if step.end == End::Trapped(wasmrt_model::TrapKind::StackOverflow) {
            return Err(Finding::new("the stack overflows within the depth limit", format!("{step:?}")));
        }
    }
    Ok(())
}

/// What a run without fuel has to show: the steps before a meter runs out, without fuel.
fn bounded(trace: &Trace) -> Trace {
    let mut steps = trace.steps.clone();
    steps.truncate(steps.iter().position(|step| matches!(step.end, End::Exhausted(_))).unwrap_or(steps.len()));
    for step in &mut steps {
        step.fuel = None;
    }
    let mut host = trace.host.clone();
    host.truncate(steps.last().map_or(0, |step| step.host_calls));
    Trace { steps, host }
}

fn agree(expected: &Trace, seen: &Trace) -> bool {
    expected.steps.len() == seen.steps.len()
        && expected.host == seen.host
        && expected.steps.iter().zip(&seen.steps).all(|(expected, seen)| known::same_step(expected, seen))
}

/// Finds the first difference.
fn same(who: &'static str, expected: &Trace, seen: &Trace) -> Result {
    let steps = || expected.steps.iter().zip(&seen.steps);
    if agree(expected, seen) {
        return Ok(());
    }
    let mut detail = String::new();
    if let Some(index) = expected.host.iter().zip(&seen.host).position(|(expected, seen)| expected != seen) {
        detail += &format!("host call {index}: {:x?} instead of {:x?}; ", seen.host[index], expected.host[index]);
    } else if expected.host.len() != seen.host.len() {
        detail += &format!("{} host calls instead of {}; ", seen.host.len(), expected.host.len());
    }
    match steps().position(|(expected, seen)| !known::same_step(expected, seen)) {
        Some(index) => {
            let (expected, seen) = (&expected.steps[index], &seen.steps[index]);
            detail += &format!("step {index}: {seen:x?} instead of {expected:x?}");
        }
        None => detail += &format!("{} steps instead of {}", seen.steps.len(), expected.steps.len()),
    }
    Err(Finding::new("does not agree", format!("{who}: {detail}")))
}

/// Checks, for one step that ended by itself, that its fuel is enough and one unit less is not, and the same of depth.
fn exact(loaded: &Loaded<'_>, expected: &Trace, guest: &Guest, who: &str, report: &mut Report) -> Result {
    let mut choices = Stream::new(guest.seed ^ 0x5eed);
    let own = |end: &End| {
        matches!(end, End::Returned(_) | End::Exited(_) | End::Trapped(wasmrt_model::TrapKind::UncaughtException))
    };
    let candidates: Vec<_> = expected
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| step.fuel.filter(|fuel| own(&step.end) && *fuel > 0).map(|fuel| (index, fuel)))
        .collect();
    let choice = usize::try_from(choices.below(u64::try_from(candidates.len()).unwrap_or(1))).unwrap_or(0);
    let Some(&(step, used)) = candidates.get(choice) else { return Ok(()) };
    let wrong = |what: &str, limit: i64, seen: &Trace| {
        let end = seen.steps.last().map(|step| &step.end);
        Err(Finding::new("not exact", format!("{who}, step {step}, {what} {limit}: {end:?}, used {used} with plenty")))
    };
    let before = Trace {
        steps: expected.steps[..=step].to_vec(),
        host: expected.host[..expected.steps[step].host_calls].to_vec(),
    };

    let enough = loaded.run(Some(Budget { step, fuel: used, depth: DEPTH }));
    if !agree(&before, &enough) {
        return wrong("fuel", used, &enough);
    }
    for limit in [used - 1, i64::try_from(choices.below(u64::try_from(used).unwrap_or(1))).unwrap_or(0)] {
        let short = loaded.run(Some(Budget { step, fuel: limit, depth: DEPTH }));
        let ends = short.steps.last().is_some_and(|last| last.end == End::Exhausted(Exhausted::Fuel));
        if !ends || short.steps.len() != before.steps.len() || !before.host.starts_with(&short.host) {
            return wrong("fuel", limit, &short);
        }
    }
    report.count("exact: fuel");

    // The least depth with which it ends the same: found by halving, and one less has to run out.
    if !choices.one_in(4) || FUEL < used {
        return Ok(());
    }
    let at = |depth: i64| loaded.run(Some(Budget { step, fuel: FUEL, depth }));
    let (mut short, mut enough) = (-1, DEPTH);
    while enough - short > 1 {
        let depth = i64::midpoint(short, enough);
        let seen = at(depth);
        if agree(&before, &seen) {
            enough = depth;
        } else if seen.steps.last().is_some_and(|last| last.end == End::Exhausted(Exhausted::CallDepth)) {
            short = depth;
        } else {
            return wrong("depth", depth, &seen);
        }
    }
    report.count("exact: depth");
    report.add("depth needed", u64::try_from(enough).unwrap_or(0));
    Ok(())
}
