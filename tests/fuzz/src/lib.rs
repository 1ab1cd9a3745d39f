//! Random modules through the guard and the engines: what one engine says of a guest, metered or not, every other one has to say too.
//!
//! [`check`] is the target. It takes any bytes, makes of them either a valid module with calls ([`guest`]) or bytes that only the guard sees
//! at first ([`hostile`]), and says what it compared, or what does not agree. Drivers (libFuzzer, `soak`) only bring bytes.

mod compare;
mod digest;
mod engines;
mod guest;
mod host;
mod hostile;
mod known;
mod report;
mod run;

pub use engines::Engines;
pub use guest::Guest;
pub use report::{Finding, Report};

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The stack of a check's thread: the guests' share and enough for everything below.
const STACK_BYTES: usize = engines::WASM_STACK_BYTES + (16 << 20);

/// Checks what these bytes stand for, on a thread of its own with a large stack.
///
/// # Errors
/// What does not agree; a panic of the guard or of a backend is a finding as well.
pub fn check(engines: &Engines, data: &[u8]) -> Result<Report, Finding> {
    checked(|report| compare::input(engines, data, report))
}

/// Checks a module as if it had come out of fuzz bytes.
///
/// # Errors
/// As [`check`].
pub fn check_guest(engines: &Engines, guest: &Guest) -> Result<Report, Finding> {
    checked(|report| compare::whole(engines, guest, report))
}

fn checked(work: impl FnOnce(&mut Report) -> Result<(), Finding> + Send) -> Result<Report, Finding> {
    on_large_stack(|| {
        let mut report = Report::default();
        match catch_unwind(AssertUnwindSafe(|| work(&mut report))) {
            Ok(Ok(())) => Ok(report),
            Ok(Err(finding)) => Err(finding),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Err(Finding::new("panic", text))
            }
        }
    })
}

/// The module that these bytes stand for; None when they stand for none.
#[must_use]
pub fn module(data: &[u8]) -> Option<Vec<u8>> {
    on_large_stack(|| compare::module(data))
}

/// Pseudo-random bytes for a check: the same for the same numbers, on every machine.
#[must_use]
pub fn bytes(seed: u64, index: u64) -> Vec<u8> {
    let mut stream = digest::Stream::new(digest::mix(seed) ^ index);
    let most = 64 << stream.below(8);
    let words = (64 + stream.below(most)) / 8;
    (0..words).flat_map(|_| stream.next().to_le_bytes()).collect()
}

fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => panic!("no thread for a check: {error}"),
        }
    })
}
