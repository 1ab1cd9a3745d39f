//! Descriptors for streams that a spec calls piped.

use crate::boundary::{self, ErrorOut, attempt, delete, invalid, needed};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use wasmrt_runtime::PipedStreams;
use wasmrt_runtime::model::stdio::{Input, Output};
use wasmrt_runtime::model::{Error, Result, Stdio};

/// Descriptors that a guest is to have for those of its standard streams that the spec calls piped. For any number of runs.
#[derive(Debug, Default)]
pub struct wasmrt_streams_t {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl wasmrt_streams_t {
    /// Copies of the descriptors, for one run.
    pub(crate) fn copies(handle: Option<&Self>) -> Result<PipedStreams> {
        let copy = |descriptor: &Option<OwnedFd>| {
            let copy = descriptor.as_ref().map(OwnedFd::try_clone).transpose();
            copy.map_err(|source| Error::io("cannot copy a descriptor", source))
        };
        let mut piped = PipedStreams::default();
        if let Some(streams) = handle {
            piped.stdin = copy(&streams.stdin)?;
            piped.stdout = copy(&streams.stdout)?;
            piped.stderr = copy(&streams.stderr)?;
        }
        Ok(piped)
    }
}

/// Refuses pipes whose other ends nobody could get hold of: the guest would wait at them for ever.
pub(crate) fn refuse_loose_ends(stdio: &Stdio, piped: &PipedStreams) -> Result<()> {
    let loose = [
        ("stdin", stdio.stdin == Input::Piped && piped.stdin.is_none()),
        ("stdout", stdio.stdout == Output::Piped && piped.stdout.is_none()),
        ("stderr", stdio.stderr == Output::Piped && piped.stderr.is_none()),
    ];
    match loose.iter().find(|(_, loose)| *loose) {
        None => Ok(()),
        Some((name, _)) => Err(invalid(format!("{name} is piped, and nobody is at the other end"))
            .with_hint("give a descriptor with wasmrt_streams_t, or use wasmrt_run_start and take the other end")),
    }
}

/// No descriptors yet.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_streams_new() -> Option<Box<wasmrt_streams_t>> {
    boundary::value(None, || Some(Box::default()))
}

/// What the guest reads. The descriptor is copied and stays the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_streams_set_stdin(
    streams: Option<&mut wasmrt_streams_t>,
    descriptor: RawFd,
    error: ErrorOut<'_>,
) -> bool {
    set(streams, descriptor, error, |streams| &mut streams.stdin)
}

/// Where the guest's standard output goes. The descriptor is copied and stays the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_streams_set_stdout(
    streams: Option<&mut wasmrt_streams_t>,
    descriptor: RawFd,
    error: ErrorOut<'_>,
) -> bool {
    set(streams, descriptor, error, |streams| &mut streams.stdout)
}

/// Where the guest's standard error goes. The descriptor is copied and stays the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_streams_set_stderr(
    streams: Option<&mut wasmrt_streams_t>,
    descriptor: RawFd,
    error: ErrorOut<'_>,
) -> bool {
    set(streams, descriptor, error, |streams| &mut streams.stderr)
}

/// Takes them back and closes the copies.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_streams_delete(streams: Option<Box<wasmrt_streams_t>>) {
    delete(streams);
}

fn set(
    streams: Option<&mut wasmrt_streams_t>,
    descriptor: RawFd,
    error: ErrorOut<'_>,
    place: impl FnOnce(&mut wasmrt_streams_t) -> &mut Option<OwnedFd>,
) -> bool {
    attempt(error, false, || {
        let streams = needed(streams, "streams")?;
        if descriptor < 0 {
            return Err(invalid(format!("{descriptor} is no descriptor")));
        }
        // SAFETY: it is not negative, and is only copied, which fails when it is not open.
        let copy = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned();
        let copy = copy.map_err(|source| {
            invalid("the descriptor cannot be copied").with_context("descriptor", descriptor).with_source(source)
        })?;
        *place(streams) = Some(copy);
        Ok(true)
    })
}
