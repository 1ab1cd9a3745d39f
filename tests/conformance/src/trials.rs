//! Cases as trials for a test runner: `front-end::engine::case`, and what makes one ignored.

use crate::case::Case;
use crate::front_end::{FRONT_ENDS, FrontEnd, Observed, Report, Stage};
use crate::pair::{PAIRS, Pair, is_required, machine_lacks};
use crate::{Result, tree, verdict};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the cases are.
#[must_use]
pub fn cases_directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cases"))
}

/// Every case on every engine, tier and front-end.
///
/// # Errors
/// A case that cannot be read: that fails everything, rather than being left out.
pub fn conformance(arguments: &Arguments) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for case in Case::all(&cases_directory())? {
        let case = Arc::new(case);
        for front_end in FRONT_ENDS {
            if !front_end.takes(&case) {
                continue;
            }
            for pair in front_end.pairs(&case).iter().copied() {
                let name = format!("{}::{}::{}", front_end.name(), pair.name, case.name);
                if is_left_out(arguments, &name) {
                    continue;
                }
                let lacking = lacking(&case, front_end, &[pair])?;
                let case = Arc::clone(&case);
                trials.push(trial(name, lacking, move || run(&case, front_end, pair).map_err(Failed::from)));
            }
        }
    }
    Ok(trials)
}

/// Every case on all engines and tiers, compared with each other.
///
/// # Errors
/// As [`conformance`].
pub fn differential(arguments: &Arguments) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for case in Case::all(&cases_directory())? {
        let name = format!("rust::all::{}", case.name);
        let is_comparable = !case.header.is_for_cli() && !case.header.any_engine && case.header.varies.is_none();
        if !is_comparable || is_left_out(arguments, &name) {
            continue;
        }
        let lacking = lacking(&case, FrontEnd::Rust, PAIRS)?;
        trials.push(trial(name, lacking, move || compare(&case).map_err(Failed::from)));
    }
    Ok(trials)
}

/// Under a runner that starts a process for each trial, only that one is looked at: engines need not be loaded for the others.
fn is_left_out(arguments: &Arguments, name: &str) -> bool {
    arguments.exact && arguments.filter.as_deref().is_some_and(|wanted| wanted != name)
}

/// A trial; what the machine lacks makes it ignored, or a failure when it is required.
fn trial(name: String, lacking: Option<Lacking>, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    match lacking {
        None => Trial::test(name, run),
        Some(lacking) if is_required(lacking.name) => {
            let complaint = format!("{} is required here and lacking: {}", lacking.name, lacking.why);
            Trial::test(name, move || Err(complaint.into()))
        }
        Some(_) => Trial::test(name, run).with_ignored_flag(true),
    }
}

struct Lacking {
    name: &'static str,
    why: String,
}

fn lacking(case: &Case, front_end: FrontEnd, pairs: &[Pair]) -> Result<Option<Lacking>> {
    let name_of = |pair: &Pair| pair.engine.map_or("engine", |engine| engine.as_str());
    let machine = machine_lacks(&case.header.requires).map_err(|complaint| format!("{}: {complaint}", case.name))?;
    Ok(machine
        .map(|name| Lacking { name, why: format!("the case needs it: {}", case.header.about) })
        .or_else(|| case.guest.missing().map(|why| Lacking { name: case.guest.kind(), why }))
        .or_else(|| front_end.missing().map(|why| Lacking { name: front_end.name(), why }))
        .or_else(|| pairs.iter().find_map(|pair| pair.missing().map(|why| Lacking { name: name_of(pair), why }))))
}

fn run(case: &Case, front_end: FrontEnd, pair: Pair) -> Result<()> {
    // The crate is called several times in one process, to find leaks; a program can only be started again.
    let times = if front_end == FrontEnd::Cli { case.header.times } else { 1 };
    for round in 0..times {
        let mut stage = Stage::set(case, pair)?;
        let observed = front_end.run(case, pair, &mut stage)?;
        let mut wrong = verdict::differences(case, pair, front_end, &observed);
        if pair.unmet(&case.header.requires).is_none()
            && front_end.unmet(case, pair).is_none()
            && let Err(files) = tree::check(&stage.root(), &case.header.after)
        {
            wrong.extend(files);
        }
        if !wrong.is_empty() {
            let round = if times > 1 { format!(" (run {} of {times})", round + 1) } else { String::new() };
            return Err(format!("{}{round}\n  - {}", case.header.about, wrong.join("\n  - ")));
        }
    }
    Ok(())
}

/// What has to be the same everywhere.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    ending: String,
    results: String,
    stdout: String,
    stderr: String,
    figures: [Option<u64>; 3],
    files: Vec<String>,
}

fn compare(case: &Case) -> Result<()> {
    let mut seen: Vec<(&'static str, Essence)> = Vec::new();
    for pair in PAIRS.iter().copied() {
        if pair.unmet(&case.header.requires).is_some() {
            continue;
        }
        let mut stage = Stage::set(case, pair)?;
        let observed = FrontEnd::Rust.run(case, pair, &mut stage)?;
        seen.push((pair.name, essence(&observed, tree::snapshot(&stage.root())?)));
    }
    let mut wrong = Vec::new();
    if let Some(((name, first), others)) = seen.split_first() {
        for (other, essence) in others.iter().filter(|(_, essence)| essence != first) {
            wrong.push(format!("{name} and {other} differ:\n{first:#?}\n{essence:#?}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn essence(observed: &Observed, files: Vec<String>) -> Essence {
    let (ending, results, figures) = match &observed.report {
        Some(Report::Outcome(outcome)) => {
            let usage = &outcome.usage;
            let figures = [usage.fuel, Some(usage.output_bytes), Some(usage.written_bytes)];
            (verdict::status(&outcome.status), format!("{:?}", outcome.results), figures)
        }
        Some(Report::Error { kind, .. }) => (format!("error {kind}"), String::new(), [None; 3]),
        other => (verdict::shown(other.as_ref()), String::new(), [None; 3]),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Essence { ending, results, stdout: text(&observed.stdout), stderr: text(&observed.stderr), figures, files }
}
