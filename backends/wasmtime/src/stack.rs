//! Whether the calling thread has the stack that a guest may use.
//!
//! wasmtime traps when a guest has used its share, but takes for granted that the thread's stack is larger than that. Where it
//! is not, the overflow kills the process; so calls on such a thread are refused instead.

use std::cell::Cell;
use std::fs;
use std::ops::Range;
use wasmrt_model::{Error, ErrorKind, Result};

/// What host functions may need below the guest.
const HOST_BYTES: usize = 512 << 10;

thread_local! {
    /// The stack that this thread was last seen to run on.
    static KNOWN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Refuses a thread with less stack left than a guest and the host functions it calls may use.
///
/// # Errors
/// `Unsupported`, saying how much there is and how much it takes.
pub(crate) fn ensure(wasm_stack: usize) -> Result<()> {
    let needed = wasm_stack.saturating_add(HOST_BYTES);
    let left = left()?;
    if left >= needed {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("this thread has {} KiB of stack left and a guest may need {} KiB", left >> 10, needed >> 10),
    )
    .with_hint("call guests on a thread with a larger stack, or raise the stack limit of the process (ulimit -s)"))
}

/// Bytes of stack below the caller.
fn left() -> Result<usize> {
    let marker = 0u8;
    let here = (&raw const marker).addr();
    let (mut low, high) = KNOWN.get();
    if !(low..high).contains(&here) {
        let Range { start, end } = find(here)?;
        KNOWN.set((start, end));
        low = start;
    }
    Ok(here.saturating_sub(low))
}

/// The stack around this address, as far down as it may grow.
fn find(here: usize) -> Result<Range<usize>> {
    if rustix::thread::gettid() == rustix::process::getpid() {
        return Ok(main_thread(here));
    }
    let maps = fs::read_to_string("/proc/self/maps")
        .map_err(|source| Error::io("the size of this thread's stack cannot be found out", source))?;
    maps.lines()
        .filter_map(|line| {
            let (start, rest) = line.split_once('-')?;
            let (end, _) = rest.split_once(' ')?;
            Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
        })
        .find(|mapping| mapping.contains(&here))
        .ok_or_else(|| Error::new(ErrorKind::Internal, "this thread's stack is in no mapping"))
}

/// The main thread's stack grows on demand, up to the process's limit; arguments and environment at its top count.
fn main_thread(here: usize) -> Range<usize> {
    /// What is in use above the first call, at most.
    const ABOVE: usize = 256 << 10;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let size = limit.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
    here.saturating_sub(size.saturating_sub(ABOVE))..here.saturating_add(ABOVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            std::thread::Builder::new().stack_size(bytes).spawn_scoped(scope, work).unwrap().join().unwrap()
        })
    }

    #[test]
    fn a_thread_that_is_too_small_is_refused() {
        assert!(on_stack(4 << 20, || ensure(2 << 20)).is_ok());
        // Far above any stack that the threads of other tests leave behind to be used again.
        assert_eq!(on_stack(4 << 20, || ensure(256 << 20)).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn what_is_in_use_is_not_left() {
        const FRAME: usize = 32 << 10;
        fn deeper(levels: usize) -> usize {
            let frame = std::hint::black_box([0u8; FRAME]);
            let result = if levels == 0 { left().unwrap() } else { deeper(levels - 1) };
            std::hint::black_box(frame);
            result
        }
        let (above, below) = on_stack(4 << 20, || (left().unwrap(), deeper(20)));
        assert!(above <= 8 << 20 && below + 20 * FRAME < above, "{above}, then {below}");
    }
}
