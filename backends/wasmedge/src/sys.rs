//! Everything unsafe of this crate: the C interface of libwasmedge behind owning types that cannot be misused.
//!
//! Owns loading, the version gate, pointers, their lifetimes and the way back from the library into the host. Knows nothing
//! of traps, errors, tiers or policy: it hands on codes, bits and endings.
#![expect(unsafe_code, reason = "the engine is a C library")]

mod abi;
mod bridge;
mod code;
mod guest;
mod host;
mod interrupt;
mod library;
#[cfg(feature = "spec-tests")]
pub(crate) mod linking;
mod native;
mod parts;

use std::ptr::NonNull;

pub(crate) use code::{CompilerSettings, Module, Output, Settings, compile};
pub(crate) use guest::{Guest, Stopped};
pub(crate) use interrupt::ExecutorInterrupter;
#[cfg(test)]
pub(crate) use library::check_version;
pub(crate) use library::{Library, Search};

/// How WasmEdge says that something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    /// WasmEdge's "generic runtime error", also for what it reports by a null pointer: there is no memory.
    const GENERIC: Self = Self(2);

    /// The number without its category; see the table in `trap`.
    pub(crate) fn number(self) -> u32 {
        self.0 & 0x00ff_ffff
    }

    /// WasmEdge's own words.
    pub(crate) fn message(self, library: &Library) -> String {
        library.message(abi::Status { code: self.0 })
    }

    fn check(status: abi::Status) -> Result<(), Self> {
        if status == abi::Status::SUCCESS { Ok(()) } else { Err(Self(status.code)) }
    }
}

/// A context that is deleted with its owner. What a context uses is declared after it, so that it is deleted later.
#[derive(Debug)]
struct Owned<T> {
    raw: NonNull<T>,
    delete: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes what a create function returned, and the delete function that belongs to it.
    fn new(raw: *mut T, delete: unsafe extern "C" fn(*mut T)) -> Result<Self, Code> {
        NonNull::new(raw).map(|raw| Self { raw, delete }).ok_or(Code::GENERIC)
    }

    fn as_ptr(&self) -> *mut T {
        self.raw.as_ptr()
    }

    /// The pointer, for somebody else to delete.
    fn give_away(self) -> NonNull<T> {
        std::mem::ManuallyDrop::new(self).raw
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `raw` came from the create function that belongs to `delete`, and is deleted only here.
        unsafe { (self.delete)(self.raw.as_ptr()) };
    }
}
