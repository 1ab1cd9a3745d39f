//! Settings, and modules that were read with them.
//!
//! Owns the contexts for configuring, reading, checking and compiling. Nothing runs here.

use super::abi;
use super::native::{Handlers, Turn};
use super::{Code, Library, Owned};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// The proposals' numbers run from 0 to this.
const LAST_PROPOSAL: u32 = 17;

/// The most pages that a memory of 32-bit addresses can have. A lower bound would clamp minima without a word.
const MAX_PAGES: u32 = 1 << 16;

/// What a module is read, checked and run with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) library: &'static Library,
    pub(super) raw: NonNull<abi::Configure>,
    /// Whether native code may run.
    pub(super) native: bool,
}

// SAFETY: a configuration is written only while it is made; afterwards the library only reads it.
unsafe impl Send for Settings {}
// SAFETY: as above.
unsafe impl Sync for Settings {}

/// What only the compiler looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompilerSettings {
    /// 0 to 3.
    pub(crate) optimize: u32,
    /// What is written.
    pub(crate) output: Output,
}

/// What the compiler writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    /// A shared object.
    Native,
    /// WebAssembly with native code in a custom section: what a hostile module would bring along.
    #[cfg(test)]
    Universal,
}

impl Settings {
    /// Settings with exactly these proposals. With `native`, code in shared objects may be executed, otherwise never.
    ///
    /// None when there is no memory for it.
    pub(crate) fn new(library: &'static Library, proposals: &[u32], native: bool) -> Option<Self> {
        let functions = &library.functions;
        // SAFETY: the function takes nothing.
        let raw = NonNull::new(unsafe { (functions.configure_create)() })?;
        let settings = Self { library, raw, native };
        for proposal in 0..=LAST_PROPOSAL {
            let switch = if proposals.contains(&proposal) {
                functions.configure_add_proposal
            } else {
                functions.configure_remove_proposal
            };
            // SAFETY: the context is live, and nobody else has it yet.
            unsafe { switch(raw.as_ptr(), proposal) };
        }
        // Some proposals bring others along; what was not asked for has to stay out.
        for proposal in 0..=LAST_PROPOSAL {
            // SAFETY: the context is live.
            let has = unsafe { (functions.configure_has_proposal)(raw.as_ptr(), proposal) };
            if has != proposals.contains(&proposal) {
                return None;
            }
        }
        // SAFETY: the context is live, and nobody else has it yet.
        unsafe { (functions.configure_max_memory_page)(raw.as_ptr(), MAX_PAGES) };
        // SAFETY: as above.
        unsafe { (functions.configure_force_interpreter)(raw.as_ptr(), !native) };
        Some(settings)
    }

    /// Adds what the compiler needs to know.
    pub(crate) fn with_compiler(self, compiler: CompilerSettings) -> Self {
        let functions = &self.library.functions;
        let output = match compiler.output {
            Output::Native => abi::OUTPUT_NATIVE,
            #[cfg(test)]
            Output::Universal => abi::OUTPUT_UNIVERSAL,
        };
        // SAFETY: the context is live, and `self` is its only owner.
        unsafe { (functions.configure_optimization)(self.raw.as_ptr(), compiler.optimize) };
        // SAFETY: as above.
        unsafe { (functions.configure_output_format)(self.raw.as_ptr(), output) };
        // SAFETY: as above.
        unsafe { (functions.configure_generic_binary)(self.raw.as_ptr(), false) };
        // SAFETY: as above.
        unsafe { (functions.configure_interruptible)(self.raw.as_ptr(), false) };
        self
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: the context is live and `self` is its only owner.
        unsafe { (self.library.functions.configure_delete)(self.raw.as_ptr()) };
    }
}

/// Makes a shared object from a module. `output` is written by WasmEdge itself.
///
/// One at a time: the linker inside WasmEdge keeps its state in the process, and would link one module's code into another's.
/// And never beside native code, whose signal handlers the compiler replaces.
pub(crate) fn compile(settings: &Settings, module: &[u8], output: &CStr) -> Result<(), Code> {
    let _turn = Turn::take();
    let _handlers = Handlers::of_ends();
    let functions = &settings.library.functions;
    // SAFETY: the configuration is live and is only read.
    let compiler = unsafe { (functions.compiler_create)(settings.raw.as_ptr()) };
    let compiler = Owned::new(compiler, functions.compiler_delete)?;
    // A slice is never longer than isize::MAX bytes.
    let length = u64::try_from(module.len()).map_err(|_| Code::GENERIC)?;
    // SAFETY: the compiler is live, bytes and path are readable for the time of the call.
    let status = unsafe { (functions.compiler_compile)(compiler.as_ptr(), module.as_ptr(), length, output.as_ptr()) };
    Code::check(status)
}

/// A module that was read and checked.
#[derive(Debug)]
pub(crate) struct Module {
    pub(super) library: &'static Library,
    pub(super) raw: NonNull<abi::AstModule>,
    /// Native code is mapped from this file. It stays open so that its number, which is part of the name under which the
    /// dynamic loader knows it, belongs to nothing else for as long as the code is mapped.
    _artifact: Option<File>,
}

// SAFETY: after it was checked, WasmEdge only reads a module, and it documents instantiating as thread-safe.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Reads WebAssembly. Native code in it is not looked at when the settings say so.
    pub(crate) fn from_bytes(settings: &Settings, bytes: &[u8]) -> Result<Self, Code> {
        let length = u32::try_from(bytes.len()).map_err(|_| Code::GENERIC)?;
        Self::read(settings, None, |functions, loader, module| {
            // SAFETY: the loader is live, the bytes are readable for the time of the call, `module` may be written.
            unsafe { (functions.loader_parse_bytes)(loader, module, bytes.as_ptr(), length) }
        })
    }

    /// Maps a shared object that [`compile`] made, by this very descriptor, and reads the module in it.
    ///
    /// The caller vouches for the content: it is executed.
    pub(crate) fn from_artifact(settings: &Settings, artifact: File) -> Result<Self, Code> {
        let path = descriptor_path(&artifact)?;
        Self::read(settings, Some(artifact), |functions, loader, module| {
            // SAFETY: the loader is live, the path ends with a NUL, `module` may be written.
            unsafe { (functions.loader_parse_file)(loader, module, path.as_ptr()) }
        })
    }

    fn read(
        settings: &Settings,
        artifact: Option<File>,
        parse: impl FnOnce(&abi::Functions, *mut abi::Loader, *mut *mut abi::AstModule) -> abi::Status,
    ) -> Result<Self, Code> {
        let library = settings.library;
        let functions = &library.functions;
        // SAFETY: the configuration is live and is only read.
        let loader = unsafe { (functions.loader_create)(settings.raw.as_ptr()) };
        let loader = Owned::new(loader, functions.loader_delete)?;
        let mut raw = std::ptr::null_mut();
        Code::check(parse(functions, loader.as_ptr(), &raw mut raw))?;
        let module = Self { library, raw: NonNull::new(raw).ok_or(Code::GENERIC)?, _artifact: artifact };
        drop(loader);

        // SAFETY: the configuration is live and is only read.
        let validator = unsafe { (functions.validator_create)(settings.raw.as_ptr()) };
        let validator = Owned::new(validator, functions.validator_delete)?;
        // SAFETY: validator and module are live.
        Code::check(unsafe { (functions.validator_validate)(validator.as_ptr(), module.raw.as_ptr()) })?;
        Ok(module)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module is live, `self` is its only owner, and guests keep their module alive.
        unsafe { (self.library.functions.module_delete)(self.raw.as_ptr()) };
    }
}

/// A path that leads to this descriptor and that no earlier call returned.
///
/// The dynamic loader takes a name that it has mapped before for the same object, without looking at the file. Descriptor
/// numbers come back, so every path is spelled differently: each bit of a serial number is a `/` or a `/.` before the number.
fn descriptor_path(file: &File) -> Result<CString, Code> {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut path = String::from("/proc/self/fd");
    for bit in (0..u64::BITS - serial.leading_zeros()).rev() {
        path.push_str(if serial >> bit & 1 == 1 { "/." } else { "/" });
    }
    path.push('/');
    path.push_str(&file.as_raw_fd().to_string());
    CString::new(path).map_err(|_| Code::GENERIC)
}
