//! One file on one tier, in a process of its own: an engine that crashes or hangs takes nothing else with it.

use crate::Result;
use crate::exclusions::{Exclusions, Kind};
use crate::passage::Passage;
use crate::run::run;
use crate::script::Script;
use crate::suite::{File, files};
use crate::tier::EngineTier;
use crate::verdict::{complaints, differences, fuel_differences, passed, raw_differences};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The argument that makes the harness a child. What follows: the tier, the file, and for a crash the line.
pub const CHILD_ARGUMENT: &str = "--run-one-file-as-a-child";

/// How long a file may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// Runs a file in a child. The text is what there is to say about it.
///
/// # Errors
/// What is wrong with the engine or the guard.
pub fn start(tier: EngineTier, file: &str) -> Result<String> {
    let ended = child(tier, file, None)?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    if !ended.status.success() {
        let complaint = String::from_utf8_lossy(&ended.stderr);
        return Err(match ended.status.signal() {
            Some(signal) => format!("the process of the engine ended by signal {signal}\n{said}{complaint}"),
            None => format!("{said}{complaint}"),
        });
    }
    for line in Exclusions::read()?.lines(tier, file, Kind::Crash) {
        if child(tier, file, Some(line))?.status.signal().is_none() {
            return Err(format!("line {line} does not crash, so it must no longer stand in exclusions.toml"));
        }
    }
    Ok(said)
}

fn child(tier: EngineTier, file: &str, line: Option<usize>) -> Result<std::process::Output> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Command::new(program)
        .arg(CHILD_ARGUMENT)
        .args([tier.name(), file])
        .args(line.map(|line| line.to_string()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start a child: {error}"))
}

/// The child: runs the file in every passage.
///
/// # Errors
/// What is wrong.
pub fn main(mut args: impl Iterator<Item = String>) -> Result<String> {
    let (sender, receiver) = channel::<()>();
    std::thread::spawn(move || {
        if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            eprintln!("it did not end within {} s", PATIENCE.as_secs());
            std::process::abort();
        }
    });
    let name = args.next().ok_or("the tier is missing")?;
    let tier = EngineTier::named(&name).ok_or_else(|| format!("{name} is no tier"))?;
    let name = args.next().ok_or("the file is missing")?;
    let file = files().into_iter().find(|file| file.name == name).ok_or_else(|| format!("{name} is no file"))?;
    let result = match args.next() {
        None => whole(tier, &file),
        Some(line) => crash(tier, &file, line.parse().map_err(|_| format!("{line} is no line"))?),
    };
    drop(sender);
    result
}

fn whole(tier: EngineTier, file: &File) -> Result<String> {
    let script = Script::read(file)?;
    let features = tier.features()?;
    let exclusions = Exclusions::read()?;
    let crashing = exclusions.lines(tier, &file.name, Kind::Crash);
    let mut world = tier.world()?;
    let mut carry_out = |passage| -> Result<_> {
        let outcome = run(&script, passage, world.as_mut(), features, &crashing)?;
        world.renew()?;
        Ok(outcome)
    };
    let raw = carry_out(Passage::Raw)?;
    let guarded = carry_out(Passage::Guarded)?;
    let metered = carry_out(Passage::Metered)?;

    let mut found = vec![
        (Kind::Raw, raw_differences(&script, &raw.verdicts, &guarded.verdicts, file.current)),
        (Kind::Guarded, differences(&script, &raw.verdicts, &guarded.verdicts)),
        (Kind::Metered, differences(&script, &raw.verdicts, &metered.verdicts)),
    ];
    if tier != EngineTier::Wasmtime {
        let other = EngineTier::Wasmtime;
        let other = run(&script, Passage::Metered, other.world()?.as_mut(), other.features()?, &crashing)?;
        found.push((Kind::Fuel, fuel_differences(&script, &metered, &other)));
    }
    let wrong: String = found
        .iter()
        .map(|(kind, found)| complaints(*kind, found, &exclusions.lines(tier, &file.name, *kind)))
        .collect();
    let summary = format!(
        "{} directives: raw {}, guarded {}, metered {}\n",
        script.steps.len(),
        passed(&raw.verdicts),
        passed(&guarded.verdicts),
        passed(&metered.verdicts),
    );
    if wrong.is_empty() { Ok(summary) } else { Err(format!("{summary}{wrong}")) }
}

/// Runs up to a line that is said to crash the engine.
fn crash(tier: EngineTier, file: &File, line: usize) -> Result<String> {
    let mut script = Script::read(file)?;
    script.steps.retain(|step| step.line <= line);
    let mut earlier: BTreeSet<usize> = Exclusions::read()?.lines(tier, &file.name, Kind::Crash);
    earlier.remove(&line);
    run(&script, Passage::Raw, tier.world()?.as_mut(), tier.features()?, &earlier)?;
    Ok(format!("line {line} does not crash"))
}
