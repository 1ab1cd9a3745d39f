//! What a zygote keeps of jobs that were done, so that the next ones of the same module need not find it again: engine and native code.
//!
//! It holds open artifacts whose seals were checked in this process, and nothing of a guest's. For a while only: somebody may have made
//! better code meanwhile.

use crate::cache::Key;
use crate::ready::ArtifactNote;
use crate::wire::ModuleName;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use wasmrt_model::component::ComponentOptions;
use wasmrt_model::{Ceiling, EngineName, RunSpec, Tier};

/// As many descriptors are held.
const MOST_ENTRIES: usize = 64;
/// After this long the cache is asked again.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// A module, and everything in a spec, and above it, that decides what code is made of it and who runs that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted([u8; 32]);

impl Wanted {
    pub(crate) fn of(module: ModuleName, spec: &RunSpec, ceiling: &Ceiling) -> Option<Self> {
        let RunSpec { engine, isolation, require_os_sandbox, aot, optimize, limits, .. } = spec;
        let decides = (module, engine, isolation, require_os_sandbox, aot, optimize, limits, ceiling);
        Some(Self(*blake3::hash(&serde_json::to_vec(&decides).ok()?).as_bytes()))
    }
}

/// What a supervisor tells its zygote of a job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Learned {
    pub(crate) engine: EngineName,
    /// The native code that was used, when it is in the cache.
    pub(crate) code: Option<LearnedCode>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LearnedCode {
    pub(crate) wanted: Wanted,
    pub(crate) key: Key,
    pub(crate) tier: Tier,
    pub(crate) component: Option<ComponentOptions>,
}

/// Code that was found, and what is known of its module.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) engine: EngineName,
    pub(crate) tier: Tier,
    pub(crate) component: Option<ComponentOptions>,
    pub(crate) note: ArtifactNote,
    pub(crate) code: File,
    wanted: Wanted,
    since: Instant,
}

/// The most recent ones.
#[derive(Debug, Default)]
pub(crate) struct Kept(VecDeque<Entry>);

impl Kept {
    pub(crate) fn get(&self, wanted: Wanted) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.wanted == wanted && entry.since.elapsed() < FRESH_FOR)
    }

    /// `code` and `note` come from the cache, which has checked them.
    pub(crate) fn keep(&mut self, engine: EngineName, learned: &LearnedCode, note: ArtifactNote, code: File) {
        let LearnedCode { wanted, tier, component, .. } = *learned;
        self.0.retain(|entry| entry.wanted != wanted && entry.since.elapsed() < FRESH_FOR);
        if self.0.len() >= MOST_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(Entry { engine, tier, component, note, code, wanted, since: Instant::now() });
    }

    /// There may be better code now than what is kept.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// What those who are to use it have to keep open.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|entry| entry.code.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmrt_model::ModuleInfo;

    fn wanted(json: &str) -> Wanted {
        Wanted::of(ModuleName::of(b"module"), &RunSpec::from_json(json).unwrap(), &Ceiling::default()).unwrap()
    }

    fn keep(kept: &mut Kept, wanted: Wanted) {
        let learned = LearnedCode { wanted, key: Key::of(&[]), tier: Tier::Optimized, component: None };
        let note = ArtifactNote { info: ModuleInfo::default(), meters: None };
        kept.keep(EngineName::Wasmtime, &learned, note, File::open("/dev/null").unwrap());
    }

    #[test]
    fn what_decides_about_code_is_told_apart_and_nothing_else() {
        let plain = wanted("{}");
        assert_eq!(plain, wanted(r#"{"args": ["a"], "env": {"set": {"A": "B"}}, "stdio": {"stdin": "null"}}"#));
        for other in
            [r#"{"engine": "wasmtime"}"#, r#"{"aot": "never"}"#, r#"{"optimize": 0}"#, r#"{"limits": {"fuel": 5}}"#]
        {
            assert_ne!(plain, wanted(other));
        }
        let spec = RunSpec::default();
        assert_ne!(Some(plain), Wanted::of(ModuleName::of(b"other"), &spec, &Ceiling::default()));
        let lower = Ceiling::from_json(r#"{"limits": {"memory_bytes": "1MiB"}}"#).unwrap();
        assert_ne!(Some(plain), Wanted::of(ModuleName::of(b"module"), &spec, &lower));
    }

    #[test]
    fn the_most_recent_ones_are_kept_and_no_more() {
        let mut kept = Kept::default();
        let of = |fuel: usize| wanted(&format!(r#"{{"limits": {{"fuel": {fuel}}}}}"#));
        for fuel in 0..=MOST_ENTRIES {
            keep(&mut kept, of(fuel));
            keep(&mut kept, of(fuel));
        }
        assert!(kept.get(of(0)).is_none());
        assert!((1..=MOST_ENTRIES).all(|fuel| kept.get(of(fuel)).is_some()));
        assert_eq!(kept.descriptors().count(), MOST_ENTRIES);
        kept.forget();
        assert!(kept.get(of(5)).is_none());
    }
}
