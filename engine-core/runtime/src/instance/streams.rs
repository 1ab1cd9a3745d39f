//! The standard streams of an instance: as those of a run, but for captured output, which nobody reads while the guest writes.
//!
//! Captured output goes to a file in memory, bounded by the same limits as in a run.

use crate::streams::{PipedStreams, open_input, open_output};
use crate::worker::above_standard_streams;
use rustix::fs::{MemfdFlags, SeekFrom};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{Error, Result, Stdio};

/// The streams of an instance, for all guests that it will be.
#[derive(Debug)]
pub(super) struct Streams {
    input: Input,
    piped_input: Option<OwnedFd>,
    stdout: Channel,
    stderr: Channel,
}

/// Where one of the outputs goes.
#[derive(Debug)]
struct Channel {
    name: &'static str,
    to: Option<OwnedFd>,
    captured: bool,
}

impl Streams {
    pub(super) fn open(stdio: &Stdio, piped: PipedStreams) -> Result<Self> {
        Ok(Self {
            input: stdio.stdin.clone(),
            piped_input: piped.stdin,
            stdout: Channel::open("stdout", &stdio.stdout, rustix::stdio::stdout(), piped.stdout)?,
            stderr: Channel::open("stderr", &stdio.stderr, rustix::stdio::stderr(), piped.stderr)?,
        })
    }

    /// The ends for one guest: input from its start, where it has one; outputs go on where they are.
    pub(super) fn for_guest(&self) -> Result<[Option<OwnedFd>; 3]> {
        let piped = self.piped_input.as_ref().map(OwnedFd::try_clone).transpose();
        let piped = piped.map_err(|source| Error::io("cannot set up stdin", source))?;
        Ok([open_input(&self.input, piped)?, self.stdout.for_guest()?, self.stderr.for_guest()?])
    }

    pub(super) fn take_stdout(&self) -> Result<Option<Vec<u8>>> {
        self.stdout.take()
    }

    pub(super) fn take_stderr(&self) -> Result<Option<Vec<u8>>> {
        self.stderr.take()
    }
}

impl Channel {
    fn open(
        name: &'static str,
        output: &Output,
        own: std::os::fd::BorrowedFd<'_>,
        piped: Option<OwnedFd>,
    ) -> Result<Self> {
        let captured = output.is_captured();
        let to = if captured {
            let failed = |source| Error::io(format!("cannot set up {name}"), source);
            let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
            Some(above_standard_streams(file.as_fd()).map_err(failed)?)
        } else {
            open_output(name, output, own, piped)?.0
        };
        Ok(Self { name, to, captured })
    }

    fn for_guest(&self) -> Result<Option<OwnedFd>> {
        let copy = self.to.as_ref().map(|to| above_standard_streams(to.as_fd())).transpose();
        copy.map_err(|source| Error::io(format!("cannot set up {}", self.name), source))
    }

    /// What was captured since it was last asked for. None when it is not captured.
    fn take(&self) -> Result<Option<Vec<u8>>> {
        let Some(to) = self.to.as_ref().filter(|_| self.captured) else { return Ok(None) };
        let take = || {
            // The guest writes where this offset is: both are put back to the start.
            rustix::fs::seek(to, SeekFrom::Start(0))?;
            let mut bytes = Vec::new();
            File::from(to.try_clone()?).read_to_end(&mut bytes)?;
            rustix::fs::ftruncate(to, 0)?;
            rustix::fs::seek(to, SeekFrom::Start(0))?;
            Ok(bytes)
        };
        take().map(Some).map_err(|source| Error::io(format!("cannot read what was captured of {}", self.name), source))
    }
}
