//! Memories of instances. Every access by offset is checked.

use super::wasmrt_instance_t;
use crate::boundary::{ErrorOut, Text, attempt, needed, slice, slice_mut};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use wasmrt_runtime::model::Result;
use wasmrt_runtime::{Instance, Memory};

/// All of a memory, and its size in bytes. `name` is that of an export; NULL means "memory", or the one that the guest imports and owns. It stays where it is until the
/// instance is called, reset or deleted. An empty memory is not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_memory(
    instance: Option<&wasmrt_instance_t>,
    name: Text<'_>,
    size: Option<&mut MaybeUninit<usize>>,
    error: ErrorOut<'_>,
) -> *mut u8 {
    attempt(error, null_mut(), || {
        let mut instance = needed(instance, "instance")?.enter()?;
        let mut memory = named(&mut instance, name)?;
        let bytes = memory.bytes_mut();
        if let Some(size) = size {
            size.write(bytes.len());
        }
        Ok(bytes.as_mut_ptr())
    })
}

/// Copies so many bytes of a memory, from `offset` on, to `bytes`: all, or none when they do not all lie in the memory. `name` as in wasmrt_instance_memory.
///
/// # Safety
/// `bytes` has room for `count` bytes, outside the memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_memory_read(
    instance: Option<&wasmrt_instance_t>,
    name: Text<'_>,
    offset: u64,
    bytes: *mut u8,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice_mut(bytes, count, "bytes") }?;
        let mut instance = needed(instance, "instance")?.enter()?;
        let memory = named(&mut instance, name)?;
        bytes.copy_from_slice(memory.read(offset, length(count))?);
        Ok(true)
    })
}

/// Copies so many bytes to a memory, from `offset` on: all, or none when they do not all fit. `name` as in wasmrt_instance_memory.
///
/// # Safety
/// `bytes` points to `count` bytes, outside the memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_memory_write(
    instance: Option<&wasmrt_instance_t>,
    name: Text<'_>,
    offset: u64,
    bytes: *const u8,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(bytes, count, "bytes") }?;
        let mut instance = needed(instance, "instance")?.enter()?;
        named(&mut instance, name)?.write(offset, bytes)?;
        Ok(true)
    })
}

fn named<'a>(instance: &'a mut Instance, name: Text<'_>) -> Result<Memory<'a>> {
    match name.read_if_any("name")? {
        None => instance.memory(),
        Some(name) => instance.memory_named(name),
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
