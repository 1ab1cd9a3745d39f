//! Descriptors on their way from Python, which has them as numbers, to here, where they are owned: by way of a socket, which copies them.

use crate::errors::raised;
use pyo3::prelude::*;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use wasmrt_runtime::model::{Error, ErrorKind};

/// A run has three streams.
const MOST: usize = 3;

/// A way for up to three descriptors. Python sends on one end, and hands this over.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Channel {
    ours: UnixStream,
    theirs: Mutex<Option<UnixStream>>,
}

#[pymethods]
impl Channel {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let (ours, theirs) = UnixStream::pair().map_err(|source| raised(py, &failed(source)))?;
        Ok(Self { ours, theirs: Mutex::new(Some(theirs)) })
    }

    /// The end to send on, as a descriptor that the caller owns. To be had once.
    fn take_sender(&self) -> Option<i32> {
        self.theirs.lock().unwrap_or_else(PoisonError::into_inner).take().map(IntoRawFd::into_raw_fd)
    }
}

impl Channel {
    /// What was sent, each with the number of its stream.
    pub(crate) fn receive(&self) -> Result<[Option<OwnedFd>; MOST], Error> {
        let mut numbers = [0u8; MOST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.ours,
            &mut [IoSliceMut::new(&mut numbers)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        )
        .map_err(|errno| failed(errno.into()))?;
        let mut descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let mut descriptors = descriptors.next().into_iter().flatten();
        let mut streams = [None, None, None];
        for number in numbers.iter().take(received.bytes) {
            let place = streams.get_mut(usize::from(*number));
            match (place, descriptors.next()) {
                (Some(place), Some(descriptor)) => *place = Some(descriptor),
                _ => {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "the descriptors of streams do not match their numbers",
                    ));
                }
            }
        }
        Ok(streams)
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::io("cannot take over the descriptors of streams", source)
}
