//! `serve`: HTTP requests, each answered by an instance of its own.

use crate::args::serve::ServeArgs;
use crate::module::{self, ModuleSource};
use crate::output;
use crate::progress::Progress;
use crate::request::{apply_world, read_spec, runtime_config};
use crate::words;
use std::time::Duration;
use wasmrt_model::component::ServeLimits;
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{Limits, Result, RunSpec};
use wasmrt_runtime::{Runtime, ServeEvent, ServeOptions, Served};

/// Serves until somebody asks it to stop.
pub(crate) fn serve(args: ServeArgs) -> Result<u8> {
    let source = ModuleSource::new(&args.component);
    let spec = spec_of(&args, &source)?;
    let module = module::read(&source, spec.limits.module_bytes.unwrap_or(Limits::default().module_bytes))?;
    let mut options = ServeOptions::new(args.server.addr);
    options.health = args.server.health_addr;
    options.limits = limits_of(&args);
    options.access_log = args.server.access_log;
    options.voice = words::VOICE;
    options.threads = args.server.threads.map(usize::from);
    let quiet = args.quiet;
    let mut events = |event: ServeEvent| tell(&event, quiet);
    options.events = Some(&mut events);
    let mut progress = Progress::new(&source.name(), quiet);
    let config = runtime_config(args.engine.cache_dir.as_deref(), args.engine.no_cache);
    Ok(match Runtime::new(config).serve(&module.bytes, &spec, options, Some(&mut progress))? {
        Served::Killed { signal } => u8::try_from(signal).unwrap_or(u8::MAX).saturating_add(128),
        _ => 0,
    })
}

fn tell(event: &ServeEvent, quiet: bool) {
    match event {
        ServeEvent::Listening { address, health } => {
            output::state(&format!("listening on http://{address}"));
            if let Some(health) = health {
                output::state(&format!("health on http://{health}/healthz"));
            }
        }
        ServeEvent::WorkerDied { how, pause } => {
            output::note(&format!("the worker died ({how}); it is started again in {} ms", pause.as_millis()), None);
        }
        ServeEvent::Stopping if !quiet => output::note("stopping; a second signal ends it at once", None),
        _ => {}
    }
}

fn limits_of(args: &ServeArgs) -> ServeLimits {
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let server = &args.server;
    let duration = |span: wasmrt_model::units::Span| -> Duration { span.0 };
    let mut limits = ServeLimits::default();
    limits.request_timeout = duration(server.request_timeout);
    limits.concurrency = count(server.concurrency);
    let waiting = limits.concurrency.saturating_mul(ServeLimits::WAITING_FOR_EACH);
    limits.queue = server.queue.map_or(waiting, count);
    limits.header_bytes = usize::try_from(server.max_header_bytes.0).unwrap_or(usize::MAX);
    limits.body_bytes = server.max_body_bytes.0;
    limits.drain_timeout = duration(server.drain_timeout);
    limits
}

fn spec_of(args: &ServeArgs, source: &ModuleSource) -> Result<RunSpec> {
    let ServeArgs { grants, engine, request_limits, .. } = args;
    let mut spec = grants.spec.as_deref().map(read_spec).transpose()?.unwrap_or_default();
    spec.engine = engine.engine.unwrap_or(spec.engine);
    spec.isolation = engine.isolation.unwrap_or(spec.isolation);
    spec.require_os_sandbox |= engine.require_os_sandbox;
    spec.aot = engine.aot.unwrap_or(spec.aot);
    spec.optimize = engine.optimize.or(spec.optimize);
    spec.random = grants.random.unwrap_or(spec.random);
    if spec.args.is_empty() {
        spec.args = vec![source.guest_name()];
    }
    apply_world(&grants.world, &mut spec)?;
    // Instances share the process: there is nobody whose input they could take turns with.
    if spec.stdio.stdin == Input::Inherit {
        spec.stdio.stdin = Input::Null;
    }
    let outputs = [
        (&grants.world.stdout, &mut spec.stdio.stdout, "stdout"),
        (&grants.world.stderr, &mut spec.stdio.stderr, "stderr"),
    ];
    for (typed, output, name) in outputs {
        if let Some(typed) = typed {
            *output = typed.clone();
        }
        if output.is_captured() || *output == Output::Piped {
            return Err(wasmrt_model::Error::new(
                wasmrt_model::ErrorKind::InvalidInput,
                format!("the spec captures or pipes {name}, and a server's instances share one"),
            )
            .with_hint(format!("give another one with --{name}")));
        }
    }
    args.code_limits.apply(&mut spec.limits);
    spec.limits.output_bytes = request_limits.output_limit.or(spec.limits.output_bytes);
    spec.limits.written_bytes = request_limits.write_limit.or(spec.limits.written_bytes);
    spec.limits.open_files = request_limits.max_files.or(spec.limits.open_files);
    spec.limits.open_sockets = request_limits.max_sockets.or(spec.limits.open_sockets);
    spec.limits.received_bytes = request_limits.receive_limit.or(spec.limits.received_bytes);
    spec.limits.sent_bytes = request_limits.send_limit.or(spec.limits.sent_bytes);
    Ok(spec)
}
