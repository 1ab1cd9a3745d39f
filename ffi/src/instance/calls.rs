//! Calling exports.

use super::wasmrt_instance_t;
use crate::boundary::{ErrorOut, Text, attempt, invalid, needed, slice, slice_mut};
use crate::outcome::nanoseconds;
use crate::value::wasmrt_value_t;
use std::mem::MaybeUninit;
use std::time::Duration;
use wasmrt_runtime::model::{Result, Value};
use wasmrt_runtime::{CallEnd, CallLimits};

/// How a call came out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_call_t {
    /// It failed, as the error says. When the guest ran, the instance is spent.
    WASMRT_CALL_FAILED = 0,
    /// The function returned; its values are in `results`. The instance can be called again.
    WASMRT_CALL_RETURNED = 1,
    /// The guest ended: it exited, trapped or ran into a limit, as wasmrt_instance_ending tells. The instance is spent.
    WASMRT_CALL_ENDED = 2,
}

use wasmrt_call_t as Call;

/// What a call used. Each is WASMRT_UNSET when it is not known.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct wasmrt_call_usage_t {
    /// From its start to its end, host functions included, in nanoseconds.
    pub wall_time: u64,
    /// Fuel, when the instance is metered.
    pub fuel: u64,
}

/// Not known, or as the spec says.
const UNSET: u64 = u64::MAX;
/// More values than this are rare, and cost an allocation.
const ON_STACK: usize = 8;

/// Calls an exported function. `args` has its arguments and `results` room for exactly as many values as it returns; both may be NULL where there are none.
///
/// # Safety
/// `args` points to so many values and `results` to room for so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_call(
    instance: Option<&wasmrt_instance_t>,
    name: Text<'_>,
    args: *const wasmrt_value_t,
    args_count: usize,
    results: *mut wasmrt_value_t,
    results_count: usize,
    error: ErrorOut<'_>,
) -> wasmrt_call_t {
    attempt(error, Call::WASMRT_CALL_FAILED, || {
        // SAFETY: the caller's promise.
        let args = unsafe { slice(args, args_count, "args") }?;
        // SAFETY: the caller's promise. It may be memory that was never written, which these values do not mind: nothing is read of them.
        let results = unsafe { slice_mut(results.cast::<MaybeUninit<wasmrt_value_t>>(), results_count, "results") }?;
        call(needed(instance, "instance")?, name, args, results, CallLimits::default(), None)
    })
}

/// As wasmrt_instance_call, under limits for this call alone, which can only be tighter than the spec's: `fuel`, and `wall_time` in nanoseconds, each WASMRT_UNSET
/// for what the spec says. What the call used is in `usage`, unless that is NULL, when it returned or the guest ended.
///
/// # Safety
/// As wasmrt_instance_call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_call_within(
    instance: Option<&wasmrt_instance_t>,
    name: Text<'_>,
    args: *const wasmrt_value_t,
    args_count: usize,
    results: *mut wasmrt_value_t,
    results_count: usize,
    fuel: u64,
    wall_time: u64,
    usage: Option<&mut MaybeUninit<wasmrt_call_usage_t>>,
    error: ErrorOut<'_>,
) -> wasmrt_call_t {
    attempt(error, Call::WASMRT_CALL_FAILED, || {
        // SAFETY: the caller's promise.
        let args = unsafe { slice(args, args_count, "args") }?;
        // SAFETY: as in wasmrt_instance_call.
        let results = unsafe { slice_mut(results.cast::<MaybeUninit<wasmrt_value_t>>(), results_count, "results") }?;
        let mut limits = CallLimits::default();
        if fuel != UNSET {
            limits = limits.with_fuel(fuel);
        }
        if wall_time != UNSET {
            limits = limits.with_wall_time(Duration::from_nanos(wall_time));
        }
        call(needed(instance, "instance")?, name, args, results, limits, usage)
    })
}

fn call(
    handle: &wasmrt_instance_t,
    name: Text<'_>,
    args: &[wasmrt_value_t],
    results: &mut [MaybeUninit<wasmrt_value_t>],
    limits: CallLimits,
    usage: Option<&mut MaybeUninit<wasmrt_call_usage_t>>,
) -> Result<wasmrt_call_t> {
    let name = name.read("name")?;
    // Before the guest runs: what it returns must not be lost.
    if let Some(count) = handle.results.get(name).filter(|count| **count != results.len()) {
        return Err(invalid(format!("'{name}' returns {count} values, and there is room for {}", results.len()))
            .with_operation("call export"));
    }
    let mut few = [Value::I32(0); ON_STACK];
    let many: Vec<Value>;
    let args = match few.get_mut(..args.len()) {
        Some(values) => {
            for (place, arg) in values.iter_mut().zip(args) {
                *place = arg.to_model()?;
            }
            &*values
        }
        None => {
            many = args.iter().map(|arg| arg.to_model()).collect::<Result<_>>()?;
            &many
        }
    };
    let outcome = handle.enter()?.call(name, args, limits)?;
    if let Some(usage) = usage {
        usage.write(wasmrt_call_usage_t {
            wall_time: nanoseconds(outcome.usage.wall_time),
            fuel: outcome.usage.fuel.unwrap_or(UNSET),
        });
    }
    Ok(match outcome.end {
        CallEnd::Returned(values) => {
            for (place, value) in results.iter_mut().zip(values) {
                place.write(wasmrt_value_t::from_model(value));
            }
            Call::WASMRT_CALL_RETURNED
        }
        CallEnd::Ended(_) => Call::WASMRT_CALL_ENDED,
    })
}
