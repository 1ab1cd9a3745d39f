//! Ending a running guest from another thread, by a global that its code looks at.
//!
//! wasmer's own way is a signal that it takes from the whole process, which is not ours to give. So the guard puts the looks into the guest, at
//! each loop iteration and function entry, and what is here raises the global.

use crate::sys::Flag;
use wasmrt_model::TrapKind;
use wasmrt_model::backend::{Ending, Interrupter};

impl Interrupter for Flag {
    fn interrupt(&self) {
        self.raise();
    }
}

/// How a guest ended, seen together with its flag: the looks that find it raised end the guest as if by `unreachable`.
pub(crate) fn seen_with(flag: Option<&Flag>, ending: Ending) -> Ending {
    match ending {
        Ending::Trap(trap) if trap.kind == TrapKind::Unreachable && flag.is_some_and(Flag::is_raised) => {
            Ending::Interrupted
        }
        other => other,
    }
}
