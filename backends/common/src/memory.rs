//! How guests' memories are found and measured.

/// The export that host functions work on.
pub const MEMORY: &str = "memory";

/// 64 KiB, the page that sizes are reported in.
pub const PAGE_BYTES: u64 = 1 << 16;
