//! Socket options: WasmEdge's numbers and layouts. What would reach beyond the socket is refused.

use super::{Socket, State};
use crate::errno::{Answer, Errno};
use crate::memory::{aligned, range, read_u32, write_u32};
use crate::network::LARGEST_BUFFER;
use rustix::net::sockopt;
use std::time::Duration;
use wasmrt_model::network::Protocol;

/// The only level there is.
const SOCKET_LEVEL: u32 = 0;

mod name {
    pub(super) const REUSE_ADDRESS: u32 = 0;
    pub(super) const TYPE: u32 = 1;
    pub(super) const ERROR: u32 = 2;
    pub(super) const DONT_ROUTE: u32 = 3;
    pub(super) const BROADCAST: u32 = 4;
    pub(super) const SEND_BUFFER: u32 = 5;
    pub(super) const RECEIVE_BUFFER: u32 = 6;
    pub(super) const KEEP_ALIVE: u32 = 7;
    pub(super) const OUT_OF_BAND_INLINE: u32 = 8;
    pub(super) const LINGER: u32 = 9;
    pub(super) const RECEIVE_LOW_WATER: u32 = 10;
    pub(super) const RECEIVE_TIMEOUT: u32 = 11;
    pub(super) const SEND_TIMEOUT: u32 = 12;
    pub(super) const ACCEPTS: u32 = 13;
    pub(super) const BIND_TO_DEVICE: u32 = 14;
}

const DATAGRAM_TYPE: i32 = 1;
const STREAM_TYPE: i32 = 2;

/// What a guest has asked for, as far as the system does not keep it for us.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    pub(super) receive_timeout: Option<Duration>,
    pub(super) send_timeout: Option<Duration>,
    reuse_address: bool,
    keep_alive: Option<bool>,
    out_of_band_inline: Option<bool>,
    send_buffer: Option<u32>,
    receive_buffer: Option<u32>,
    /// Whether closing throws away what is not sent yet. Closing never waits.
    linger: Option<(i32, i32)>,
}

impl Socket {
    /// Gives the system what it has to know; what it does not take, it does not do.
    pub(super) fn apply_options(&self) {
        let Some(fd) = self.fd() else { return };
        let options = &self.options;
        if let Some(on) = options.keep_alive {
            let _refused = sockopt::set_socket_keepalive(fd, on);
        }
        if let Some(on) = options.out_of_band_inline {
            let _refused = sockopt::set_socket_oobinline(fd, on);
        }
        let size = |size: u32| usize::try_from(size).unwrap_or_default();
        if let Some(bytes) = options.send_buffer {
            let _refused = sockopt::set_socket_send_buffer_size(fd, size(bytes));
        }
        if let Some(bytes) = options.receive_buffer {
            let _refused = sockopt::set_socket_recv_buffer_size(fd, size(bytes));
        }
        if let Some((on, seconds)) = options.linger {
            let now = on != 0 && seconds == 0;
            let _refused = sockopt::set_socket_linger(fd, now.then_some(Duration::ZERO));
        }
    }

    /// `sock_setsockopt`.
    pub(super) fn set_option(&mut self, memory: &[u8], level: u32, name: u32, at: u32, size: u32) -> Answer {
        if level != SOCKET_LEVEL {
            return Err(Errno::INVAL.into());
        }
        let value = &memory[range(memory, at, size)?];
        let number = || int(value);
        match name {
            name::REUSE_ADDRESS => self.options.reuse_address = number()? != 0,
            name::KEEP_ALIVE => self.options.keep_alive = Some(number()? != 0),
            name::OUT_OF_BAND_INLINE => self.options.out_of_band_inline = Some(number()? != 0),
            name::SEND_BUFFER => self.options.send_buffer = Some(buffer_size(number()?)?),
            name::RECEIVE_BUFFER => self.options.receive_buffer = Some(buffer_size(number()?)?),
            name::LINGER => self.options.linger = Some((number()?, int(value.get(4..).unwrap_or_default())?)),
            name::RECEIVE_TIMEOUT => self.options.receive_timeout = timeout(value)?,
            name::SEND_TIMEOUT => self.options.send_timeout = timeout(value)?,
            // Off is how it is.
            name::DONT_ROUTE | name::BROADCAST if number()? == 0 => {}
            name::RECEIVE_LOW_WATER if number()? <= 1 => {}
            name::DONT_ROUTE | name::BROADCAST | name::BIND_TO_DEVICE => return Err(Errno::ACCES.into()),
            name::RECEIVE_LOW_WATER | name::TYPE | name::ERROR | name::ACCEPTS => return Err(Errno::NOPROTOOPT.into()),
            _ => return Err(Errno::INVAL.into()),
        }
        self.apply_options();
        Ok(())
    }

    /// `sock_getsockopt`: at most as many bytes as there is room for, and how many these were.
    pub(super) fn get_option(&mut self, memory: &mut [u8], level: u32, name: u32, at: u32, size_at: u32) -> Answer {
        if level != SOCKET_LEVEL {
            return Err(Errno::INVAL.into());
        }
        aligned(memory, size_at, 4, 4)?;
        let place = range(memory, at, read_u32(memory, size_at)?)?;
        let flag = |on: bool| i32::from(on).to_le_bytes().to_vec();
        let time = |span: Option<Duration>| {
            let span = span.unwrap_or_default();
            let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            [seconds.to_le_bytes(), i64::from(span.subsec_micros()).to_le_bytes()].concat()
        };
        let size = |size: rustix::io::Result<usize>, asked: Option<u32>| {
            let size = size.ok().and_then(|size| i32::try_from(size).ok());
            size.unwrap_or_else(|| asked.and_then(|asked| i32::try_from(asked).ok()).unwrap_or_default())
                .to_le_bytes()
                .to_vec()
        };
        let none = Err(rustix::io::Errno::BADF);
        let options = self.options;
        let value = match name {
            name::TYPE => match self.protocol {
                Protocol::Tcp => STREAM_TYPE.to_le_bytes().to_vec(),
                Protocol::Udp => DATAGRAM_TYPE.to_le_bytes().to_vec(),
            },
            name::ERROR => i32::from(self.take_error()?.0).to_le_bytes().to_vec(),
            name::REUSE_ADDRESS => flag(options.reuse_address),
            name::KEEP_ALIVE => flag(options.keep_alive.unwrap_or_default()),
            name::OUT_OF_BAND_INLINE => flag(options.out_of_band_inline.unwrap_or_default()),
            name::DONT_ROUTE | name::BROADCAST => flag(false),
            name::RECEIVE_LOW_WATER => 1i32.to_le_bytes().to_vec(),
            name::ACCEPTS => flag(matches!(self.state, State::Listening(_))),
            name::SEND_BUFFER => size(self.fd().map_or(none, sockopt::socket_send_buffer_size), options.send_buffer),
            name::RECEIVE_BUFFER => {
                size(self.fd().map_or(none, sockopt::socket_recv_buffer_size), options.receive_buffer)
            }
            name::LINGER => {
                let (on, seconds) = options.linger.unwrap_or_default();
                [on.to_le_bytes(), seconds.to_le_bytes()].concat()
            }
            name::RECEIVE_TIMEOUT => time(options.receive_timeout),
            name::SEND_TIMEOUT => time(options.send_timeout),
            name::BIND_TO_DEVICE => Vec::new(),
            _ => return Err(Errno::INVAL.into()),
        };
        let count = value.len().min(place.len());
        memory[place.start..place.start + count].copy_from_slice(&value[..count]);
        write_u32(memory, size_at, u32::try_from(count).unwrap_or_default())
    }

    /// What has happened to the socket since anybody asked.
    fn take_error(&mut self) -> Answer<Errno> {
        let Some(fd) = self.fd() else { return Ok(Errno(0)) };
        Ok(match sockopt::socket_error(fd).map_err(Errno::from_os)? {
            Ok(()) => Errno(0),
            Err(error) => {
                if matches!(self.state, State::Connected(_)) && rustix::net::getpeername(fd).is_err() {
                    self.state = State::Fresh;
                }
                Errno::from_os(error)
            }
        })
    }
}

fn int(value: &[u8]) -> Answer<i32> {
    value.first_chunk::<4>().map(|bytes| i32::from_le_bytes(*bytes)).ok_or_else(|| Errno::INVAL.into())
}

fn buffer_size(bytes: i32) -> Answer<u32> {
    u32::try_from(bytes).map(|bytes| bytes.min(LARGEST_BUFFER)).map_err(|_| Errno::INVAL.into())
}

/// Seconds and microseconds of 64 bits each; nothing means for ever.
fn timeout(value: &[u8]) -> Answer<Option<Duration>> {
    let part =
        |at: usize| value.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|bytes| i64::from_le_bytes(*bytes));
    let (Some(seconds), Some(microseconds)) = (part(0), part(8)) else { return Err(Errno::INVAL.into()) };
    let seconds = u64::try_from(seconds).map_err(|_| Errno::DOM)?;
    let nanoseconds = u32::try_from(microseconds).ok().filter(|part| *part < 1_000_000).ok_or(Errno::DOM)? * 1000;
    let span = Duration::new(seconds, nanoseconds);
    Ok((!span.is_zero()).then_some(span))
}
