//! From what was typed to what is asked of the runtime: a module, a [`RunSpec`] and where words go.
//!
//! A spec file comes first and flags win over it. What this front-end cannot pass on is refused by name.

use crate::args::run::RunArgs;
use crate::args::values::Variable;
use crate::args::world::WorldArgs;
use crate::env_file;
use crate::module::ModuleSource;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use wasmrt_model::preopen::Preopen;
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{Entry, Environment, Error, ErrorKind, Result, RunSpec};
use wasmrt_runtime::{CacheConfig, RuntimeConfig};

/// A spec beyond this is something else.
const MOST_SPEC_BYTES: u64 = 16 << 20;

/// A run that can be asked for.
#[derive(Debug)]
pub(crate) struct RunRequest {
    /// The module.
    pub(crate) module: ModuleSource,
    /// All else about the run.
    pub(crate) spec: RunSpec,
    /// How the runtime is set up.
    pub(crate) config: RuntimeConfig,
}

/// Reads a spec from a JSON file.
///
/// # Errors
/// `NotFound` and the like; `InvalidInput` with the file, line and column.
pub(crate) fn read_spec(path: &Path) -> Result<RunSpec> {
    let name = path.display();
    let failed = |source| Error::io(format!("cannot read the run spec '{name}'"), source);
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_SPEC_BYTES).read_to_string(&mut text).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::InvalidInput, format!("the run spec '{name}' is not UTF-8 text"))
        }
        _ => failed(source),
    })?;
    RunSpec::from_json(&text)
        .map_err(|error| error.with_context("file", name).with_hint("'wasm-run schema' prints the form of a run spec"))
}

/// The runtime's set-up, with the cache where it was asked for.
pub(crate) fn runtime_config(cache_dir: Option<&Path>, no_cache: bool) -> RuntimeConfig {
    let mut config = RuntimeConfig::default();
    if no_cache {
        config.cache = CacheConfig::disabled();
    } else if let Some(directory) = cache_dir {
        config.cache = CacheConfig::in_directory(directory);
    }
    config
}

impl RunRequest {
    /// Carries out what was typed.
    ///
    /// # Errors
    /// `InvalidInput` for flags that contradict each other, `Unsupported` for what cannot be enforced, and whatever keeps a spec or
    /// environment file from being read.
    pub(crate) fn new(args: &RunArgs) -> Result<Self> {
        refuse_what_nobody_enforces(args)?;
        let mut words = args.module_and_args.iter();
        let module = words.next().map(ModuleSource::new).unwrap_or(ModuleSource::Stdin);
        let guest_args = words.map(|word| text_of(word)).collect::<Result<Vec<String>>>()?;

        let mut spec = args.program.spec.as_deref().map(read_spec).transpose()?.unwrap_or_default();
        apply_engine(args, &mut spec);
        apply_program(args, &module, guest_args, &mut spec)?;
        apply_grants(args, &mut spec)?;
        apply_streams(args, &module, &mut spec)?;
        args.code_limits.apply(&mut spec.limits);
        args.run_limits.apply(&mut spec.limits);
        let config = runtime_config(args.engine.cache_dir.as_deref(), args.engine.no_cache);
        Ok(Self { module, spec, config })
    }
}

fn refuse_what_nobody_enforces(args: &RunArgs) -> Result<()> {
    if let Some(cpus) = &args.run_limits.cpus {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("--cpus {cpus} cannot be enforced: that takes a cgroup, which wasm-run does not make"),
        )
        .with_hint("bound the sum with --cpu-time, or start wasm-run in a cgroup: systemd-run --scope -p CPUQuota=50% wasm-run ..."));
    }
    Ok(())
}

fn text_of(word: &std::ffi::OsStr) -> Result<String> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("the argument '{}' is not UTF-8", word.to_string_lossy()))
            .with_hint("WebAssembly programs take arguments as UTF-8 text only")
    })
}

fn apply_engine(args: &RunArgs, spec: &mut RunSpec) {
    let typed = &args.engine;
    spec.engine = typed.engine.unwrap_or(spec.engine);
    spec.isolation = typed.isolation.unwrap_or(spec.isolation);
    spec.require_os_sandbox |= typed.require_os_sandbox;
    spec.aot = typed.aot.unwrap_or(spec.aot);
    spec.optimize = typed.optimize.or(spec.optimize);
}

fn apply_program(args: &RunArgs, module: &ModuleSource, guest_args: Vec<String>, spec: &mut RunSpec) -> Result<()> {
    let typed = &args.program;
    spec.clock = typed.clock.unwrap_or(spec.clock);
    spec.random = typed.random.unwrap_or(spec.random);
    let mut program_args = guest_args;
    if let Some(name) = &typed.invoke {
        spec.entry = Entry::Invoke { name: name.clone(), args: std::mem::take(&mut program_args) };
    } else if let Entry::Invoke { args, .. } = &mut spec.entry
        && !program_args.is_empty()
    {
        *args = std::mem::take(&mut program_args);
    }
    // The name comes from the flag, else from the spec, else from the module; what follows it from the command line, else from the spec.
    let mut specified = std::mem::take(&mut spec.args).into_iter();
    let specified_name = specified.next();
    let name = typed.arg0.clone().or(specified_name).unwrap_or_else(|| module.guest_name());
    spec.args = std::iter::once(name).collect();
    if program_args.is_empty() {
        spec.args.extend(specified)
    } else {
        spec.args.extend(program_args)
    }
    Ok(())
}

fn apply_grants(args: &RunArgs, spec: &mut RunSpec) -> Result<()> {
    let typed = &args.grants;
    apply_world(&typed.world, spec)?;
    spec.network.publish.extend(typed.publish.iter().chain(&typed.listen));
    Ok(())
}

/// Directories, variables and rules; outputs are each front-end's own matter.
pub(crate) fn apply_world(typed: &WorldArgs, spec: &mut RunSpec) -> Result<()> {
    for preopen in typed.volumes.iter().chain(&typed.directories) {
        check_host_path(preopen)?;
        spec.preopens.push(preopen.clone());
    }
    apply_variables(&typed.env_file, &typed.env, &mut spec.env)?;
    spec.network.allow.extend(typed.net.iter().cloned());
    Ok(())
}

/// Variables from files, then those that were typed.
fn apply_variables(files: &[PathBuf], typed: &[Variable], env: &mut Environment) -> Result<()> {
    for path in files {
        env_file::read(path)?.into_iter().for_each(|variable| set_variable(env, variable));
    }
    typed.iter().cloned().for_each(|variable| set_variable(env, variable));
    Ok(())
}

/// A preopen that is not there is told with the flag's own words, before anything else is done.
fn check_host_path(preopen: &Preopen) -> Result<()> {
    std::fs::metadata(&preopen.host).map(drop).map_err(|source| {
        Error::io(format!("cannot give the guest '{}'", preopen.host.display()), source)
            .with_hint("it has to exist already: nothing is created for a volume")
    })
}

/// The later word wins, whether it sets a value or passes on the host's.
fn set_variable(env: &mut Environment, variable: Variable) {
    match variable {
        Variable::Set(name, value) => {
            env.inherit.retain(|inherited| *inherited != name);
            env.set.insert(name, value);
        }
        Variable::Inherit(name) => {
            env.set.remove(&name);
            if !env.inherit.contains(&name) {
                env.inherit.push(name);
            }
        }
    }
}

fn apply_streams(args: &RunArgs, module: &ModuleSource, spec: &mut RunSpec) -> Result<()> {
    let typed = &args.grants;
    if *module == ModuleSource::Stdin {
        match (&typed.stdin, &spec.stdio.stdin) {
            (Some(Input::Inherit), _) => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "standard input cannot be both the module (-) and the guest's (--stdin inherit)",
                )
                .with_hint("give the module as a file, or the guest another --stdin"));
            }
            (None, Input::Inherit) => spec.stdio.stdin = Input::Null,
            _ => {}
        }
    }
    if let Some(stdin) = &typed.stdin {
        spec.stdio.stdin = stdin.clone();
    }
    if let Some(stdout) = &typed.world.stdout {
        spec.stdio.stdout = stdout.clone();
    }
    if let Some(stderr) = &typed.world.stderr {
        spec.stdio.stderr = stderr.clone();
    }
    let piped = [
        ("stdin", spec.stdio.stdin == Input::Piped),
        ("stdout", spec.stdio.stdout == Output::Piped),
        ("stderr", spec.stdio.stderr == Output::Piped),
    ];
    if let Some((name, _)) = piped.iter().find(|(_, piped)| *piped) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("the spec's {name} is 'piped', which only a program that embeds the runtime can give"),
        )
        .with_hint(format!("give another one with --{name}")));
    }
    let captured = [("stdout", spec.stdio.stdout.is_captured()), ("stderr", spec.stdio.stderr.is_captured())];
    if args.words.report.is_none()
        && let Some((name, _)) = captured.iter().find(|(_, captured)| *captured)
    {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("the spec captures {name}, which goes into the report, but no report is asked for"),
        )
        .with_hint(format!("add --report FILE, or give another --{name}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
