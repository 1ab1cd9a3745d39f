//! The ways in which modules get to an engine: as they are, or through the guard.

use crate::Result;
use wasmrt_guard::{GuardOptions, Metering, Meters, Refusal, prepare};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{FeatureSet, Limit, Limits};

/// The calls that may be nested in metered runs: more than the suite needs, which is about 200, and few enough for its largest
/// frames, of a thousand locals, to fit the stack of a process in native code that was not optimised.
pub const CALL_DEPTH: i64 = 300;

/// The fuel of metered runs: more than any of the suite can use.
pub const FUEL: i64 = i64::MAX / 2;

/// A way to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passage {
    /// Bytes straight to the engine.
    Raw,
    /// Through the guard, with the limits that hold when nobody asks for others: most modules that have a memory or a table are
    /// changed by them, and hardly any script needs more.
    Guarded,
    /// Through the guard, with fuel and call depth counted, and with limits of what one 32-bit memory and one 32-bit table can be
    /// at most: what several of them can be together is counted as well.
    Metered,
}

/// A module as the engine gets it.
#[derive(Debug)]
pub struct Passed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The meters, in metered runs.
    pub meters: Option<Meters>,
}

impl Passage {
    /// Takes a module to an engine with these features.
    ///
    /// # Errors
    /// The guard's refusal.
    pub fn pass(self, module: &[u8], features: FeatureSet) -> Result<Passed, Refusal> {
        let options = match self {
            Self::Raw => return Ok(Passed { bytes: module.to_vec(), meters: None }),
            Self::Guarded => {
                let mut options = GuardOptions::new(features, &Limits::default());
                options.metering = None;
                options
            }
            Self::Metered => {
                let mut options = GuardOptions::new(features, &Limits::default());
                options.memory_bytes = Limit::At(Bytes(4 << 30));
                options.table_elements = Limit::At(Count(u32::MAX.into()));
                options.metering = Some(Metering { fuel: true, call_depth: true, interruption: true });
                options
            }
        };
        let prepared = prepare(module, &options)?;
        let meters = prepared.meters().cloned();
        Ok(Passed { bytes: prepared.into_bytes(), meters })
    }
}
