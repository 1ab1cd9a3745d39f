//! One file on one tier, in a process of its own: an engine that crashes or hangs takes nothing else with it.

use crate::Result;
use crate::exclusions::Exclusions;
use crate::passage::Passage;
use crate::run::run;
use crate::script::Script;
use crate::suite::{File, files};
use crate::tier::EngineTier;
use crate::verdict::{Verdicts, complaints, differences, passed, raw_differences};
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
    for line in Exclusions::read()?.crashing(tier, file) {
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
    let crashing = exclusions.crashing(tier, &file.name);
    let mut world = Some(tier.world()?);
    let mut runs = Vec::new();
    for passage in Passage::ALL {
        let mut fresh = match world.take() {
            Some(world) => world.renewed()?,
            None => tier.world()?,
        };
        let verdicts = run(&script, passage, fresh.as_mut(), features, &crashing)?;
        runs.push(Verdicts { passage, verdicts });
        world = Some(fresh);
    }
    let [raw, guarded, ..] = runs.as_slice() else { return Err("there were no two runs to compare".to_owned()) };
    let mut wrong = String::new();
    for run in &runs {
        let found = match run.passage {
            Passage::Raw => raw_differences(&script, &raw.verdicts, &guarded.verdicts, file.current),
            _ => differences(&script, &raw.verdicts, run),
        };
        let excluded = exclusions.failing(tier, &file.name, run.passage);
        wrong.push_str(&complaints(run.passage, &found, &excluded));
    }
    let counts = runs.iter().map(|run| format!("{} {}", run.passage.name(), passed(&run.verdicts)));
    let summary = format!("{} directives: {}\n", script.steps.len(), counts.collect::<Vec<_>>().join(", "));
    if wrong.is_empty() { Ok(summary) } else { Err(format!("{summary}{wrong}")) }
}

/// Runs up to a line that is said to crash the engine.
fn crash(tier: EngineTier, file: &File, line: usize) -> Result<String> {
    let mut script = Script::read(file)?;
    script.steps.retain(|step| step.line <= line);
    let mut earlier: BTreeSet<usize> = Exclusions::read()?.crashing(tier, &file.name);
    earlier.remove(&line);
    run(&script, Passage::Raw, tier.world()?.as_mut(), tier.features()?, &earlier)?;
    Ok(format!("line {line} does not crash"))
}
