//! Ways of loading the library that the dynamic loader does not have by itself: without its compiler, and beside itself.
//!
//! Owns what stands behind the compiler's functions where there is none. Does not look for libraries, and judges none.

use crate::stand_in::{self, Wanted};
use libloading::os::unix::Library;
use std::ffi::{CString, OsStr, c_void};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a call of the compiler is a defect. It is none while the library is loaded, when it sets up what it would compile with, and
/// none while the process ends, when it takes that down.
static SEALED: AtomicBool = AtomicBool::new(false);

/// Every function of the compiler, where there is none.
extern "C" fn absent() -> usize {
    if SEALED.load(Ordering::Relaxed) {
        std::process::abort();
    }
    0
}

extern "C" fn unseal() {
    SEALED.store(false, Ordering::Relaxed);
}

/// Loads a library without the compiler that it needs: it may run guests, and must not compile any more.
///
/// For processes that load nothing else that needs LLVM: they would be given the stand-in.
///
/// # Errors
/// Why it cannot be had so.
pub(super) fn open_without_compiler(path: &Path) -> Result<Library, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let wanted = stand_in::wanted(&file).map_err(|error| format!("{}: {error}", path.display()))?;
    if wanted.is_empty() {
        return Err(format!("{}: the compiler is a part of it", path.display()));
    }
    let (stand_ins, files): (Vec<_>, Vec<_>) =
        wanted.iter().map(open_stand_in).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    // They were open for as long as there were more to come: the loader would take the same number for the same object.
    drop(files);
    // SAFETY: loading runs the initialisers of the library that the system, or the person who runs this, has named. What they call of the
    // compiler does nothing, and what they keep of it nobody looks at.
    let library = unsafe { Library::open(Some(path), libc::RTLD_LAZY) }.map_err(|error| error.to_string())?;
    // Nobody takes down what the library uses; without it, the stand-ins had to go, or they would stay in the way.
    stand_ins.into_iter().for_each(std::mem::forget);
    // SAFETY: the function may be called at any time. Handlers that were installed later run earlier.
    unsafe { libc::atexit(unseal) };
    SEALED.store(true, Ordering::Relaxed);
    Ok(library)
}

/// The stand-in, and the file that it was loaded from.
fn open_stand_in(wanted: &Wanted) -> Result<(Library, File), String> {
    let address = absent as extern "C" fn() -> usize as *const c_void;
    let bytes = u64::try_from(address.addr()).map_err(Into::into).and_then(|address| wanted.stand_in(address));
    let bytes = bytes.map_err(|error| error.to_string())?;
    let file = in_memory(&bytes).map_err(|error| error.to_string())?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: it has no initialisers, and no code at all.
    let library =
        unsafe { Library::open(Some(OsStr::new(&name)), libc::RTLD_NOW) }.map_err(|error| error.to_string())?;
    // Loaders before glibc 2.28 take an absolute address for a place in the file.
    if let Some(function) = wanted.some_function() {
        // SAFETY: the symbol is not called, only its address is looked at.
        let found = unsafe { library.get::<*const c_void>(function) }.map_err(|error| error.to_string())?;
        if found.as_raw_ptr().cast_const() != address {
            return Err("the dynamic loader knows no absolute addresses".to_owned());
        }
    }
    Ok((library, file))
}

fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    // SAFETY: the name is a string that ends with a NUL.
    let fd = unsafe { libc::memfd_create(c"stand-in".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else has it.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(bytes)?;
    Ok(file)
}

/// Loads a library and all that it needs once more, in a name space of its own: what is loaded already is neither seen nor changed.
///
/// # Errors
/// The loader's.
pub(super) fn open_beside(path: &Path) -> Result<Library, String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the name ends with a NUL. Loading runs the initialisers of the library that the system, or the person who runs this, has named.
    let handle = unsafe { libc::dlmopen(libc::LM_ID_NEWLM, name.as_ptr(), libc::RTLD_LAZY) };
    if handle.is_null() {
        // SAFETY: the function takes nothing; what it returns is a string until the next call of the loader by this thread.
        let reason = unsafe { libc::dlerror() };
        if reason.is_null() {
            return Err("the dynamic loader gives no reason".to_owned());
        }
        // SAFETY: as above.
        return Err(unsafe { std::ffi::CStr::from_ptr(reason) }.to_string_lossy().into_owned());
    }
    // SAFETY: the handle is the loader's, and nobody else closes it.
    Ok(unsafe { Library::from_raw(handle) })
}
