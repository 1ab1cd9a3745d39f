//! Outcomes: how guests ended and what they used. Every field of an `Outcome` has an accessor here; tests hold them to it.

use crate::boundary::{self, ErrorOut, attempt, c_text, delete, give, invalid, needed};
use crate::value::wasmrt_value_t;
use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::null;
use std::sync::OnceLock;
use std::time::Duration;
use wasmrt_runtime::model::{Captured, ExitStatus, Frame, Outcome, Trap};

/// How a guest ended, and what it used. It does not change.
#[derive(Debug)]
pub struct wasmrt_outcome_t {
    outcome: Outcome,
    text: OnceLock<CString>,
    name: OnceLock<CString>,
    detail: OnceLock<CString>,
    engine: OnceLock<CString>,
    tier: OnceLock<CString>,
    refusals: OnceLock<Vec<CString>>,
    frames: OnceLock<Vec<(Option<CString>, Option<CString>)>>,
}

impl wasmrt_outcome_t {
    pub(crate) fn boxed(outcome: Outcome) -> Box<Self> {
        let (text, name, detail, engine, tier) = Default::default();
        let (refusals, frames) = Default::default();
        Box::new(Self { outcome, text, name, detail, engine, tier, refusals, frames })
    }
}

/// The ways in which guests end.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_ending_t {
    /// There is no outcome: the handle is NULL, or this library is older than what it was told.
    WASMRT_UNKNOWN_ENDING = 0,
    /// The function returned, or the guest called proc_exit: see wasmrt_outcome_code.
    WASMRT_EXITED = 1,
    /// It did what WebAssembly forbids: see wasmrt_outcome_trap.
    WASMRT_TRAPPED = 2,
    /// It ran into a limit that ends a guest: see wasmrt_outcome_limit.
    WASMRT_LIMIT_REACHED = 3,
    /// A signal ended it: see wasmrt_outcome_signal.
    WASMRT_SIGNALED = 4,
    /// The engine itself died under it, alone in its process: see wasmrt_outcome_signal.
    WASMRT_ENGINE_CRASHED = 5,
}

/// What guests use. Times are in nanoseconds.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_usage_t {
    /// From the worker's start to its end, in nanoseconds.
    WASMRT_USAGE_WALL_TIME = 0,
    /// User and system time of the worker, in nanoseconds.
    WASMRT_USAGE_CPU_TIME = 1,
    /// Peak resident memory of the worker process, engine included, in bytes.
    WASMRT_USAGE_PEAK_MEMORY_BYTES = 2,
    /// 64 KiB pages over all of the guest's memories.
    WASMRT_USAGE_MEMORY_PAGES = 3,
    /// Fuel, when the guest was metered.
    WASMRT_USAGE_FUEL = 4,
    /// Bytes written to stdout and stderr.
    WASMRT_USAGE_OUTPUT_BYTES = 5,
    /// Bytes written to files.
    WASMRT_USAGE_WRITTEN_BYTES = 6,
    /// Bytes received over the network.
    WASMRT_USAGE_RECEIVED_BYTES = 7,
    /// Bytes sent over the network.
    WASMRT_USAGE_SENT_BYTES = 8,
    /// Time spent compiling before the run, in nanoseconds; known when something had to be compiled.
    WASMRT_USAGE_COMPILE_TIME = 9,
}

use wasmrt_ending_t as Ending;

/// How the guest ended.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_ending(outcome: Option<&wasmrt_outcome_t>) -> wasmrt_ending_t {
    boundary::value(Ending::WASMRT_UNKNOWN_ENDING, || match outcome.map(|handle| &handle.outcome.status) {
        Some(ExitStatus::Exited { .. }) => Ending::WASMRT_EXITED,
        Some(ExitStatus::Trapped { .. }) => Ending::WASMRT_TRAPPED,
        Some(ExitStatus::LimitReached { .. }) => Ending::WASMRT_LIMIT_REACHED,
        Some(ExitStatus::Signaled { .. }) => Ending::WASMRT_SIGNALED,
        Some(ExitStatus::EngineCrashed { .. }) => Ending::WASMRT_ENGINE_CRASHED,
        _ => Ending::WASMRT_UNKNOWN_ENDING,
    })
}

/// Whether the guest ended by itself with code 0.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_success(outcome: Option<&wasmrt_outcome_t>) -> bool {
    boundary::value(false, || outcome.is_some_and(|handle| handle.outcome.status.success()))
}

/// The exit code of a program that does nothing but run this guest: as wasm-run has it (124 for the wall-time limit, 134 for a trap and so on).
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_exit_code(outcome: Option<&wasmrt_outcome_t>) -> u8 {
    boundary::value(125, || outcome.map_or(125, |handle| handle.outcome.status.exit_code()))
}

/// All 32 bits of the code that the guest exited with. 0 when it ended in another way.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_code(outcome: Option<&wasmrt_outcome_t>) -> u32 {
    boundary::value(0, || match outcome.map(|handle| &handle.outcome.status) {
        Some(ExitStatus::Exited { code }) => *code,
        _ => 0,
    })
}

/// The signal that ended the guest, or its engine. 0 when it ended in another way.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_signal(outcome: Option<&wasmrt_outcome_t>) -> i32 {
    boundary::value(0, || match outcome.map(|handle| &handle.outcome.status) {
        Some(ExitStatus::Signaled { signal } | ExitStatus::EngineCrashed { signal }) => *signal,
        _ => 0,
    })
}

/// The stable name of the limit that the guest ran into, such as "wall-time". NULL when it ended in another way.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_limit(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| match &handle.outcome.status {
        ExitStatus::LimitReached { limit } => Some((&handle.name, limit.as_str().to_owned())),
        _ => None,
    })
}

/// The stable name of the rule that a trap broke, such as "unreachable". NULL when the guest ended in another way.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_trap(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| Some((&handle.name, trap(handle)?.kind.as_str().to_owned())))
}

/// What there is to say about a trap beyond the rule; may be empty. NULL when the guest ended in another way.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_trap_detail(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| Some((&handle.detail, trap(handle)?.detail.clone())))
}

/// The ending in one line, for people. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_text(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| Some((&handle.text, handle.outcome.status.to_string())))
}

/// How many functions a trap's backtrace has; 0 when the engine does not tell.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_frame_count(outcome: Option<&wasmrt_outcome_t>) -> usize {
    boundary::value(0, || outcome.and_then(trap).map_or(0, |trap| trap.backtrace.len()))
}

/// The index in the module of a function of the backtrace; the innermost is number 0. UINT32_MAX when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_frame_function(outcome: Option<&wasmrt_outcome_t>, index: usize) -> u32 {
    boundary::value(u32::MAX, || frame(outcome, index).map_or(u32::MAX, |frame| frame.function))
}

/// The name of a function of the backtrace. NULL when the module does not say.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_frame_name(outcome: Option<&wasmrt_outcome_t>, index: usize) -> *const c_char {
    boundary::value(null(), || {
        frame_texts(outcome, index).and_then(|(name, _)| name.as_ref()).map_or(null(), |name| name.as_ptr())
    })
}

/// The offset in the module of the instruction. False when the engine does not tell.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_frame_offset(
    outcome: Option<&wasmrt_outcome_t>,
    index: usize,
    offset: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || tell(frame(outcome, index).and_then(|frame| frame.offset), offset))
}

/// The source file and line of the instruction. NULL when nobody tells.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_frame_source(outcome: Option<&wasmrt_outcome_t>, index: usize) -> *const c_char {
    boundary::value(null(), || {
        frame_texts(outcome, index).and_then(|(_, source)| source.as_ref()).map_or(null(), |source| source.as_ptr())
    })
}

/// Finds what the guest used of one thing, which is a wasmrt_usage_t. False when it is not known: never a made-up zero.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_usage(
    outcome: Option<&wasmrt_outcome_t>,
    what: u32,
    value: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        let Some(usage) = outcome.map(|handle| &handle.outcome.usage) else { return false };
        // In the order of wasmrt_usage_t. C may hand over any number, so it is no enum here.
        let all = [
            Some(nanoseconds(usage.wall_time)),
            Some(nanoseconds(usage.cpu_time)),
            Some(usage.peak_memory_bytes),
            usage.memory_pages,
            usage.fuel,
            Some(usage.output_bytes),
            Some(usage.written_bytes),
            Some(usage.received_bytes),
            Some(usage.sent_bytes),
            usage.compile_time.map(nanoseconds),
        ];
        let used = usize::try_from(what).ok().and_then(|what| all.get(what).copied().flatten());
        tell(used, value)
    })
}

/// The engine that ran the guest, such as "wasmtime". NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_engine(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| Some((&handle.engine, handle.outcome.engine.as_str().to_owned())))
}

/// How the engine ran it: "interpreter", "baseline" or "optimized". NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_tier(outcome: Option<&wasmrt_outcome_t>) -> *const c_char {
    text(outcome, |handle| Some((&handle.tier, handle.outcome.tier.as_str().to_owned())))
}

/// How many values an invoked export returned.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_result_count(outcome: Option<&wasmrt_outcome_t>) -> usize {
    boundary::value(0, || outcome.map_or(0, |handle| handle.outcome.results.len()))
}

/// The value of this number, from 0 on. False when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_result(
    outcome: Option<&wasmrt_outcome_t>,
    index: usize,
    value: Option<&mut MaybeUninit<wasmrt_value_t>>,
) -> bool {
    boundary::value(false, || {
        let found = outcome.and_then(|handle| handle.outcome.results.get(index));
        tell(found.map(|value| wasmrt_value_t::from_model(*value)), value)
    })
}

/// What was captured of standard output, and how many bytes that is. NULL when it was not captured; with nothing in it it is not NULL. No zero byte stands
/// behind it.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_stdout(
    outcome: Option<&wasmrt_outcome_t>,
    size: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    boundary::value(null(), || captured(outcome.and_then(|handle| handle.outcome.stdout.as_ref()), size))
}

/// What was captured of standard error, as wasmrt_outcome_stdout.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_stderr(
    outcome: Option<&wasmrt_outcome_t>,
    size: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    boundary::value(null(), || captured(outcome.and_then(|handle| handle.outcome.stderr.as_ref()), size))
}

/// How many lines there are about what the guest was refused.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_refusal_count(outcome: Option<&wasmrt_outcome_t>) -> usize {
    boundary::value(0, || outcome.map_or(0, |handle| handle.outcome.refusals.len()))
}

/// The line of this number about what the guest was refused, from 0 on. NULL when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_refusal(outcome: Option<&wasmrt_outcome_t>, index: usize) -> *const c_char {
    boundary::value(null(), || {
        let Some(handle) = outcome else { return null() };
        let lines = handle.refusals.get_or_init(|| handle.outcome.refusals.iter().map(|line| c_text(line)).collect());
        lines.get(index).map_or(null(), |line| line.as_ptr())
    })
}

/// What the kernel enforced on the guest's process: the version of Landlock (0: none) and whether there was a seccomp filter. False when
/// it had no process of its own. Both may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_os_sandbox(
    outcome: Option<&wasmrt_outcome_t>,
    landlock: Option<&mut MaybeUninit<u32>>,
    seccomp: Option<&mut MaybeUninit<bool>>,
) -> bool {
    boundary::value(false, || {
        let Some(sandbox) = outcome.and_then(|handle| handle.outcome.os_sandbox) else { return false };
        tell(Some(sandbox.landlock.unwrap_or(0)), landlock);
        tell(Some(sandbox.seccomp), seccomp)
    })
}

/// All of it as JSON, as `wasm-run --report json` has it; what was captured with replacement characters for what is not UTF-8.
/// wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_to_json(outcome: Option<&wasmrt_outcome_t>, error: ErrorOut<'_>) -> *mut c_char {
    attempt(error, std::ptr::null_mut(), || {
        let json = serde_json::to_string(&needed(outcome, "outcome")?.outcome)
            .map_err(|source| invalid("the outcome cannot be written as JSON").with_source(source))?;
        Ok(give(&json))
    })
}

/// Takes an outcome back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_outcome_delete(outcome: Option<Box<wasmrt_outcome_t>>) {
    delete(outcome);
}

fn trap(handle: &wasmrt_outcome_t) -> Option<&Trap> {
    match &handle.outcome.status {
        ExitStatus::Trapped { trap } => Some(trap),
        _ => None,
    }
}

fn frame(outcome: Option<&wasmrt_outcome_t>, index: usize) -> Option<&Frame> {
    trap(outcome?)?.backtrace.get(index)
}

fn frame_texts(outcome: Option<&wasmrt_outcome_t>, index: usize) -> Option<&(Option<CString>, Option<CString>)> {
    let handle = outcome?;
    let trap = trap(handle)?;
    let frames = handle.frames.get_or_init(|| {
        let text = |text: &Option<String>| text.as_deref().map(c_text);
        trap.backtrace.iter().map(|frame| (text(&frame.name), text(&frame.source))).collect()
    });
    frames.get(index)
}

fn text<'a>(
    outcome: Option<&'a wasmrt_outcome_t>,
    find: impl FnOnce(&'a wasmrt_outcome_t) -> Option<(&'a OnceLock<CString>, String)>,
) -> *const c_char {
    boundary::value(null(), || match outcome.and_then(find) {
        Some((place, text)) => place.get_or_init(|| c_text(&text)).as_ptr(),
        None => null(),
    })
}

fn captured(captured: Option<&Captured>, size: Option<&mut MaybeUninit<usize>>) -> *const u8 {
    let bytes = captured.map(|captured| captured.bytes.as_slice());
    tell(Some(bytes.map_or(0, <[u8]>::len)), size);
    match bytes {
        None => null(),
        // An empty vector's pointer is no memory; this is.
        Some([]) => c"".as_ptr().cast(),
        Some(bytes) => bytes.as_ptr(),
    }
}

/// Writes what was found to where C wants it, if it wants it.
fn tell<T>(found: Option<T>, place: Option<&mut MaybeUninit<T>>) -> bool {
    match (found, place) {
        (Some(found), Some(place)) => {
            place.write(found);
            true
        }
        (found, _) => found.is_some(),
    }
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
