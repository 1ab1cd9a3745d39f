//! A guest's standard streams as descriptors: opened by the supervisor, before the worker gives everything up.

use crate::supervisor::Capture;
use crate::worker::above_standard_streams;
use rustix::fs::{MemfdFlags, Mode, OFlags, SeekFrom};
use rustix::pipe::PipeFlags;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{Error, ErrorKind, Result, Stdio};

/// The caller's ends of streams that a spec calls `piped`: what the guest reads from and writes to.
#[derive(Debug, Default)]
pub struct PipedStreams {
    /// What the guest reads.
    pub stdin: Option<OwnedFd>,
    /// Where the guest's standard output goes.
    pub stdout: Option<OwnedFd>,
    /// Where the guest's standard error goes.
    pub stderr: Option<OwnedFd>,
}

/// What the guest holds. None: end of file, or nowhere.
#[derive(Debug)]
pub(crate) struct GuestStreams {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// What the supervisor holds.
#[derive(Debug)]
pub(crate) struct Captures {
    pub(crate) stdout: Option<Capture>,
    pub(crate) stderr: Option<Capture>,
}

/// Opens all three. No descriptor that is returned is 0, 1 or 2.
pub(crate) fn open(stdio: &Stdio, piped: PipedStreams) -> Result<(GuestStreams, Captures)> {
    let stdin = open_input(&stdio.stdin, piped.stdin)?;
    let (stdout, captured_stdout) = open_output("stdout", &stdio.stdout, rustix::stdio::stdout(), piped.stdout)?;
    let (stderr, captured_stderr) = open_output("stderr", &stdio.stderr, rustix::stdio::stderr(), piped.stderr)?;
    Ok((GuestStreams { stdin, stdout, stderr }, Captures { stdout: captured_stdout, stderr: captured_stderr }))
}

pub(crate) fn open_input(input: &Input, piped: Option<OwnedFd>) -> Result<Option<OwnedFd>> {
    let failed = |source| Error::io("cannot set up stdin", source);
    Ok(match input {
        Input::Inherit => inherited(rustix::stdio::stdin()).map_err(failed)?,
        Input::Null => None,
        Input::Bytes(bytes) => Some(memory_file(bytes).map_err(failed)?),
        Input::File(path) => Some(open_file("stdin", path, OFlags::RDONLY)?),
        Input::Piped => Some(given("stdin", piped)?),
        _ => return Err(Error::new(ErrorKind::Unsupported, "this kind of stdin is not known here")),
    })
}

pub(crate) fn open_output(
    name: &'static str,
    output: &Output,
    own: BorrowedFd<'_>,
    piped: Option<OwnedFd>,
) -> Result<(Option<OwnedFd>, Option<Capture>)> {
    let failed = |source| Error::io(format!("cannot set up {name}"), source);
    Ok(match output {
        Output::Inherit => (inherited(own).map_err(failed)?, None),
        Output::Null => (None, None),
        Output::File(path) => (Some(open_file(name, path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?), None),
        Output::Capture { cap } => {
            let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
            let writer = above_standard_streams(writer.as_fd()).map_err(failed)?;
            (Some(writer), Some(Capture::new(reader, cap.map(|cap| cap.0))))
        }
        Output::Piped => (Some(given(name, piped)?), None),
        _ => return Err(Error::new(ErrorKind::Unsupported, format!("this kind of {name} is not known here"))),
    })
}

/// A copy of one of our own streams. None when we do not have it.
fn inherited(own: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match above_standard_streams(own) {
        Ok(copy) => Ok(Some(copy)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn given(name: &'static str, piped: Option<OwnedFd>) -> Result<OwnedFd> {
    let piped =
        piped.ok_or_else(|| Error::new(ErrorKind::InvalidInput, format!("{name} is piped, but no pipe was given")))?;
    above_standard_streams(piped.as_fd()).map_err(|source| Error::io(format!("cannot set up {name}"), source))
}

fn open_file(name: &'static str, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::from_raw_mode(0o666);
    let open = || above_standard_streams(rustix::fs::open(path, flags, mode)?.as_fd());
    open().map_err(|source| {
        Error::io(format!("cannot open the file for {name}"), source).with_context("path", path.display())
    })
}

/// Bytes as a file in memory, at its start.
fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let descriptor = rustix::fs::memfd_create("wasmrt-stdin", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(above_standard_streams(descriptor.as_fd())?);
    file.write_all(bytes)?;
    rustix::fs::seek(&file, SeekFrom::Start(0))?;
    Ok(file.into())
}
