//! The way out of guest code into the host, and how the host's ending gets back through an engine's frames.

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, panic_text};

/// Returned through an engine's frames in place of an [`Ending`], which waits beside the guest.
#[derive(Debug, Clone, Copy)]
pub struct HostEnded;

impl fmt::Display for HostEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host ended the guest")
    }
}

impl StdError for HostEnded {}

/// Carries out the call of this import by `work`. A panic ends the guest, and gets no further: frames of an engine may not be unwound.
///
/// # Errors
/// How the call ended the guest.
#[inline]
pub fn call_host(import: usize, work: impl FnOnce() -> Result<(), Ending>) -> Result<(), Ending> {
    // A panic leaves the host's own state as it is; nothing uses it again, since the guest is ended.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = format!("a host function panicked: {}", panic_text(&*panic));
        Err(Error::new(ErrorKind::Internal, text).with_context("import", import).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_ending_that_names_the_import() {
        match call_host(7, || panic!("a defect")) {
            Err(Ending::Failed(error)) => {
                assert_eq!(
                    (error.kind(), error.message()),
                    (ErrorKind::Internal, "a host function panicked: a defect")
                );
                assert!(error.to_string().contains('7'), "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert!(call_host(7, || Ok(())).is_ok());
        assert!(matches!(call_host(7, || Err(Ending::Exit(3))), Err(Ending::Exit(3))));
    }
}
