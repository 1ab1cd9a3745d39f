//! Finding libwasmedge, checking its version, and keeping it for as long as the process lives.
//!
//! Owns the search order, the version gate and the one loaded library. Does not know modules or instances. Plug-ins are
//! never asked for: no function that looks at `WASMEDGE_PLUGIN_PATH` is called.

use super::abi::{Functions, ValType};
use super::parts;
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmrt_model::{Error, ErrorKind, Result, Value, ValueType};

/// The minor versions that have a table of functions here.
const SUPPORTED: &[(u32, u32)] = &[(0, 14)];

/// What the dynamic loader is asked for, and what the files in a directory are called.
const FILE_NAMES: &[&str] = &["libwasmedge.so.0", "libwasmedge.so"];

const INSTALL_HINT: &str = "install it (Debian 13: apt install libwasmedge0; elsewhere the WasmEdge 0.14 installer), \
                            or set WASMEDGE_LIB_DIR to the directory that holds libwasmedge.so.0";

/// The library, loaded, checked and silenced.
#[derive(Debug)]
pub(crate) struct Library {
    pub(super) functions: Functions,
    pub(super) types: Types,
    version: String,
    path: PathBuf,
    /// Whether it can compile.
    compiles: bool,
}

/// The types of the values that cross, as the library writes them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Types {
    pub(super) i32: ValType,
    pub(super) i64: ValType,
    pub(super) f32: ValType,
    pub(super) f64: ValType,
}

/// Where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Search {
    /// `WASMEDGE_LIB_DIR`: who names a directory means that one, so nothing else is tried.
    pub(crate) directory: Option<PathBuf>,
    /// The home directory, where WasmEdge's installer puts it; after the dynamic loader's own places.
    pub(crate) home: Option<PathBuf>,
}

impl Search {
    /// The places that the environment names.
    pub(crate) fn from_environment() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { directory: path("WASMEDGE_LIB_DIR"), home: path("HOME") }
    }

    /// What to try, in order.
    fn candidates(&self) -> Vec<Candidate> {
        let files_in =
            |directory: &Path| FILE_NAMES.iter().map(|name| Candidate::File(directory.join(name))).collect::<Vec<_>>();
        if let Some(directory) = &self.directory {
            return files_in(directory);
        }
        let mut candidates: Vec<_> = FILE_NAMES.iter().map(|name| Candidate::Loader(name)).collect();
        if let Some(home) = &self.home {
            candidates.extend(files_in(&home.join(".wasmedge/lib")));
        }
        candidates
    }
}

/// One place to try.
#[derive(Debug)]
enum Candidate {
    /// A name that the dynamic loader resolves.
    Loader(&'static str),
    /// A file.
    File(PathBuf),
}

impl Candidate {
    fn name(&self) -> &OsStr {
        match self {
            Self::Loader(name) => OsStr::new(name),
            Self::File(path) => path.as_os_str(),
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Loader(_) => Ok(()),
            Self::File(path) => check_file(path),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> String {
        match self {
            // The loader names what it looked for.
            Self::Loader(_) => error.to_string(),
            Self::File(path) => format!("{}: {error}", path.display()),
        }
    }
}

/// The library of this process.
static LOADED: Mutex<Option<&'static Library>> = Mutex::new(None);

/// The one that compiles, where the first one cannot.
static COMPILER: Mutex<Option<&'static Library>> = Mutex::new(None);

impl Library {
    /// The library of this process; the first call finds and loads it.
    ///
    /// # Errors
    /// `EngineUnavailable`, saying where it was looked for and what was found there.
    pub(crate) fn load() -> Result<&'static Self> {
        Self::once(&LOADED, || Self::find(&Search::from_environment()))
    }

    /// The library of this process; the first call loads this file, if that can be without the compiler.
    ///
    /// # Errors
    /// `EngineUnavailable`, saying what is in its place.
    pub(crate) fn load_file(path: &Path) -> Result<&'static Self> {
        Self::once(&LOADED, || {
            let candidate = Candidate::File(path.to_owned());
            let opened = Self::open_without_compiler(&candidate).or_else(|_| Self::open(&candidate));
            opened.map_err(|reason| unavailable(&[reason]))
        })
    }

    /// The library of this process if it compiles, otherwise a second one beside it from this file. If there is none yet, this file is it.
    ///
    /// # Errors
    /// `EngineUnavailable`, saying what is in its place.
    pub(crate) fn load_compiler(path: &Path) -> Result<&'static Self> {
        let candidate = Candidate::File(path.to_owned());
        let first = Self::once(&LOADED, || Self::open(&candidate).map_err(|reason| unavailable(&[reason])))?;
        if first.compiles {
            return Ok(first);
        }
        Self::once(&COMPILER, || Self::open_beside(&candidate).map_err(|reason| unavailable(&[reason])))
    }

    fn once(place: &Mutex<Option<&'static Self>>, load: impl FnOnce() -> Result<Self>) -> Result<&'static Self> {
        let mut loaded = place.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(library) = *loaded {
            return Ok(library);
        }
        // What is loaded stays loaded: unloading LLVM is not safe.
        let library: &'static Self = Box::leak(Box::new(load()?));
        *loaded = Some(library);
        Ok(library)
    }

    /// Tries one place after the other.
    pub(crate) fn find(search: &Search) -> Result<Self> {
        let mut tried = Vec::new();
        for candidate in search.candidates() {
            match Self::open(&candidate) {
                Ok(library) => return Ok(library),
                Err(reason) => tried.push(reason),
            }
        }
        Err(unavailable(&tried))
    }

    /// Loads one candidate, with all that it needs. The error says what stands in its place.
    fn open(candidate: &Candidate) -> Result<Self, String> {
        candidate.check()?;
        // SAFETY: loading runs the initialisers of the library that the system, or the person who runs this, has named.
        let handle = unsafe { libloading::os::unix::Library::open(Some(candidate.name()), libc::RTLD_LAZY) };
        Self::of(candidate, handle.map_err(|error| candidate.failed(&error))?, true)
    }

    /// Loads one candidate without the compiler, where it needs that as a library of its own.
    fn open_without_compiler(candidate: &Candidate) -> Result<Self, String> {
        candidate.check()?;
        Self::of(candidate, parts::open_without_compiler(candidate.name().as_ref())?, false)
    }

    /// Loads one candidate with all that it needs, apart from what is loaded already.
    fn open_beside(candidate: &Candidate) -> Result<Self, String> {
        candidate.check()?;
        let handle = parts::open_beside(candidate.name().as_ref()).map_err(|error| candidate.failed(&error))?;
        Self::of(candidate, handle, true)
    }

    fn of(candidate: &Candidate, handle: libloading::os::unix::Library, compiles: bool) -> Result<Self, String> {
        let name = candidate.name().display();
        let library = libloading::Library::from(handle);
        let number = |symbol: &'static str| {
            // SAFETY: every version of the header declares these functions as taking nothing and returning a u32.
            unsafe { library.get::<unsafe extern "C" fn() -> u32>(symbol) }
                .map(|function| *function)
                .map_err(|_| format!("{name} is no WasmEdge library: {symbol} is missing"))
        };
        let major = number("WasmEdge_VersionGetMajor")?;
        let minor = number("WasmEdge_VersionGetMinor")?;
        let patch = number("WasmEdge_VersionGetPatch")?;
        let path = file_of(major as *const c_void).unwrap_or_else(|| PathBuf::from(candidate.name()));
        // SAFETY: the function has the signature that it was looked up with, and the library is loaded.
        let major = unsafe { major() };
        // SAFETY: as above.
        let minor = unsafe { minor() };
        // SAFETY: as above.
        let patch = unsafe { patch() };
        if let Err(supported) = check_version(major, minor) {
            // Its code may already be in use by whoever else loaded it, and LLVM does not like to go.
            std::mem::forget(library);
            return Err(format!("{} is WasmEdge {major}.{minor}.{patch}, and {supported}", path.display()));
        }
        let functions = Functions::resolve(&library)
            .map_err(|symbol| format!("{} is damaged: {symbol} is missing", path.display()))?;
        std::mem::forget(library);

        // SAFETY: the function takes nothing. It keeps WasmEdge from writing to the guest's streams.
        unsafe { (functions.log_off)() };
        Ok(Self {
            functions,
            types: Types::of(&functions),
            version: format!("{major}.{minor}.{patch}"),
            path,
            compiles,
        })
    }

    /// Its version: `0.14.1`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The file that it was loaded from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of a type that the library wrote.
    pub(super) fn name(&self, val_type: ValType) -> ValueType {
        let tests = [
            (self.functions.type_is_i32, ValueType::I32),
            (self.functions.type_is_i64, ValueType::I64),
            (self.functions.type_is_f32, ValueType::F32),
            (self.functions.type_is_f64, ValueType::F64),
            (self.functions.type_is_v128, ValueType::V128),
        ];
        let found = tests.into_iter().find(|(test, _)| {
            // SAFETY: the function only looks at the type that it is given.
            unsafe { test(val_type) }
        });
        found.map_or(ValueType::Ref, |(_, name)| name)
    }

    /// WasmEdge's own words for a code.
    pub(super) fn message(&self, status: super::abi::Status) -> String {
        // SAFETY: the function takes a plain number.
        let text: *const c_char = unsafe { (self.functions.result_message)(status) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: the text is a constant of the library, ended by a NUL.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

impl Types {
    fn of(functions: &Functions) -> Self {
        // SAFETY: this function and the following ones take nothing and return plain bytes.
        let i32 = unsafe { (functions.type_i32)() };
        // SAFETY: as above.
        let i64 = unsafe { (functions.type_i64)() };
        // SAFETY: as above.
        let f32 = unsafe { (functions.type_f32)() };
        // SAFETY: as above.
        let f64 = unsafe { (functions.type_f64)() };
        Self { i32, i64, f32, f64 }
    }

    /// A number type as the library writes it. None for the others.
    pub(super) fn of_number(&self, value_type: ValueType) -> Option<ValType> {
        match value_type {
            ValueType::I32 => Some(self.i32),
            ValueType::I64 => Some(self.i64),
            ValueType::F32 => Some(self.f32),
            ValueType::F64 => Some(self.f64),
            _ => None,
        }
    }

    /// A value as the library wants it.
    pub(super) fn value(&self, value: Value) -> super::abi::Value {
        let val_type = match value {
            Value::I32(_) => self.i32,
            Value::I64(_) => self.i64,
            Value::F32(_) => self.f32,
            Value::F64(_) => self.f64,
        };
        super::abi::Value { bits: u128::from(value.to_bits()), val_type }
    }
}

fn unavailable(tried: &[String]) -> Error {
    Error::new(ErrorKind::EngineUnavailable, "no usable WasmEdge library was found")
        .with_operation("load engine")
        .with_context("engine", "wasmedge")
        .with_context("tried", tried.join("; "))
        .with_hint(INSTALL_HINT)
}

/// Whether there is a table of functions for this version. The error says for which ones there is.
pub(crate) fn check_version(major: u32, minor: u32) -> Result<(), String> {
    if SUPPORTED.contains(&(major, minor)) {
        return Ok(());
    }
    let supported: Vec<_> = SUPPORTED.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
    Err(format!("only {} is supported", supported.join(", ")))
}

/// A library outside the system's own places must belong to root or to who runs this: as root, another user's home would
/// otherwise be enough to run code.
fn check_file(path: &Path) -> Result<(), String> {
    let found = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // SAFETY: the function takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    if found.uid() != 0 && found.uid() != user {
        return Err(format!("{}: belongs to user {}, neither root nor {user}", path.display(), found.uid()));
    }
    if found.mode() & 0o002 != 0 {
        return Err(format!("{}: anybody may write to it", path.display()));
    }
    Ok(())
}

/// The file that a function was loaded from.
fn file_of(function: *const c_void) -> Option<PathBuf> {
    let mut found = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `found` is a Dl_info to be filled; the address is only compared.
    let hit = unsafe { libc::dladdr(function, &raw mut found) };
    if hit == 0 || found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr succeeded, so the name ends with a NUL, and it lives as long as the library stays loaded.
    let name = unsafe { CStr::from_ptr(found.dli_fname) };
    let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
    Some(path.canonicalize().unwrap_or(path))
}
