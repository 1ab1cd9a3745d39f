//! What is ready to run: [`RunPlan`], which only [`resolve`] makes. Holding one means that every control in it is enforced.

use crate::engine::{AotPolicy, Capabilities, EngineName, IsolationLevel};
use crate::limits::{Limit, Limits, LimitsSpec, call_depth, output_bytes};
use crate::network::NetworkPolicy;
use crate::preopen::{Preopen, normalize_guest_path};
use crate::spec::{Clock, Entry, Random, RunSpec, object_from_json};
use crate::stdio::Stdio;
use crate::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;

/// What an operator allows at most. A ceiling only tightens: it never grants what was not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Ceiling {
    /// Upper bounds of the limits. In JSON, one that is left out is none.
    #[serde(deserialize_with = "upper_bounds")]
    pub limits: Limits,
    /// The engines that may be used; None means all.
    pub engines: Option<BTreeSet<EngineName>>,
    /// Whether files and directories may be preopened.
    pub preopens: bool,
    /// Whether network rules may be given.
    pub network: bool,
}

/// No restriction.
impl Default for Ceiling {
    fn default() -> Self {
        Self { limits: Limits::UNLIMITED, engines: None, preopens: true, network: true }
    }
}

impl Ceiling {
    /// Reads a ceiling from JSON. What it does not name is not bounded.
    ///
    /// # Errors
    /// `InvalidInput` with the field, line and column, and for a limit that is out of its range.
    pub fn from_json(json: &str) -> Result<Self> {
        let ceiling: Self = object_from_json(json, "ceiling")?;
        Limits::resolve(&ceiling.limits.into(), &Limits::UNLIMITED)?;
        Ok(ceiling)
    }
}

fn upper_bounds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    LimitsSpec::deserialize(deserializer).map(LimitsSpec::or_unlimited)
}

/// What the layers below enforce, beyond the engine's own capabilities. What is false here is refused by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enforcement {
    /// The host has sockets under the network policy.
    pub network: bool,
    /// Guests can be run inside the caller's process.
    pub in_process: bool,
}

impl Enforcement {
    /// Nothing but what every build has.
    pub const NONE: Self = Self { network: false, in_process: false };
}

/// A run that can be carried out exactly as it says.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    engine: EngineName,
    isolation: IsolationLevel,
    require_os_sandbox: bool,
    aot: AotPolicy,
    optimize: Option<u8>,
    entry: Entry,
    args: Vec<String>,
    env: Vec<(String, String)>,
    preopens: Vec<Preopen>,
    stdio: Stdio,
    network: NetworkPolicy,
    clock: Clock,
    random: Random,
    limits: Limits,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        impl RunPlan { $($(#[$doc])* #[must_use] pub fn $name(&self) -> &$type { &self.$name })* }
    };
}

getters! {
    /// When to compile ahead of the run.
    aot: AotPolicy,
    /// What is called.
    entry: Entry,
    /// The guest's arguments.
    args: [String],
    /// The guest's environment, exactly.
    env: [(String, String)],
    /// What it is given; guest paths in normal form, no two the same.
    preopens: [Preopen],
    /// Its standard streams.
    stdio: Stdio,
    /// What it may reach.
    network: NetworkPolicy,
    /// The time it sees.
    clock: Clock,
    /// The randomness it sees.
    random: Random,
    /// What bounds it.
    limits: Limits,
}

impl RunPlan {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.engine
    }

    /// The isolation level.
    #[must_use]
    pub fn isolation(&self) -> IsolationLevel {
        self.isolation
    }

    /// Whether every part of the second wall has to stand.
    #[must_use]
    pub fn require_os_sandbox(&self) -> bool {
        self.require_os_sandbox
    }

    /// How much to optimise; None means the engine's default.
    #[must_use]
    pub fn optimize(&self) -> Option<u8> {
        self.optimize
    }
}

/// Turns a request into a plan for one engine, or says by name what cannot be had.
///
/// `host_variable` looks up a variable of the caller's environment; it is asked only for the names in `env.inherit`.
///
/// # Errors
/// `InvalidInput` for requests that make no sense, `Denied` for what the ceiling forbids, `Unsupported` for a control that this engine,
/// tier or isolation level cannot enforce.
pub fn resolve(
    spec: &RunSpec,
    capabilities: &Capabilities,
    enforcement: Enforcement,
    ceiling: &Ceiling,
    host_variable: &dyn Fn(&str) -> Option<String>,
) -> Result<RunPlan> {
    let engine = capabilities.engine;
    if ceiling.engines.as_ref().is_some_and(|allowed| !allowed.contains(&engine)) {
        return Err(Error::new(ErrorKind::Denied, format!("the ceiling does not allow the engine {engine}")));
    }
    resolve_tiers(spec, capabilities, enforcement)?;
    let mut limits = resolve_limits(spec, ceiling)?;
    if capabilities.own_stack && limits.call_depth == Limit::Unlimited {
        return Err(unsupported(
            "limit call_depth unlimited",
            &format!("{engine} cannot tell a full stack from other memory, so calls have to be counted"),
        )
        .with_hint("give call_depth a number, or take another engine"));
    }
    if spec.isolation == IsolationLevel::InProcess {
        resolve_in_process(spec, ceiling, &mut limits)?;
    }
    if !spec.network.is_denied() {
        if !ceiling.network {
            return Err(Error::new(ErrorKind::Denied, "the ceiling allows no network rules"));
        }
        if !enforcement.network {
            return Err(unsupported("network rules", "guests in the caller's process have no sockets")
                .with_hint("leave them out, or take isolation process"));
        }
    }
    Ok(RunPlan {
        engine,
        isolation: spec.isolation,
        require_os_sandbox: spec.require_os_sandbox,
        aot: spec.aot,
        optimize: spec.optimize,
        entry: spec.entry.clone(),
        args: resolve_args(&spec.args)?,
        env: resolve_env(spec, host_variable)?,
        preopens: resolve_preopens(&spec.preopens, ceiling)?,
        stdio: spec.stdio.clone(),
        network: spec.network.clone(),
        clock: spec.clock,
        random: spec.random,
        limits,
    })
}

fn unsupported(control: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{control} cannot be enforced: {why}"))
}

fn resolve_limits(spec: &RunSpec, ceiling: &Ceiling) -> Result<Limits> {
    let mut limits = Limits::resolve(&spec.limits, &ceiling.limits)?;
    let captured = spec.stdio.stdout.is_captured() || spec.stdio.stderr.is_captured();
    if captured && spec.limits.output_bytes.is_none() {
        limits.output_bytes = output_bytes::CAPTURED.min(ceiling.limits.output_bytes);
    }
    Ok(limits)
}

fn resolve_tiers(spec: &RunSpec, capabilities: &Capabilities, enforcement: Enforcement) -> Result<()> {
    let engine = capabilities.engine;
    let interprets = capabilities.features(crate::Tier::Interpreter).is_some();
    if matches!(spec.aot, AotPolicy::Never | AotPolicy::Cached) && !interprets {
        return Err(Error::new(ErrorKind::Unsupported, format!("{engine} always compiles: it has no interpreter"))
            .with_hint("leave `aot` out, or take `engine=wasmedge`"));
    }
    if spec.optimize.is_some_and(|level| level > 3) {
        return Err(Error::new(ErrorKind::InvalidInput, "optimize is 0, 1, 2 or 3"));
    }
    if spec.isolation == IsolationLevel::InProcess {
        if !enforcement.in_process || capabilities.in_process.is_empty() {
            return Err(unsupported(
                "isolation in-process",
                &format!("{engine} runs guests only in a process of their own here"),
            )
            .with_hint("take isolation process"));
        }
        let native = capabilities.in_process.iter().any(|tier| *tier != crate::Tier::Interpreter);
        if !native && (spec.aot == AotPolicy::Always || spec.optimize.is_some()) {
            let control = if spec.aot == AotPolicy::Always { "aot always" } else { "optimize" };
            return Err(unsupported(
                control,
                &format!(
                    "native code of {engine} runs only in a process of its own, because a stack overflow in it ends the process"
                ),
            )
            .with_hint(format!("leave {control} out, or take the engine wasmtime")));
        }
    }
    Ok(())
}

/// What does not hold inside the caller's process is refused by name; what has another default there gets it.
fn resolve_in_process(spec: &RunSpec, ceiling: &Ceiling, limits: &mut Limits) -> Result<()> {
    if limits.cpu_time.bound().is_some() {
        return Err(unsupported("limit cpu_time", "processor time is counted for whole processes")
            .with_hint("bound calls by fuel or wall_time, or take isolation process"));
    }
    // The default of compile_time is what a worker is given; here nobody could end a compiler.
    if spec.limits.compile_time.is_some_and(|limit| limit.bound().is_some())
        || ceiling.limits.compile_time.bound().is_some()
    {
        return Err(unsupported("limit compile_time", "the compiler runs in the caller's process")
            .with_hint("leave it out, or take isolation process"));
    }
    limits.compile_time = Limit::Unlimited;
    if spec.limits.call_depth.is_none() {
        limits.call_depth = call_depth::IN_PROCESS.min(ceiling.limits.call_depth);
    } else if limits.call_depth.exceeds(call_depth::MOST_IN_PROCESS) {
        return Err(unsupported(
            &format!("limit call_depth {}", limits.call_depth),
            &format!("in-process it is {} at most, since guests use the caller's stack", call_depth::MOST_IN_PROCESS),
        )
        .with_hint("ask for less, or take isolation process"));
    }
    Ok(())
}

fn resolve_args(args: &[String]) -> Result<Vec<String>> {
    match args.iter().find(|arg| arg.contains('\0')) {
        Some(arg) => {
            Err(Error::new(ErrorKind::InvalidInput, format!("argument '{}' contains a NUL byte", arg.escape_debug())))
        }
        None => Ok(args.to_vec()),
    }
}

/// Explicit variables win over inherited ones of the same name. The order is by name, so that runs are reproducible.
fn resolve_env(spec: &RunSpec, host_variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>> {
    let mut env = spec.env.set.clone();
    for name in &spec.env.inherit {
        if !env.contains_key(name)
            && let Some(value) = host_variable(name)
        {
            env.insert(name.clone(), value);
        }
    }
    for (name, value) in &env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "'{}' is not an environment variable: a name has no '=' and neither name nor value a NUL byte",
                    name.escape_debug()
                ),
            ));
        }
    }
    Ok(env.into_iter().collect())
}

fn resolve_preopens(asked: &[Preopen], ceiling: &Ceiling) -> Result<Vec<Preopen>> {
    if !asked.is_empty() && !ceiling.preopens {
        return Err(Error::new(ErrorKind::Denied, "the ceiling allows no preopens"));
    }
    let mut seen = BTreeSet::new();
    asked
        .iter()
        .map(|preopen| {
            let guest = normalize_guest_path(&preopen.guest)?;
            if !seen.insert(guest.clone()) {
                return Err(Error::new(ErrorKind::InvalidInput, format!("two preopens have the guest path '{guest}'")));
            }
            Ok(Preopen { guest, ..preopen.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
