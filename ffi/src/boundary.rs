//! What crosses between C and Rust: texts, bytes, errors. Panics end here. Owns no handle.

use crate::error::wasmrt_error_t;
use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use wasmrt_runtime::model::{Error, ErrorKind, Result, panic_text};

/// A text of C's: NULL, or bytes up to a zero byte that last as long as the call. Only C makes one.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(*const c_char, PhantomData<&'a c_char>);

impl<'a> Text<'a> {
    /// One of an array of texts, under the same promise.
    pub(crate) fn of(pointer: *const c_char) -> Self {
        Self(pointer, PhantomData)
    }

    /// The bytes. None for NULL.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not NULL, so it is what the header asks for: bytes up to a zero byte, which nobody changes during the call.
        Some(unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }

    /// The text, or what is wrong with the parameter of this name.
    pub(crate) fn read(self, parameter: &str) -> Result<&'a str> {
        let bytes = self.bytes().ok_or_else(|| missing(parameter))?;
        std::str::from_utf8(bytes).map_err(|source| invalid(format!("{parameter} is not UTF-8")).with_source(source))
    }

    /// The text, if there is one.
    pub(crate) fn read_if_any(self, parameter: &str) -> Result<Option<&'a str>> {
        if self.0.is_null() { Ok(None) } else { self.read(parameter).map(Some) }
    }

    /// The path: any bytes.
    pub(crate) fn path(self, parameter: &str) -> Result<&'a Path> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = self.bytes().ok_or_else(|| missing(parameter))?;
        Ok(Path::new(std::ffi::OsStr::from_bytes(bytes)))
    }
}

/// Where C wants an error, if it wants one. Only C makes one. What lies there may be anything, and is not looked at.
#[repr(transparent)]
#[derive(Debug)]
pub struct ErrorOut<'a>(Option<&'a mut MaybeUninit<Option<Box<wasmrt_error_t>>>>);

impl ErrorOut<'_> {
    fn write(self, error: Option<Error>) {
        if let Self(Some(place)) = self {
            place.write(error.map(wasmrt_error_t::boxed));
        }
    }
}

/// Does what may fail: tells C of the error and returns `failed` then. A panic is an `Internal` error.
pub(crate) fn attempt<T>(error: ErrorOut<'_>, failed: T, work: impl FnOnce() -> Result<T>) -> T {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = format!("a defect of libwasmrt: {}", panic_text(&*panic));
        Err(Error::new(ErrorKind::Internal, text))
    });
    match done {
        Ok(value) => {
            error.write(None);
            value
        }
        Err(cause) => {
            error.write(Some(cause));
            failed
        }
    }
}

/// Does what cannot fail. Should it panic, `otherwise` is returned.
pub(crate) fn value<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Takes a handle back. Dropping what is in it may panic, and that ends here as well.
pub(crate) fn delete<T>(handle: Option<Box<T>>) {
    value((), || drop(handle));
}

/// A handle that must be there.
pub(crate) fn needed<T>(handle: Option<T>, parameter: &str) -> Result<T> {
    handle.ok_or_else(|| missing(parameter))
}

pub(crate) fn missing(parameter: &str) -> Error {
    invalid(format!("{parameter} is NULL"))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// So many things of C's, one after another. NULL is fine where there are none.
///
/// # Safety
/// Unless it is NULL, `first` points to `length` of them, aligned, that nobody changes for as long as the result is used.
pub(crate) unsafe fn slice<'a, T>(first: *const T, length: usize, parameter: &str) -> Result<&'a [T]> {
    check(first, length, parameter)?;
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: neither NULL nor out of the range that a slice can have; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(first, length) })
}

/// Room for so many things of C's.
///
/// # Safety
/// As [`slice`], and nobody else looks there for as long as the result is used.
pub(crate) unsafe fn slice_mut<'a, T>(first: *mut T, length: usize, parameter: &str) -> Result<&'a mut [T]> {
    check(first.cast_const(), length, parameter)?;
    if length == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as above.
    Ok(unsafe { std::slice::from_raw_parts_mut(first, length) })
}

fn check<T>(first: *const T, length: usize, parameter: &str) -> Result<()> {
    if length == 0 {
        return Ok(());
    }
    if first.is_null() {
        return Err(missing(parameter));
    }
    if !first.is_aligned() {
        return Err(invalid(format!("{parameter} is not aligned")));
    }
    let bytes = length.checked_mul(size_of::<T>());
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(invalid(format!("{parameter} cannot have {length} elements")));
    }
    Ok(())
}

/// A text for C. A zero byte, which it could not hold, becomes a replacement character.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{fffd}"))).unwrap_or_default()
}

/// A text that C will own.
pub(crate) fn give(text: &str) -> *mut c_char {
    c_text(text).into_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{wasmrt_error_kind, wasmrt_error_kind_t, wasmrt_error_text};

    #[test]
    fn a_panic_becomes_an_error_and_does_not_cross() {
        let mut place = MaybeUninit::uninit();
        let returned = attempt(ErrorOut(Some(&mut place)), 7, || -> Result<i32> { panic!("on purpose") });
        // SAFETY: `attempt` has written it.
        let error = unsafe { place.assume_init() }.unwrap();
        assert_eq!(returned, 7);
        assert_eq!(wasmrt_error_kind(Some(&error)), wasmrt_error_kind_t::WASMRT_ERROR_INTERNAL);
        let text = Text::of(wasmrt_error_text(Some(&error))).read("text").unwrap();
        assert!(text.contains("on purpose"), "{text}");
        assert_eq!(attempt(ErrorOut(None), 7, || -> Result<i32> { panic!("and nobody asks") }), 7);
        assert_eq!(value(3, || panic!("in an accessor")), 3);
        delete(Some(Box::new(PanicsWhenDropped)));
    }

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("while being dropped");
        }
    }

    #[test]
    fn success_says_that_there_is_no_error() {
        let mut place = MaybeUninit::new(Some(wasmrt_error_t::boxed(missing("an old one"))));
        // What was there is C's: it is overwritten, not dropped. Here it is dropped by hand first.
        // SAFETY: it was made with a value.
        drop(unsafe { place.assume_init_mut() }.take());
        assert_eq!(attempt(ErrorOut(Some(&mut place)), 0, || Ok(1)), 1);
        // SAFETY: `attempt` has written it.
        assert!(unsafe { place.assume_init() }.is_none());
    }

    #[test]
    fn lengths_that_no_memory_has_are_refused() {
        let byte = 0u64;
        // SAFETY: refused before anything is read.
        assert!(unsafe { slice(&raw const byte, usize::MAX, "bytes") }.is_err());
        // SAFETY: refused before anything is read.
        assert!(unsafe { slice::<u64>(std::ptr::null(), 1, "bytes") }.is_err());
        // SAFETY: nothing is there to be read.
        assert!(unsafe { slice::<u64>(std::ptr::null(), 0, "bytes") }.unwrap().is_empty());
        // SAFETY: refused before anything is read.
        assert!(unsafe { slice((&raw const byte).cast::<u8>().wrapping_add(1).cast::<u64>(), 1, "bytes") }.is_err());
    }

    #[test]
    fn a_zero_byte_in_a_text_is_seen() {
        assert_eq!(c_text("a\0b").to_str().unwrap(), "a\u{fffd}b");
    }
}
