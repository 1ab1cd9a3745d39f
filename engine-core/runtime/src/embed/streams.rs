//! A run's standard streams on their way to another process: what was meant to be the caller's becomes a descriptor that is passed on.

use crate::streams::PipedStreams;
use crate::wire;
use crate::worker::above_standard_streams;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{Error, Result, Stdio};

/// The streams of a run.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The guest's ends, to be passed on.
    pub(super) given: [Option<OwnedFd>; 3],
    /// The caller's ends of pipes that were made here.
    pub(super) ours: OurEnds,
}

/// The caller's ends of pipes.
#[derive(Debug, Default)]
pub(super) struct OurEnds {
    pub(super) stdin: Option<PipeWriter>,
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
}

/// Opens what has to be opened here, and changes the spec to say what is passed on.
pub(super) fn set_up(stdio: &mut Stdio, piped: PipedStreams) -> Result<Streams> {
    let failed = |name: &'static str| move |source| Error::io(format!("cannot set up {name}"), source);
    let mut ours = OurEnds::default();
    let stdin = input(&mut stdio.stdin, piped.stdin, &mut ours.stdin).map_err(failed("stdin"))?;
    let stdout = output(&mut stdio.stdout, rustix::stdio::stdout(), piped.stdout, &mut ours.stdout);
    let stderr = output(&mut stdio.stderr, rustix::stdio::stderr(), piped.stderr, &mut ours.stderr);
    Ok(Streams { given: [stdin, stdout.map_err(failed("stdout"))?, stderr.map_err(failed("stderr"))?], ours })
}

fn input(input: &mut Input, piped: Option<OwnedFd>, ours: &mut Option<PipeWriter>) -> io::Result<Option<OwnedFd>> {
    let given = match input {
        Input::Inherit => inherited(rustix::stdio::stdin())?,
        // Bytes of any number and value; as memory they are copied once.
        Input::Bytes(bytes) => Some(wire::memory("wasmrt-stdin", &[bytes]).and_then(at_start)?),
        Input::Piped => Some(match piped {
            Some(piped) => piped,
            None => {
                let (reader, writer) = io::pipe()?;
                *ours = Some(writer);
                reader.into()
            }
        }),
        _ => return Ok(None),
    };
    *input = if given.is_some() { Input::Piped } else { Input::Null };
    Ok(given)
}

fn output(
    output: &mut Output,
    own: BorrowedFd<'_>,
    piped: Option<OwnedFd>,
    ours: &mut Option<PipeReader>,
) -> io::Result<Option<OwnedFd>> {
    let given = match output {
        Output::Inherit => inherited(own)?,
        Output::Piped => Some(match piped {
            Some(piped) => piped,
            None => {
                let (reader, writer) = io::pipe()?;
                *ours = Some(reader);
                writer.into()
            }
        }),
        _ => return Ok(None),
    };
    *output = if given.is_some() { Output::Piped } else { Output::Null };
    Ok(given)
}

/// A copy of one of our own streams. None when we do not have it.
fn inherited(own: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match above_standard_streams(own) {
        Ok(copy) => Ok(Some(copy)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn at_start(memory: OwnedFd) -> io::Result<OwnedFd> {
    rustix::fs::seek(&memory, rustix::fs::SeekFrom::Start(0))?;
    Ok(memory)
}
