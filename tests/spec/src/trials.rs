//! Every file on every tier as trials for a test runner, `tier::file`, and what makes one ignored.

use crate::exclusions::{Exclusions, Kind};
use crate::suite::files;
use crate::tier::EngineTier;
use crate::{Result, child};
use libtest_mimic::{Arguments, Trial};
use std::collections::HashSet;

/// All trials that these arguments may select.
#[must_use]
pub fn trials(arguments: &Arguments) -> Vec<Trial> {
    let files = files();
    // Under a runner that starts a process for each trial only that one is looked at: the engine is loaded in the child.
    let only = arguments.filter.as_deref().filter(|_| arguments.exact);
    let mut trials = vec![Trial::test("exclusions", || check_exclusions().map_err(Into::into))];
    for tier in EngineTier::ALL {
        let missing = if only.is_none() { tier.missing() } else { None };
        for file in &files {
            let name = format!("{}::{}", tier.name(), file.name);
            if only.is_none_or(|only| only == name) {
                trials.push(trial(tier, name, file.name.clone(), missing.clone()));
            }
        }
    }
    trials
}

fn trial(tier: EngineTier, name: String, file: String, missing: Option<String>) -> Trial {
    match missing {
        Some(why) if tier.is_required() => Trial::test(name, move || Err(format!("required here: {why}").into())),
        missing => Trial::test(name, move || {
            let said = child::start(tier, &file)?;
            eprint!("{said}");
            Ok(())
        })
        .with_ignored_flag(missing.is_some()),
    }
}

/// An exclusion that is about nothing would never be found to be superfluous.
fn check_exclusions() -> Result<()> {
    let names: HashSet<String> = files().into_iter().map(|file| file.name).collect();
    for exclusion in Exclusions::read()?.all() {
        let wrong = |what: &str| Err(format!("{}: {what}", exclusion.file));
        if exclusion.lines.is_empty() || exclusion.runs.is_empty() || exclusion.tiers.is_empty() {
            return wrong("an exclusion without lines, runs or tiers");
        }
        if exclusion.reason.trim().is_empty() {
            return wrong("an exclusion without a reason");
        }
        if exclusion.runs.contains(&Kind::Fuel)
            && exclusion.tiers.iter().any(|name| name == EngineTier::Wasmtime.name())
        {
            return wrong("fuel is compared with that of wasmtime");
        }
        if !names.contains(&exclusion.file) {
            return wrong("no such file");
        }
        if let Some(tier) = exclusion.tiers.iter().find(|name| EngineTier::named(name).is_none()) {
            return wrong(&format!("{tier} is no tier"));
        }
    }
    Ok(())
}
