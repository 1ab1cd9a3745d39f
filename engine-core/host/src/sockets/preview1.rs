//! What preview1's own functions do on sockets: reading, writing, status, closing.

use super::{Around, Receive, Sockets};
use crate::errno::{Answer, Errno};
use crate::host::open_flags;
use crate::memory::{aligned, buffers, word, write_u32};
use crate::preview1::{Abi, Function};
use wasmrt_model::network::Protocol;

const DATAGRAM_TYPE: u8 = 5;
const STREAM_TYPE: u8 = 6;

/// A kind of preopen that no version of WASI has given a meaning.
const NO_DIRECTORY: u8 = 1;

/// fd_read, fd_write, fd_fdstat_set_flags, poll_fd_readwrite, sock_shutdown, sock_accept.
const RIGHTS: u64 = 1 << 1 | 1 << 6 | 1 << 3 | 1 << 27 | 1 << 28 | 1 << 29;

impl Sockets {
    /// Carries out a function on a descriptor that is a socket.
    pub(crate) fn call_preview1(
        &mut self,
        function: Function,
        abi: Abi,
        key: u32,
        memory: &mut [u8],
        args: &[u64],
        around: &Around<'_>,
    ) -> Answer {
        match function {
            Function::FdRead => {
                let length_at = word(args[3]);
                aligned(memory, length_at, 4, 4)?;
                let mut buffers = buffers(memory, word(args[1]), word(args[2]))?;
                buffers.retain(|buffer| buffer.start < buffer.end);
                let room: usize = buffers.iter().map(std::ops::Range::len).sum();
                let (length, _) = self.receive_scattered(key, memory, &buffers, Receive::default(), around)?;
                write_u32(memory, length_at, u32::try_from(length.min(room)).unwrap_or(u32::MAX))
            }
            Function::FdWrite => {
                self.send_from(key, memory, (word(args[1]), word(args[2]), 0), None, word(args[3]), around)
            }
            Function::FdFdstatGet => {
                let place = aligned(memory, word(args[1]), 24, 8)?;
                let socket = self.get(key)?;
                let status = &mut memory[place];
                status.fill(0);
                status[0] = file_type(socket.protocol);
                if socket.is_nonblocking() {
                    status[2] = 4;
                }
                status[8..16].copy_from_slice(&RIGHTS.to_le_bytes());
                status[16..24].copy_from_slice(&RIGHTS.to_le_bytes());
                Ok(())
            }
            Function::FdFdstatSetFlags => {
                let flags = word(args[1]);
                if flags & !open_flags::NONBLOCK != 0 {
                    return Err(Errno::INVAL.into());
                }
                self.get_mut(key)?.set_nonblocking(flags & open_flags::NONBLOCK != 0);
                Ok(())
            }
            Function::FdFilestatGet => {
                let size = if abi == Abi::Snapshot1 { 64 } else { 56 };
                let place = aligned(memory, word(args[1]), size, 8)?;
                let stat = &mut memory[place];
                stat.fill(0);
                stat[16] = file_type(self.get(key)?.protocol);
                Ok(())
            }
            Function::FdFdstatSetRights => Ok(()),
            Function::FdSeek | Function::FdTell | Function::FdPread | Function::FdPwrite => Err(Errno::SPIPE.into()),
            // A program's library asks for each descriptor from 3 on, until one does not exist. This one does, and is no directory.
            Function::FdPrestatGet if self.is_given(key) => {
                let place = aligned(memory, word(args[1]), 8, 4)?;
                memory[place].copy_from_slice(&[NO_DIRECTORY, 0, 0, 0, 0, 0, 0, 0]);
                Ok(())
            }
            Function::FdPrestatGet | Function::FdPrestatDirName => Err(Errno::BADF.into()),
            Function::FdReaddir => Err(Errno::NOTDIR.into()),
            _ if function.name().starts_with("path_") => Err(Errno::NOTDIR.into()),
            _ => Err(Errno::INVAL.into()),
        }
    }
}

fn file_type(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => STREAM_TYPE,
        Protocol::Udp => DATAGRAM_TYPE,
    }
}
