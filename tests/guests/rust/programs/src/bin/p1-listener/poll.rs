//! `poll_oneoff`, which the standard library does not offer, in its own layouts.

/// To wait until there is something to read.
pub const READ: u64 = 1;
/// To wait until there is room to write.
pub const WRITE: u64 = 2;

/// User data; kind; descriptor; and what only clocks need.
type Subscription = [u64; 6];
/// User data; error and kind; bytes; flags.
type Event = [u64; 4];

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn poll_oneoff(subscriptions: *const Subscription, events: *mut Event, count: u32, ready: *mut u32) -> u32;
}

/// Waits until one or more of these is ready, or has failed: their indices, in order.
pub fn wait(interests: impl Iterator<Item = (i32, u64)>) -> std::io::Result<Vec<usize>> {
    let subscriptions: Vec<Subscription> =
        interests.enumerate().map(|(index, (fd, kind))| [index as u64, kind, u64::from(fd as u32), 0, 0, 0]).collect();
    let mut events = vec![[0u64; 4]; subscriptions.len()];
    let mut count = 0;
    // SAFETY: both buffers have room for as many entries as the count says, and live through the call.
    let number =
        unsafe { poll_oneoff(subscriptions.as_ptr(), events.as_mut_ptr(), subscriptions.len() as u32, &mut count) };
    if number != 0 {
        return Err(std::io::Error::from_raw_os_error(number as i32));
    }
    let mut ready: Vec<usize> = events.iter().take(count as usize).map(|event| event[0] as usize).collect();
    ready.sort_unstable();
    ready.dedup();
    Ok(ready)
}
