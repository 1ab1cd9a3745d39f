//! Reading and writing the guest's memory: every access is checked for range and alignment.
//!
//! A bad pointer ends the guest with the same trap on every engine. What the bytes mean is the callers' business.

use crate::errno::{Answer, Errno, Stop};
use smallvec::SmallVec;
use std::ops::Range;

/// Where a guest's buffers lie. Most calls have one or two.
pub(crate) type Buffers = SmallVec<[Range<usize>; 4]>;

/// More buffers than this in one call are refused: a larger list makes the host work, and moves nothing faster.
const MAX_BUFFERS: u32 = 1 << 16;

/// The low half of an argument: how engines pass 32-bit values.
pub(crate) fn word(arg: u64) -> u32 {
    let [a, b, c, d, ..] = arg.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Where `length` bytes at `pointer` lie.
pub(crate) fn range(memory: &[u8], pointer: u32, length: u32) -> Answer<Range<usize>> {
    let bad =
        || Stop::bad_pointer(format!("{length} bytes at {pointer:#x} are outside the memory of {}", memory.len()));
    let start = usize::try_from(pointer).map_err(|_| bad())?;
    let length = usize::try_from(length).map_err(|_| bad())?;
    match start.checked_add(length) {
        Some(end) if end <= memory.len() => Ok(start..end),
        _ => Err(bad()),
    }
}

/// Where a value of `length` bytes lies that must be aligned to `align`.
pub(crate) fn aligned(memory: &[u8], pointer: u32, length: u32, align: u32) -> Answer<Range<usize>> {
    if !pointer.is_multiple_of(align) {
        return Err(Stop::bad_pointer(format!("{pointer:#x} is not aligned to {align} bytes")));
    }
    range(memory, pointer, length)
}

fn array<const N: usize>(memory: &[u8], pointer: u32, align: u32) -> Answer<[u8; N]> {
    let length = u32::try_from(N).map_err(|_| Errno::OVERFLOW)?;
    let range = aligned(memory, pointer, length, align)?;
    <[u8; N]>::try_from(&memory[range]).map_err(|_| Errno::OVERFLOW.into())
}

pub(crate) fn read_u8(memory: &[u8], pointer: u32) -> Answer<u8> {
    Ok(array::<1>(memory, pointer, 1)?[0])
}

pub(crate) fn read_u16(memory: &[u8], pointer: u32) -> Answer<u16> {
    array(memory, pointer, 2).map(u16::from_le_bytes)
}

pub(crate) fn read_u32(memory: &[u8], pointer: u32) -> Answer<u32> {
    array(memory, pointer, 4).map(u32::from_le_bytes)
}

pub(crate) fn read_u64(memory: &[u8], pointer: u32) -> Answer<u64> {
    array(memory, pointer, 8).map(u64::from_le_bytes)
}

pub(crate) fn write_u32(memory: &mut [u8], pointer: u32, value: u32) -> Answer {
    let range = aligned(memory, pointer, 4, 4)?;
    memory[range].copy_from_slice(&value.to_le_bytes());
    Ok(())
}

pub(crate) fn write_u64(memory: &mut [u8], pointer: u32, value: u64) -> Answer {
    let range = aligned(memory, pointer, 8, 8)?;
    memory[range].copy_from_slice(&value.to_le_bytes());
    Ok(())
}

/// A path, which WASI wants to be UTF-8.
pub(crate) fn text(memory: &[u8], pointer: u32, length: u32) -> Answer<&str> {
    let range = range(memory, pointer, length)?;
    std::str::from_utf8(&memory[range]).map_err(|_| Errno::ILSEQ.into())
}

/// The `index`th element of an array of elements of `size` bytes.
pub(crate) fn element(base: u32, index: u32, size: u32) -> Answer<u32> {
    index
        .checked_mul(size)
        .and_then(|offset| base.checked_add(offset))
        .ok_or_else(|| Stop::bad_pointer(format!("an array at {base:#x} goes beyond the address space")))
}

/// The buffers of a list of (pointer, length) pairs, all of them inside the memory.
pub(crate) fn buffers(memory: &[u8], list: u32, count: u32) -> Answer<Buffers> {
    check_count(count)?;
    (0..count).map(|index| buffer(memory, list, index)).collect()
}

/// The first buffer of a list that is not empty, as (pointer, length).
pub(crate) fn first_buffer(memory: &[u8], list: u32, count: u32) -> Answer<Option<(u32, u32)>> {
    check_count(count)?;
    for index in 0..count {
        let at = element(list, index, 8)?;
        let (pointer, length) = (read_u32(memory, at)?, read_u32(memory, at + 4)?);
        if length != 0 {
            range(memory, pointer, length)?;
            return Ok(Some((pointer, length)));
        }
    }
    Ok(None)
}

fn check_count(count: u32) -> Answer {
    if count > MAX_BUFFERS { Err(Errno::INVAL.into()) } else { Ok(()) }
}

fn buffer(memory: &[u8], list: u32, index: u32) -> Answer<Range<usize>> {
    let at = element(list, index, 8)?;
    range(memory, read_u32(memory, at)?, read_u32(memory, at + 4)?)
}

/// A small memory of our own, in which inner calls find paths and leave results. Aligned as a guest's memory is.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
}

impl Scratch {
    const ALIGN: usize = 16;

    /// At least `length` bytes, of any content.
    pub(crate) fn take(&mut self, length: usize) -> &mut [u8] {
        let wanted = length.saturating_add(Self::ALIGN);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        let start = self.bytes.as_ptr().align_offset(Self::ALIGN).min(Self::ALIGN);
        &mut self.bytes[start..]
    }

    /// Gives back what a large transfer needed.
    pub(crate) fn shrink(&mut self) {
        self.bytes.truncate(4096);
        self.bytes.shrink_to(4096);
    }
}
