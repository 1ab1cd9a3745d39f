//! Errors as C sees them: a stable code, and texts for people. Decides nothing about them.

use crate::boundary::{self, ErrorOut, Text, attempt, c_text, invalid, missing, needed};
use std::error::Error as StdError;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::null;
use std::sync::OnceLock;
use wasmrt_runtime::model::{Error, ErrorKind};

/// An error.
#[derive(Debug)]
pub struct wasmrt_error_t {
    error: Error,
    text: OnceLock<CString>,
    message: OnceLock<CString>,
    operation: OnceLock<CString>,
    hint: OnceLock<CString>,
    context: OnceLock<Vec<(CString, CString)>>,
}

/// What went wrong, as far as a caller can act on it. Codes and names are stable; later versions may know more of them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_error_kind_t {
    /// No error.
    WASMRT_OK = 0,
    /// What was asked for makes no sense: a malformed size, two preopens of one guest path.
    WASMRT_ERROR_INVALID_INPUT = 1,
    /// A file that the caller named does not exist.
    WASMRT_ERROR_NOT_FOUND = 2,
    /// The operating system refused: permissions, a read-only file system, a missing privilege.
    WASMRT_ERROR_PERMISSION_DENIED = 3,
    /// The bytes are no WebAssembly module: an ELF file, a script, an empty or damaged file.
    WASMRT_ERROR_NOT_WASM = 4,
    /// A WebAssembly module that breaks the specification's rules.
    WASMRT_ERROR_INVALID_MODULE = 5,
    /// The module, or the run, is above a limit before it has even started.
    WASMRT_ERROR_LIMIT_EXCEEDED = 6,
    /// The module wants functions, memories, tables or globals that nobody offers.
    WASMRT_ERROR_MISSING_IMPORTS = 7,
    /// The module does not offer the function that is to be called.
    WASMRT_ERROR_MISSING_EXPORT = 8,
    /// A correct request that this engine, isolation level or machine cannot carry out. Nothing was dropped silently.
    WASMRT_ERROR_UNSUPPORTED = 9,
    /// The operator's ceiling forbids it.
    WASMRT_ERROR_DENIED = 10,
    /// The engine is not on this machine, or not in a version that is known.
    WASMRT_ERROR_ENGINE_UNAVAILABLE = 11,
    /// Compiling took longer, or more memory, than allowed, or the compiler crashed.
    WASMRT_ERROR_COMPILE_FAILED = 12,
    /// Another program has the address that is to be listened at.
    WASMRT_ERROR_ADDRESS_IN_USE = 13,
    /// The caller ended it.
    WASMRT_ERROR_CANCELLED = 14,
    /// As many runs are under way, and wait, as may. Later there is room again.
    WASMRT_ERROR_BUSY = 15,
    /// wasmrt itself, or the machine below it, failed.
    WASMRT_ERROR_INTERNAL = 16,
}

use wasmrt_error_kind_t as Code;

/// Every kind, its code and its name.
const KINDS: &[(ErrorKind, Code, &CStr)] = &[
    (ErrorKind::InvalidInput, Code::WASMRT_ERROR_INVALID_INPUT, c"invalid-input"),
    (ErrorKind::NotFound, Code::WASMRT_ERROR_NOT_FOUND, c"not-found"),
    (ErrorKind::PermissionDenied, Code::WASMRT_ERROR_PERMISSION_DENIED, c"permission-denied"),
    (ErrorKind::NotWasm, Code::WASMRT_ERROR_NOT_WASM, c"not-wasm"),
    (ErrorKind::InvalidModule, Code::WASMRT_ERROR_INVALID_MODULE, c"invalid-module"),
    (ErrorKind::LimitExceeded, Code::WASMRT_ERROR_LIMIT_EXCEEDED, c"limit-exceeded"),
    (ErrorKind::MissingImports, Code::WASMRT_ERROR_MISSING_IMPORTS, c"missing-imports"),
    (ErrorKind::MissingExport, Code::WASMRT_ERROR_MISSING_EXPORT, c"missing-export"),
    (ErrorKind::Unsupported, Code::WASMRT_ERROR_UNSUPPORTED, c"unsupported"),
    (ErrorKind::Denied, Code::WASMRT_ERROR_DENIED, c"denied"),
    (ErrorKind::EngineUnavailable, Code::WASMRT_ERROR_ENGINE_UNAVAILABLE, c"engine-unavailable"),
    (ErrorKind::CompileFailed, Code::WASMRT_ERROR_COMPILE_FAILED, c"compile-failed"),
    (ErrorKind::AddressInUse, Code::WASMRT_ERROR_ADDRESS_IN_USE, c"address-in-use"),
    (ErrorKind::Cancelled, Code::WASMRT_ERROR_CANCELLED, c"cancelled"),
    (ErrorKind::Busy, Code::WASMRT_ERROR_BUSY, c"busy"),
    (ErrorKind::Internal, Code::WASMRT_ERROR_INTERNAL, c"internal"),
];

/// A number that an embedder gave its own error. It travels with it as a cause.
#[derive(Debug)]
struct OwnCode(i64);

impl fmt::Display for OwnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}", self.0)
    }
}

impl StdError for OwnCode {}

impl wasmrt_error_t {
    pub(crate) fn boxed(error: Error) -> Box<Self> {
        let (text, message, operation, hint) = Default::default();
        Box::new(Self { error, text, message, operation, hint, context: OnceLock::new() })
    }

    pub(crate) fn into_error(self) -> Error {
        self.error
    }
}

fn text_of(place: &OnceLock<CString>, text: impl FnOnce() -> String) -> *const c_char {
    place.get_or_init(|| c_text(&text())).as_ptr()
}

/// The code of an error's kind; WASMRT_OK for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_kind(error: Option<&wasmrt_error_t>) -> wasmrt_error_kind_t {
    boundary::value(Code::WASMRT_ERROR_INTERNAL, || {
        let Some(error) = error else { return Code::WASMRT_OK };
        let kind = error.error.kind();
        KINDS.iter().find(|known| known.0 == kind).map_or(Code::WASMRT_ERROR_INTERNAL, |known| known.1)
    })
}

/// The stable name of an error's kind, such as "not-found". NULL for NULL. It lasts for ever.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_kind_name(error: Option<&wasmrt_error_t>) -> *const c_char {
    boundary::value(null(), || {
        let Some(error) = error else { return null() };
        let kind = error.error.kind();
        KINDS.iter().find(|known| known.0 == kind).map_or(c"internal", |known| known.2).as_ptr()
    })
}

/// All of an error in one line: what was done, what is wrong, facts, causes, and what to do about it. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_text(error: Option<&wasmrt_error_t>) -> *const c_char {
    boundary::value(null(), || error.map_or(null(), |handle| text_of(&handle.text, || handle.error.to_string())))
}

/// What is wrong, alone. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_message(error: Option<&wasmrt_error_t>) -> *const c_char {
    boundary::value(null(), || {
        error.map_or(null(), |handle| text_of(&handle.message, || handle.error.message().to_owned()))
    })
}

/// What was being done, or an empty text. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_operation(error: Option<&wasmrt_error_t>) -> *const c_char {
    boundary::value(null(), || {
        error.map_or(null(), |handle| text_of(&handle.operation, || handle.error.operation().to_owned()))
    })
}

/// What to do about it. NULL when there is no advice.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_hint(error: Option<&wasmrt_error_t>) -> *const c_char {
    boundary::value(null(), || {
        let Some((handle, hint)) = error.and_then(|handle| Some((handle, handle.error.hint()?))) else {
            return null();
        };
        text_of(&handle.hint, || hint.to_owned())
    })
}

/// How many facts an error has, such as a path or an engine.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_context_count(error: Option<&wasmrt_error_t>) -> usize {
    boundary::value(0, || error.map_or(0, |handle| handle.error.context().len()))
}

/// What the fact of this number is about, from 0 on. NULL when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_context_key(error: Option<&wasmrt_error_t>, index: usize) -> *const c_char {
    boundary::value(null(), || context(error, index).map_or(null(), |(key, _)| key.as_ptr()))
}

/// The fact of this number, from 0 on. NULL when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_context_value(error: Option<&wasmrt_error_t>, index: usize) -> *const c_char {
    boundary::value(null(), || context(error, index).map_or(null(), |(_, value)| value.as_ptr()))
}

fn context(error: Option<&wasmrt_error_t>, index: usize) -> Option<&(CString, CString)> {
    let handle = error?;
    let context = handle
        .context
        .get_or_init(|| handle.error.context().iter().map(|(key, value)| (c_text(key), c_text(value))).collect());
    context.get(index)
}

/// The exit code of a program that does nothing but run a guest and fails with this error: as wasm-run has it. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_exit_code(error: Option<&wasmrt_error_t>) -> u8 {
    boundary::value(125, || error.map_or(0, |handle| handle.error.kind().exit_code()))
}

/// An error of the caller's own, to be returned from a host function. `kind` is one of wasmrt_error_kind_t but WASMRT_OK. The
/// message is copied. NULL when there is no such kind or the message is not UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_new(kind: u32, message: Text<'_>) -> Option<Box<wasmrt_error_t>> {
    boundary::value(None, || {
        // Codes are places in the list, from 1 on.
        let (kind, ..) = KINDS.get(usize::try_from(kind).ok()?.checked_sub(1)?)?;
        Some(wasmrt_error_t::boxed(Error::new(*kind, message.read("message").ok()?)))
    })
}

/// Says in an error of the caller's own what to do about it. The text is copied. False when one of both is NULL, or no UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_set_hint(error: Option<&mut wasmrt_error_t>, hint: Text<'_>) -> bool {
    boundary::value(Err(()), || hint.read("hint").map_err(drop))
        .is_ok_and(|hint| change(error, |error| error.with_hint(hint)))
}

/// Puts a number of the caller's into an error of its own, to be found by wasmrt_error_code. False when it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_set_code(error: Option<&mut wasmrt_error_t>, code: i64) -> bool {
    change(error, |error| error.with_source(OwnCode(code)))
}

/// Finds the number that wasmrt_error_set_code put into an error. False when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_code(error: Option<&wasmrt_error_t>, code: Option<&mut MaybeUninit<i64>>) -> bool {
    boundary::value(false, || {
        let found = error.and_then(|handle| handle.error.source()?.downcast_ref::<OwnCode>());
        match (found, code) {
            (Some(OwnCode(found)), Some(code)) => {
                code.write(*found);
                true
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    })
}

/// The error as JSON: kind, operation, message, context, hint and causes. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_to_json(error: Option<&wasmrt_error_t>, failure: ErrorOut<'_>) -> *mut c_char {
    attempt(failure, std::ptr::null_mut(), || {
        let json = serde_json::to_string(&needed(error, "error")?.error)
            .map_err(|source| invalid("the error cannot be written as JSON").with_source(source))?;
        Ok(boundary::give(&json))
    })
}

/// Takes an error back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_error_delete(error: Option<Box<wasmrt_error_t>>) {
    boundary::delete(error);
}

/// Takes back a text that was handed out as `char *`. NULL is fine.
///
/// # Safety
/// The text is one that this library handed out for this, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_string_delete(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller's promise; all such texts are made by `boundary::give`.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// Changes an error, and forgets what was shown of it.
fn change(error: Option<&mut wasmrt_error_t>, change: impl FnOnce(Error) -> Error) -> bool {
    boundary::value(false, || {
        let Some(handle) = error else { return false };
        let old = std::mem::replace(&mut handle.error, missing("error"));
        *handle = *wasmrt_error_t::boxed(change(old));
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places_in_the_list_and_names_are_those_of_the_kinds() {
        for (place, (kind, code, name)) in KINDS.iter().enumerate() {
            assert_eq!(*code as usize, place + 1);
            assert_eq!(name.to_str().unwrap(), kind.as_str());
        }
    }

    #[test]
    fn an_error_of_the_callers_own_arrives_with_its_code_and_hint() {
        let mut error = wasmrt_error_t::boxed(Error::new(ErrorKind::NotFound, "no such row"));
        assert!(wasmrt_error_set_code(Some(&mut error), -42));
        assert!(wasmrt_error_set_hint(Some(&mut error), Text::of(c"look again".as_ptr())));
        let told = wasmrt_error_t::boxed(error.into_error());
        let mut code = MaybeUninit::uninit();
        assert!(wasmrt_error_code(Some(&told), Some(&mut code)));
        // SAFETY: it was found, so it was written.
        assert_eq!(unsafe { code.assume_init() }, -42);
        assert_eq!(Text::of(wasmrt_error_hint(Some(&told))).read("hint").unwrap(), "look again");
    }
}
