//! `compile`: native code into the cache, ahead of runs.

use crate::args::CompileArgs;
use crate::module::{self, ModuleSource};
use crate::progress::Progress;
use crate::request::{read_spec, runtime_config};
use crate::{output, quantity};
use wasmrt_model::{ErrorKind, Limits, Result, RunSpec};
use wasmrt_runtime::{Compiled, RunOptions, Runtime};

/// Compiles every module and returns the exit code of the last failure.
pub(crate) fn compile(args: CompileArgs) -> Result<u8> {
    let mut spec = args.spec.as_deref().map(read_spec).transpose()?.unwrap_or_default();
    spec.engine = args.engine.unwrap_or(spec.engine);
    spec.optimize = args.optimize.or(spec.optimize);
    args.limits.apply(&mut spec.limits);
    let runtime = Runtime::new(runtime_config(args.cache_dir.as_deref(), false));
    let mut code = 0;
    for path in &args.modules {
        let source = ModuleSource::new(path);
        match compile_one(&runtime, &source, &spec, args.quiet) {
            Ok(compiled) if !args.quiet => output::print(&line(&source, &compiled))?,
            Ok(_) => {}
            Err(error) => {
                output::complain(&error);
                code = output::exit_code(&error);
                // Who interrupts one of them means all of them.
                if error.kind() == ErrorKind::Cancelled {
                    break;
                }
            }
        }
    }
    Ok(code)
}

fn compile_one(runtime: &Runtime, source: &ModuleSource, spec: &RunSpec, quiet: bool) -> Result<Compiled> {
    let module = module::read(source, spec.limits.module_bytes.unwrap_or(Limits::default().module_bytes))?;
    let mut progress = Progress::new(&source.name(), quiet);
    let mut options = RunOptions::default();
    options.observer = Some(&mut progress);
    options.forward_signals = true;
    runtime.compile(&module.bytes, spec, options).map_err(|error| error.with_context("module", source.name()))
}

fn line(source: &ModuleSource, compiled: &Compiled) -> String {
    let Compiled { engine, tier, elapsed, code_bytes, .. } = compiled;
    let name = source.name();
    let code = quantity::size(*code_bytes);
    match elapsed {
        Some(elapsed) => {
            format!("{}: {engine}, {tier}, {code} in {}\n", output::printable(&name), quantity::time(*elapsed))
        }
        None => format!("{}: {engine}, {tier}, {code}, in the cache already\n", output::printable(&name)),
    }
}
