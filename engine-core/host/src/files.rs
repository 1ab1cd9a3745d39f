//! Opening, writing and growing files, with the quotas on open files and written bytes.
//!
//! A write is charged before it is made: its bytes, and the gap that it leaves behind a file's end. What fits is written, then the guest ends.

use crate::descriptors::{Descriptor, OpenFile};
use crate::errno::{Answer, Errno, Stop};
use crate::host::{Host, open_flags};
use crate::memory::{aligned, first_buffer, range, read_u32, word, write_u32};
use crate::preview1::{Abi, Function};
use std::sync::atomic::Ordering;
use wasmrt_model::LimitKind;
use wasmrt_model::backend::Ending;

/// Where the newer layout of a file's attributes has its type.
const FILE_TYPE_AT: usize = 16;
const BLOCK_DEVICE_TYPE: u8 = 1;
const CHARACTER_DEVICE_TYPE: u8 = 2;
const DIRECTORY_TYPE: u8 = 3;

impl Host {
    /// `path_open` in a directory of the host.
    pub(crate) fn open_in_directory(&mut self, memory: &mut [u8], args: &[u64], preopen: usize) -> Answer {
        let opened_at = word(args[8]);
        aligned(memory, opened_at, 4, 4)?;
        self.descriptors.check_room()?;
        let opened = self.inner.open(Abi::Snapshot1, memory, args, &self.waiter)?;
        let fd = read_u32(memory, opened_at)?;
        let flags = word(args[4]);
        // Granting a directory grants none of the kernel's files, wherever they are mounted.
        if self.kernel_files.hold(opened) {
            self.inner_close(fd)?;
            return Err(Errno::ACCES.into());
        }
        let descriptor = match self.inner_stat(fd).map(|stat| stat[FILE_TYPE_AT]) {
            Ok(DIRECTORY_TYPE) => Descriptor::Directory { preopen },
            // Nor devices, whoever has put them there.
            Ok(BLOCK_DEVICE_TYPE | CHARACTER_DEVICE_TYPE) => {
                self.inner_close(fd)?;
                return Err(Errno::ACCES.into());
            }
            Ok(_) => Descriptor::File(OpenFile {
                writable: args[5] & open_flags::RIGHT_FD_WRITE != 0
                    || flags & (open_flags::CREATE | open_flags::TRUNCATE) != 0,
                append: word(args[7]) & open_flags::APPEND != 0,
                known_size: 0,
            }),
            Err(stop) => {
                self.inner_close(fd)?;
                return Err(stop);
            }
        };
        self.descriptors.insert(fd, descriptor);
        if flags & open_flags::TRUNCATE != 0 {
            self.forget_sizes();
        }
        Ok(())
    }

    /// `path_remove_directory`. The inner function takes no slashes behind the name, which for a directory mean nothing.
    pub(crate) fn remove_directory(&mut self, memory: &mut [u8], args: &[u64]) -> Answer {
        let (pointer, mut length) = (word(args[1]), word(args[2]));
        let path = &memory[range(memory, pointer, length)?];
        let slashes = path.iter().rev().take_while(|byte| **byte == b'/').count();
        let slashes = u32::try_from(slashes).map_err(|_| Errno::OVERFLOW)?;
        // Nothing but slashes is a name that the inner function refuses as it is.
        if slashes < length {
            length -= slashes;
        }
        let args = [args[0], args[1], u64::from(length)];
        self.inner.call(Function::PathRemoveDirectory, Abi::Snapshot1, memory, &args, &self.waiter)
    }

    /// `fd_read` and `fd_pread` of a file. The inner function fills the first buffer that is not empty.
    pub(crate) fn read_file(&mut self, function: Function, memory: &mut [u8], args: &[u64]) -> Answer {
        first_buffer(memory, word(args[1]), word(args[2]))?;
        self.inner.call(function, Abi::Snapshot1, memory, args, &self.waiter)
    }

    /// `fd_write` and `fd_pwrite` of a file. The inner function writes the first buffer that is not empty.
    pub(crate) fn write_file(&mut self, function: Function, memory: &mut [u8], args: &[u64], file: OpenFile) -> Answer {
        let fd = word(args[0]);
        let written_at = word(args[args.len() - 1]);
        aligned(memory, written_at, 4, 4)?;
        let buffer = first_buffer(memory, word(args[1]), word(args[2]))?;
        let Some((pointer, length)) = buffer.filter(|_| file.writable) else {
            return self.inner.call(function, Abi::Snapshot1, memory, args, &self.waiter);
        };
        let position = match (file.append, function) {
            (true, _) => 0,
            (false, Function::FdPwrite) => args[3],
            (false, _) => self.file_position(fd)?,
        };
        let mut size = file.known_size;
        if position > size {
            size = self.file_size(fd)?;
        }
        let gap = position.saturating_sub(size);
        let left = self.written_left();
        let allowed = left.saturating_sub(gap).min(u64::from(length));
        if allowed == 0 {
            return Err(Ending::Limit(LimitKind::WrittenBytes).into());
        }
        let written = if allowed == u64::from(length) {
            self.inner.call(function, Abi::Snapshot1, memory, args, &self.waiter)?;
            u64::from(read_u32(memory, written_at)?)
        } else {
            let data = range(memory, pointer, u32::try_from(allowed).map_err(|_| Errno::OVERFLOW)?)?;
            self.write_part(function, &memory[data], args)?
        };
        if written > 0 {
            self.charge(gap.saturating_add(written));
            if let Some(file) = self.descriptors.file_mut(fd) {
                file.known_size = size.max(position.saturating_add(written));
            }
        }
        if allowed < u64::from(length) {
            return Err(Ending::Limit(LimitKind::WrittenBytes).into());
        }
        Ok(())
    }

    /// Writes the part of a buffer that the quota allows, from a memory of our own.
    fn write_part(&mut self, function: Function, data: &[u8], args: &[u64]) -> Answer<u64> {
        let length = u32::try_from(data.len()).map_err(|_| Errno::OVERFLOW)?;
        let memory = self.scratch.take(16 + data.len());
        write_u32(memory, 0, 16)?;
        write_u32(memory, 4, length)?;
        memory[16..16 + data.len()].copy_from_slice(data);
        let mut args: Vec<u64> = args.to_vec();
        args[1] = 0;
        args[2] = 1;
        if let Some(written_at) = args.last_mut() {
            *written_at = 8;
        }
        let outcome = self.inner.call(function, Abi::Snapshot1, memory, &args, &self.waiter);
        let written = read_u32(memory, 8);
        self.scratch.shrink();
        outcome?;
        written.map(u64::from)
    }

    /// `fd_filestat_set_size`.
    pub(crate) fn resize_file(&mut self, memory: &mut [u8], args: &[u64], file: OpenFile) -> Answer {
        let (fd, wanted) = (word(args[0]), args[1]);
        let old = if file.writable { self.file_size(fd)? } else { u64::MAX };
        let growth = wanted.saturating_sub(old);
        if growth > self.written_left() {
            return Err(Ending::Limit(LimitKind::WrittenBytes).into());
        }
        self.inner.call(Function::FdFilestatSetSize, Abi::Snapshot1, memory, args, &self.waiter)?;
        if growth > 0 {
            self.charge(growth);
        }
        self.forget_sizes();
        Ok(())
    }

    /// `fd_fdstat_set_flags` of a file.
    pub(crate) fn set_file_flags(&mut self, memory: &mut [u8], args: &[u64]) -> Answer {
        self.inner.call(Function::FdFdstatSetFlags, Abi::Snapshot1, memory, args, &self.waiter)?;
        if let Some(file) = self.descriptors.file_mut(word(args[0])) {
            file.append = word(args[1]) & open_flags::APPEND != 0;
        }
        Ok(())
    }

    /// A file has become shorter: nothing is known any more of how long any descriptor's file is.
    pub(crate) fn forget_sizes(&mut self) {
        for file in self.descriptors.files_mut() {
            file.known_size = 0;
        }
    }

    fn written_left(&self) -> u64 {
        self.written_limit.bound().map_or(u64::MAX, |limit| limit.0.saturating_sub(self.written_bytes))
    }

    fn charge(&mut self, bytes: u64) {
        self.written_bytes = self.written_bytes.saturating_add(bytes);
        (*self.counters).as_ref().written_bytes.store(self.written_bytes, Ordering::Relaxed);
    }

    /// Where the next read or write of a file is; `badf` for what has no position.
    pub(crate) fn file_position(&mut self, fd: u32) -> Answer<u64> {
        let memory = self.scratch.take(8);
        self.inner.call(Function::FdTell, Abi::Snapshot1, memory, &[u64::from(fd), 0], &self.waiter)?;
        crate::memory::read_u64(memory, 0)
    }

    /// How long a file is.
    pub(crate) fn file_size(&mut self, fd: u32) -> Answer<u64> {
        let stat = self.inner_stat(fd)?;
        crate::memory::read_u64(&stat, 32)
    }

    /// The attributes of an inner descriptor, in the newer layout.
    pub(crate) fn inner_stat(&mut self, fd: u32) -> Answer<[u8; 64]> {
        let memory = self.scratch.take(64);
        self.inner.call(Function::FdFilestatGet, Abi::Snapshot1, memory, &[u64::from(fd), 0], &self.waiter)?;
        memory[..64].try_into().map_err(|_| Stop::Errno(Errno::OVERFLOW))
    }

    /// Closes an inner descriptor that the guest has not seen.
    pub(crate) fn inner_close(&mut self, fd: u32) -> Answer {
        self.inner.call(Function::FdClose, Abi::Snapshot1, &mut [], &[u64::from(fd)], &self.waiter)
    }
}
