//! What the guard is told: the engine's features, the limits, the structure caps and what is to be metered.

use crate::{OwnMemory, StructureCaps};
use wasmrt_model::units::{Bytes, Count};
use wasmrt_model::{FeatureSet, Limit, Limits};

/// What a module is checked against and prepared for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardOptions {
    /// What the engine has, in the tier that will run the module.
    pub features: FeatureSet,
    /// The sum over all memories.
    pub memory_bytes: Limit<Bytes>,
    /// The sum over all tables.
    pub table_elements: Limit<Count>,
    /// The size of the module as it is given.
    pub module_bytes: Limit<Bytes>,
    /// Bounds of what a module may consist of.
    pub caps: StructureCaps,
    /// What is counted while the module runs.
    pub metering: Option<Metering>,
    /// Memories that become the module's own if it imports them.
    pub own_memories: Vec<OwnMemory>,
    /// Whether the engine runs components. Without it they are refused.
    pub components: bool,
}

impl GuardOptions {
    /// The options that follow from an engine's features and the limits of a run: what is limited is metered.
    #[must_use]
    pub fn new(features: FeatureSet, limits: &Limits) -> Self {
        let metering = Metering {
            fuel: limits.fuel.bound().is_some(),
            call_depth: limits.call_depth.bound().is_some(),
            interruption: false,
        };
        Self {
            features,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            module_bytes: limits.module_bytes,
            caps: StructureCaps::default(),
            metering: (metering != Metering::default()).then_some(metering),
            own_memories: Vec::new(),
            components: false,
        }
    }
}

/// What injected code counts, and looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Metering {
    /// Instructions, by the cost table.
    pub fuel: bool,
    /// Nested calls.
    pub call_depth: bool,
    /// Whether somebody wants the guest to end, for engines that cannot end a running call by themselves.
    pub interruption: bool,
}
