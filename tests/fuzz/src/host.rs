//! The host of every guest: a few functions whose answers follow from what they were asked before, and which note what they saw.

use crate::digest::{Stream, mix};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::{Trap, TrapKind, ValueType};

/// What guests may import, as a module that imports it all.
pub(crate) const OFFERED: &str = r#"(module
    (import "host" "tell" (func))
    (import "host" "ask" (func (result i32)))
    (import "host" "small" (func (param i32) (result i32)))
    (import "host" "wide" (func (param i64 i32) (result i64)))
    (import "host" "float" (func (param f32 f64) (result f64)))
    (import "host" "single" (func (param i32) (result f32)))
    (import "host" "two" (func (param i32) (result i64 i32)))
    (import "host" "exit" (func (param i32)))
    (import "host" "fail" (func (param i64))))"#;

/// One call as the host saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) import: usize,
    pub(crate) args: Vec<u64>,
    pub(crate) memory_bytes: usize,
}

/// What a host noted, for the one who runs the guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Call>>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.lock())
    }
}

/// The host of one guest.
#[derive(Debug)]
pub(crate) struct Host {
    imports: Vec<ImportedFunction>,
    notes: Notes,
    /// Everything that was asked so far, in a number.
    history: u64,
}

impl Host {
    pub(crate) fn new(imports: &[ImportedFunction], notes: Notes) -> Self {
        Self { imports: imports.to_vec(), notes, history: 1 }
    }
}

impl HostFunctions for Host {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        self.notes.lock().push(Call { import, args: args.to_vec(), memory_bytes: memory.len() });
        for bits in args {
            self.history = mix(self.history ^ bits);
        }
        self.history = mix(self.history.wrapping_add(1));
        let mut answers = Stream::new(self.history);
        if answers.one_in(2)
            && let Some(at) = answers.next().checked_rem(u64::try_from(memory.len()).unwrap_or(u64::MAX))
            && let Some(byte) = usize::try_from(at).ok().and_then(|at| memory.get_mut(at))
        {
            *byte = byte.wrapping_add(1);
        }
        let Some(called) = self.imports.get(import) else {
            return Err(Trap::new(TrapKind::HostFunction).with_detail("a function that was not imported").into());
        };
        let first = args.first().copied().unwrap_or(0);
        match called.name.as_str() {
            "exit" if first % 4 == 3 => return Err(Ending::Exit(u32::try_from(first).unwrap_or(u32::MAX))),
            "fail" if first % 8 == 1 => return Err(Trap::new(TrapKind::HostFunction).into()),
            _ => {}
        }
        for (result, value_type) in results.iter_mut().zip(&called.signature.results) {
            let bits = answers.edgy();
            *result = match value_type {
                ValueType::I32 | ValueType::F32 => bits & 0xffff_ffff,
                _ => bits,
            };
        }
        Ok(())
    }
}
