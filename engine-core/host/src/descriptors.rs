//! What the guest's descriptors are, as far as policy needs to know: a shadow of the inner context's table, and its sockets.
//!
//! Their keys are given out by the inner context, or by the table of sockets. One that is not here does not exist for the guest, even if it
//! does inside. Which numbers the guest knows them by is in `numbers`.

use crate::errno::{Answer, Errno};
use crate::streams::Stream;
use std::collections::BTreeMap;
use wasmrt_model::Limit;
use wasmrt_model::units::Count;

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// A standard stream.
    Stream(Stream),
    /// A directory under the preopen of this index.
    Directory { preopen: usize },
    /// The directory that preopened files appear in, by its index.
    FileDirectory { directory: usize },
    /// Anything else that was opened.
    File(OpenFile),
    /// A socket.
    Socket,
}

/// What quotas need to know of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenFile {
    /// Whether it was opened for writing. Where it was not, the inner function refuses and nothing has to be counted.
    pub(crate) writable: bool,
    /// Whether writes go to its end.
    pub(crate) append: bool,
    /// It is known to be at least this long.
    pub(crate) known_size: u64,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Descriptors {
    open: BTreeMap<u32, Descriptor>,
    limit: Limit<Count>,
}

impl Descriptors {
    /// A table with the standard streams in it.
    pub(crate) fn new(limit: Limit<Count>) -> Self {
        let streams = [Stream::Stdin, Stream::Stdout, Stream::Stderr];
        let open = (0..).zip(streams).map(|(fd, stream)| (fd, Descriptor::Stream(stream))).collect();
        Self { open, limit }
    }

    /// What `fd` is.
    pub(crate) fn get(&self, fd: u32) -> Answer<Descriptor> {
        self.open.get(&fd).copied().ok_or_else(|| Errno::BADF.into())
    }

    /// The open file behind `fd`, if it is one.
    pub(crate) fn file_mut(&mut self, fd: u32) -> Option<&mut OpenFile> {
        match self.open.get_mut(&fd) {
            Some(Descriptor::File(file)) => Some(file),
            _ => None,
        }
    }

    /// Every open file.
    pub(crate) fn files_mut(&mut self) -> impl Iterator<Item = &mut OpenFile> {
        self.open.values_mut().filter_map(|descriptor| match descriptor {
            Descriptor::File(file) => Some(file),
            _ => None,
        })
    }

    /// Whether there is room for another one.
    pub(crate) fn check_room(&self) -> Answer {
        let count = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        match self.limit.bound() {
            Some(limit) if count >= limit.0 => Err(Errno::NFILE.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn insert(&mut self, fd: u32, descriptor: Descriptor) {
        self.open.insert(fd, descriptor);
    }

    pub(crate) fn remove(&mut self, fd: u32) {
        self.open.remove(&fd);
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
