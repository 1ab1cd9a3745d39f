//! Expected failures, each with its reason: the file `exclusions.toml`. What stands there and does not fail is a failure too.

use crate::Result;
use crate::tier::EngineTier;
use serde::Deserialize;
use std::collections::BTreeSet;

/// All of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusions {
    #[serde(rename = "exclusion")]
    all: Vec<Exclusion>,
}

/// Directives that do not hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The file, as it is called in trials.
    pub file: String,
    /// The tiers.
    pub tiers: Vec<String>,
    /// In which runs.
    pub runs: Vec<Kind>,
    /// Where the directives stand.
    pub lines: Vec<usize>,
    /// Why that is so.
    pub reason: String,
}

/// How they do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// They fail on the engine itself.
    Raw,
    /// They hold there, and fail through the guard.
    Guarded,
    /// They hold there, and fail when they are metered.
    Metered,
    /// They use another amount of fuel than on wasmtime.
    Fuel,
    /// The engine itself crashes on them, so they are left out everywhere.
    Crash,
}

impl Kind {
    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Guarded => "guarded",
            Self::Metered => "metered",
            Self::Fuel => "fuel",
            Self::Crash => "crash",
        }
    }
}

impl Exclusions {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read() -> Result<Self> {
        toml::from_str(include_str!("../exclusions.toml")).map_err(|error| format!("exclusions.toml: {error}"))
    }

    /// Every one of them.
    #[must_use]
    pub fn all(&self) -> &[Exclusion] {
        &self.all
    }

    /// The lines of a file on a tier that do not hold in this way.
    #[must_use]
    pub fn lines(&self, tier: EngineTier, file: &str, kind: Kind) -> BTreeSet<usize> {
        let about = self.all.iter().filter(|exclusion| {
            exclusion.file == file
                && exclusion.runs.contains(&kind)
                && exclusion.tiers.iter().any(|name| name == tier.name())
        });
        about.flat_map(|exclusion| exclusion.lines.iter().copied()).collect()
    }
}
