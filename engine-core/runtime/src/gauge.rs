//! The meters that the guard put into a module, set and read from outside. Knows nothing of processes or calls.

use wasmrt_guard::{Exhausted, Meters};
use wasmrt_model::backend::WasmInstance;
use wasmrt_model::units::Count;
use wasmrt_model::{Error, ErrorKind, Limit, Result, Value};

/// What a guest may use of what is metered.
pub(crate) struct Gauge<'a> {
    meters: Option<&'a Meters>,
    fuel: i64,
    depth: i64,
}

impl<'a> Gauge<'a> {
    /// The gauge of a module with these meters; None where nothing is metered.
    pub(crate) fn new(meters: Option<&'a Meters>, fuel: Limit<Count>, call_depth: Limit<Count>) -> Self {
        Self { meters, fuel: bound_as_i64(fuel), depth: bound_as_i64(call_depth) }
    }

    /// The export that was the start section.
    pub(crate) fn start(&self) -> Option<&'a str> {
        self.meters.and_then(Meters::start)
    }

    /// Gives the guest its fuel.
    pub(crate) fn fill(&self, instance: &mut dyn WasmInstance) -> Result<()> {
        Self::set(instance, self.meters.and_then(Meters::fuel), self.fuel)
    }

    /// Gives the next call its depth.
    pub(crate) fn allow_depth(&self, instance: &mut dyn WasmInstance) -> Result<()> {
        Self::set(instance, self.meters.and_then(Meters::depth), self.depth)
    }

    fn set(instance: &mut dyn WasmInstance, meter: Option<&str>, value: i64) -> Result<()> {
        match meter {
            Some(name) if !instance.set_global(name, Value::I64(value)) => {
                Err(Error::new(ErrorKind::Internal, "the engine does not show the module's meters"))
            }
            _ => Ok(()),
        }
    }

    fn read(instance: &mut dyn WasmInstance, meter: Option<&str>) -> Option<i64> {
        match instance.global(meter?) {
            Some(Value::I64(left)) => Some(left),
            _ => None,
        }
    }

    /// How the meters ended the guest, if they did.
    pub(crate) fn exhausted(&self, instance: &mut dyn WasmInstance) -> Option<Exhausted> {
        let meters = self.meters?;
        let fuel = Self::read(instance, meters.fuel());
        let depth = Self::read(instance, meters.depth());
        meters.exhausted(fuel, depth)
    }

    /// What is left of the fuel; negative when more was used than there was. None when fuel is not metered.
    pub(crate) fn fuel_left(&self, instance: &mut dyn WasmInstance) -> Option<i64> {
        Self::read(instance, self.meters?.fuel())
    }

    /// What was used, when this is left.
    pub(crate) fn used(&self, left: i64) -> Option<u64> {
        u64::try_from(self.fuel.saturating_sub(left.max(0))).ok()
    }

    /// What was used since it was filled. None when fuel is not metered.
    pub(crate) fn fuel_used(&self, instance: &mut dyn WasmInstance) -> Option<u64> {
        let left = self.fuel_left(instance)?;
        self.used(left)
    }
}

fn bound_as_i64(limit: Limit<Count>) -> i64 {
    limit.bound().and_then(|count| i64::try_from(count.0).ok()).unwrap_or(i64::MAX)
}
