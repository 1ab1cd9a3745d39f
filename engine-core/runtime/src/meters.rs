//! Temporary.
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meters {}
pub(crate) enum Exhausted { Fuel, CallDepth }
impl Meters {
    pub(crate) fn fuel(&self) -> Option<&str> { None }
    pub(crate) fn depth(&self) -> Option<&str> { None }
    pub(crate) fn start(&self) -> Option<&str> { None }
    pub(crate) fn exhausted(&self, _: Option<i64>, _: Option<i64>) -> Option<Exhausted> { None }
}
