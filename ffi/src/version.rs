//! Which version this is. What engines there are is asked of a runtime.

use std::ffi::c_char;

/// The version of the library that is loaded, such as "0.1.0"; WASMRT_VERSION is that of the header. It lasts for ever.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
