//! Every file on every tier as trials for a test runner, `tier::file`, and what makes one ignored.

use crate::exclusions::Exclusions;
use crate::suite::{File, files};
use crate::tier::EngineTier;
use crate::{Result, child};
use libtest_mimic::{Arguments, Trial};
use std::collections::HashMap;

/// All trials that these arguments may select.
#[must_use]
pub fn trials(arguments: &Arguments) -> Vec<Trial> {
    let files = files();
    // Under a runner that starts a process for each trial only that one is looked at: the engine is loaded in the child.
    let only = arguments.filter.as_deref().filter(|_| arguments.exact);
    let mut trials = vec![Trial::test("exclusions", || check_exclusions().map_err(Into::into))];
    for tier in EngineTier::ALL {
        let missing = if only.is_none() { tier.missing() } else { None };
        for file in files.iter().filter(|file| runs(tier, file)) {
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

/// Whether a file is run on a tier.
fn runs(_tier: EngineTier, _file: &File) -> bool {
    true
}

/// An exclusion that is about nothing would never be found to be superfluous.
fn check_exclusions() -> Result<()> {
    let files: HashMap<String, File> = files().into_iter().map(|file| (file.name.clone(), file)).collect();
    for exclusion in Exclusions::read()?.all() {
        let wrong = |what: &str| Err(format!("{}: {what}", exclusion.file));
        if exclusion.lines.is_empty() || exclusion.runs.is_empty() || exclusion.tiers.is_empty() {
            return wrong("an exclusion without lines, runs or tiers");
        }
        if exclusion.reason.trim().is_empty() {
            return wrong("an exclusion without a reason");
        }
        let Some(file) = files.get(&exclusion.file) else { return wrong("no such file") };
        for name in &exclusion.tiers {
            match EngineTier::named(name) {
                Some(tier) if runs(tier, file) => {}
                _ => return wrong("the file is not run on such a tier"),
            }
        }
    }
    Ok(())
}
