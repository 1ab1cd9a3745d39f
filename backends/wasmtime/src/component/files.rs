//! The file system of a component: wasmtime-wasi's, with the quotas on open files and written bytes, and streams that start no threads.
//!
//! A write is charged before it is made: its bytes, and the gap that it leaves behind a file's end. What fits is written, then the
//! guest ends, as it does for modules. What stays inside a preopen, and what may be done in a read-only one, is wasmtime-wasi's.

use super::quota::{Bytes as Quota, OpenFiles};
use super::state::State;
use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use wasmrt_host::{KernelFiles, Refusals, quoted};
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, File, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode, HostDescriptor, HostDirectoryEntryStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

/// The most that is read or written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The interface `wasi:filesystem/types` with quotas.
struct QuotaFiles;

impl HasData for QuotaFiles {
    type Data<'a> = QuotaView<'a>;
}

/// Puts the file system with quotas in the place of the one without.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, QuotaFiles>(linker, State::files)
}

/// One guest's file system.
pub(super) struct QuotaView<'a> {
    pub(super) inner: WasiFilesystemCtxView<'a>,
    pub(super) written: Arc<Quota>,
    pub(super) open: &'a OpenFiles,
    /// Whether only regular files and directories are opened: others can make a thread wait that others need.
    pub(super) regular_files_only: bool,
    pub(super) kernel_files: &'a KernelFiles,
    pub(super) refusals: &'a Refusals,
}

impl QuotaView<'_> {
    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<File> {
        match self.inner.table.get(fd)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    fn refuse(&self, what: &str, path: &str, why: &str) {
        self.refusals.add(|| format!("{what} {}: {why}", quoted(path)));
    }
}

impl types::Host for QuotaView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.inner, error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.inner, error)
    }
}

/// What quotas have nothing to do with.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $result:ty;)*) => {
        $(async fn $name(&mut self, $($arg: $kind),*) -> $result {
            HostDescriptor::$name(&mut self.inner, $($arg),*).await
        })*
    };
}

impl HostDescriptor for QuotaView<'_> {
    pass_on! {
        advise(fd: Resource<Descriptor>, offset: types::Filesize, len: types::Filesize, advice: types::Advice) -> FsResult<()>;
        sync_data(fd: Resource<Descriptor>) -> FsResult<()>;
        get_flags(fd: Resource<Descriptor>) -> FsResult<types::DescriptorFlags>;
        get_type(fd: Resource<Descriptor>) -> FsResult<types::DescriptorType>;
        set_times(fd: Resource<Descriptor>, atim: types::NewTimestamp, mtim: types::NewTimestamp) -> FsResult<()>;
        read(fd: Resource<Descriptor>, len: types::Filesize, offset: types::Filesize) -> FsResult<(Vec<u8>, bool)>;
        read_directory(fd: Resource<Descriptor>) -> FsResult<Resource<types::DirectoryEntryStream>>;
        sync(fd: Resource<Descriptor>) -> FsResult<()>;
        create_directory_at(fd: Resource<Descriptor>, path: String) -> FsResult<()>;
        stat(fd: Resource<Descriptor>) -> FsResult<types::DescriptorStat>;
        stat_at(fd: Resource<Descriptor>, flags: types::PathFlags, path: String) -> FsResult<types::DescriptorStat>;
        set_times_at(fd: Resource<Descriptor>, flags: types::PathFlags, path: String, atim: types::NewTimestamp, mtim: types::NewTimestamp) -> FsResult<()>;
        link_at(fd: Resource<Descriptor>, flags: types::PathFlags, old: String, to: Resource<Descriptor>, new: String) -> FsResult<()>;
        readlink_at(fd: Resource<Descriptor>, path: String) -> FsResult<String>;
        remove_directory_at(fd: Resource<Descriptor>, path: String) -> FsResult<()>;
        rename_at(fd: Resource<Descriptor>, old: String, to: Resource<Descriptor>, new: String) -> FsResult<()>;
        symlink_at(fd: Resource<Descriptor>, old: String, new: String) -> FsResult<()>;
        unlink_file_at(fd: Resource<Descriptor>, path: String) -> FsResult<()>;
        is_same_object(a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool>;
        metadata_hash(fd: Resource<Descriptor>) -> FsResult<types::MetadataHashValue>;
        metadata_hash_at(fd: Resource<Descriptor>, flags: types::PathFlags, path: String) -> FsResult<types::MetadataHashValue>;
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.inner, fd)
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        if !self.open.has_room() {
            self.refuse("open-at", &path, "open_files is reached");
            return Err(ErrorCode::Quota.into());
        }
        let shown = path.clone();
        let opened = HostDescriptor::open_at(&mut self.inner, fd, path_flags, path, open_flags, flags).await;
        let opened = match opened.map_err(FsError::downcast) {
            Ok(opened) => opened,
            Err(Ok(code)) => {
                if code == ErrorCode::NotPermitted {
                    self.refuse("open-at", &shown, "outside of the preopen, or it is read-only");
                }
                return Err(code.into());
            }
            Err(Err(trap)) => return Err(FsError::trap(trap)),
        };
        // Granting a directory grants no devices, whoever has put them there.
        let (file, granted) = match self.inner.table.get(&opened)? {
            Descriptor::Dir(directory) => (Arc::clone(&directory.dir), true),
            Descriptor::File(file) => {
                let kind = file.file.metadata()?.file_type();
                (Arc::clone(&file.file), kind.is_file() || !self.regular_files_only && !is_device(kind))
            }
        };
        // Nor the kernel's files, wherever they are mounted.
        let granted = granted && !self.kernel_files.hold(file.metadata()?.dev());
        if !granted {
            HostDescriptor::drop(&mut self.inner, opened).map_err(FsError::trap)?;
            self.refuse("open-at", &shown, "it is a device, or nothing that can be read at any time");
            return Err(ErrorCode::Access.into());
        }
        self.open.add(&file);
        Ok(opened)
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: types::Filesize) -> FsResult<()> {
        let file = self.file(&fd)?;
        let growth = size.saturating_sub(file.file.metadata()?.len());
        if is_writable(&file) && growth > self.written.left() {
            return Err(FsError::trap(self.written.reached()));
        }
        HostDescriptor::set_size(&mut self.inner, fd, size).await?;
        self.written.charge(growth);
        Ok(())
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        mut bytes: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        let file = self.file(&fd)?;
        if !is_writable(&file) {
            return HostDescriptor::write(&mut self.inner, fd, bytes, offset).await;
        }
        let share = Share::of(&self.written, &file, Some(offset), bytes.len())?;
        let cut = share.allowed < bytes.len();
        bytes.truncate(share.allowed);
        if share.allowed > 0 || !cut {
            let written = HostDescriptor::write(&mut self.inner, fd, bytes, offset).await?;
            share.charge(&self.written, written);
            if !cut {
                return Ok(written);
            }
        }
        Err(FsError::trap(self.written.reached()))
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let Descriptor::File(file) = self.inner.table.get(&fd)? else { return Err(ErrorCode::IsDirectory.into()) };
        let stream: DynInputStream = Box::new(Reader { file: file.clone(), position: offset });
        Ok(self.inner.table.push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Some(offset))
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, None)
    }
}

impl QuotaView<'_> {
    /// A stream that writes from this position on; without one, to the end.
    fn writer(&mut self, fd: &Resource<Descriptor>, position: Option<u64>) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(fd)?;
        if file.perms.write_not_permitted() {
            return Err(ErrorCode::NotPermitted.into());
        }
        let stream: DynOutputStream =
            Box::new(Writer { file, position, written: Arc::clone(&self.written), failed: false });
        Ok(self.inner.table.push(stream)?)
    }
}

impl HostDirectoryEntryStream for QuotaView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        HostDirectoryEntryStream::read_directory_entry(&mut self.inner, stream).await
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner, stream)
    }
}

fn is_device(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_block_device() || kind.is_char_device()
}

fn is_writable(file: &File) -> bool {
    !file.perms.write_not_permitted() && file.open_mode.contains(OpenMode::WRITE)
}

/// What of a write the quota allows.
struct Share {
    gap: u64,
    allowed: usize,
}

impl Share {
    fn of(quota: &Quota, file: &File, position: Option<u64>, wanted: usize) -> io::Result<Self> {
        let gap = match position {
            Some(position) => position.saturating_sub(file.file.metadata()?.len()),
            None => 0,
        };
        let left = quota.left().saturating_sub(gap);
        Ok(Self { gap, allowed: usize::try_from(left).map_or(wanted, |left| left.min(wanted)) })
    }

    fn charge(&self, quota: &Quota, written: u64) {
        if written > 0 {
            quota.charge(self.gap.saturating_add(written));
        }
    }
}

/// Reads a file from a position on. Files are always ready: a read that takes long is this thread's.
struct Reader {
    file: File,
    position: u64,
}

#[async_trait::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {}
}

impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = vec![0; size.min(CHUNK_BYTES)];
        loop {
            match self.file.file.read_at(&mut buffer, self.position) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(count) => {
                    buffer.truncate(count);
                    self.position = self.position.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    return Ok(buffer.into());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StreamError::LastOperationFailed(error.into())),
            }
        }
    }
}

/// Writes a file from a position on, or to its end.
struct Writer {
    file: File,
    position: Option<u64>,
    written: Arc<Quota>,
    /// Whether a write has failed: then the stream is closed.
    failed: bool,
}

impl Writer {
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.position {
            Some(position) => self.file.file.write_at(bytes, position),
            None => Ok(rustix::io::pwritev2(&self.file.file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)?),
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let failed = |error: io::Error| StreamError::LastOperationFailed(error.into());
        let share = Share::of(&self.written, &self.file, self.position, bytes.len()).map_err(failed)?;
        let mut rest = bytes.get(..share.allowed).unwrap_or_default();
        let mut gap = share.gap;
        while !rest.is_empty() {
            let count = match self.write_some(rest) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {
                    return Err(StreamError::Closed);
                }
                Err(error) => {
                    self.failed = true;
                    return Err(failed(error));
                }
            };
            rest = rest.get(count..).unwrap_or_default();
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.written.charge(std::mem::take(&mut gap).saturating_add(count));
            self.position = self.position.map(|position| position.saturating_add(count));
        }
        if share.allowed < bytes.len() { Err(StreamError::Trap(self.written.reached())) } else { Ok(()) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.failed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.failed { Err(StreamError::Closed) } else { Ok(CHUNK_BYTES) }
    }
}
