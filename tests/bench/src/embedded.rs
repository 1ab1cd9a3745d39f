//! A short guest at process level: through the library and `wasmrt-worker`, by starting `wasm-run`, and by starting WasmEdge's own command line.
//!
//! All are measured in turns in one process, so that what else the machine does falls on all alike; what counts are the ratios. The figure that was
//! promised is the one beside WasmEdge's command line, and a miss is a failure.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program that measures, for people to read")]

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wasmrt_model::RunSpec;
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig, Module, StartOptions};

const ROUNDS: usize = 60;
const AT_ONCE: usize = 64;
const PROMISED: f64 = 0.2;

type Work<'a> = Box<dyn FnMut() + 'a>;

fn spec(engine: &str) -> Result<RunSpec, wasmrt_model::Error> {
    RunSpec::from_json(&format!(
        r#"{{"engine": "{engine}", "stdio": {{"stdin": "null", "stdout": {{"capture": {{}}}}, "stderr": "null"}}}}"#
    ))
}

fn run(embedder: &Embedder, module: &Module, spec: &RunSpec) {
    let outcome = embedder.run(module, spec, StartOptions::default()).expect("it runs");
    assert!(outcome.status.success());
}

fn spawn(mut command: Command) -> Work<'static> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Box::new(move || assert!(command.status().expect("it starts").success()))
}

/// Medians over all rounds, in milliseconds.
fn measure(works: &mut [(String, Work<'_>)]) -> Vec<f64> {
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); works.len()];
    for round in 0..ROUNDS + 3 {
        for ((_, work), taken) in works.iter_mut().zip(&mut taken) {
            let started = Instant::now();
            work();
            if round >= 3 {
                taken.push(started.elapsed());
            }
        }
    }
    let median = |taken: &mut Vec<Duration>| {
        taken.sort();
        taken.get(taken.len() / 2).map_or(0.0, |taken| taken.as_secs_f64() * 1e3)
    };
    taken.iter_mut().map(median).collect()
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let guest = named("WASMRT_GUESTS")?.join("c/hello.wasm");
    let cache = std::env::temp_dir().join(format!("wasmrt-bench-{}", std::process::id()));
    let mut config = EmbedderConfig::default();
    config.runtime.cache = CacheConfig::in_directory(&cache);
    let embedder = Embedder::new(config);
    let module = embedder.module(&std::fs::read(&guest)?)?;
    let here: Vec<&str> = embedder
        .engines()?
        .into_iter()
        .filter(|status| status.capabilities.is_ok())
        .map(|status| status.name.as_str())
        .filter(|name| ["wasmedge", "wasmtime"].contains(name))
        .collect();
    let mut works: Vec<(String, Work<'_>)> = Vec::new();
    for engine in &here {
        let spec = spec(engine)?;
        embedder.preload(&module, &spec)?;
        let (embedder, module) = (&embedder, &module);
        works.push((format!("{engine}, embedded"), Box::new(move || run(embedder, module, &spec))));
        let mut command = Command::new(named("WASMRT_CLI")?);
        command.args(["--engine", engine]).arg(&guest).env("WASMRT_CACHE_DIR", &cache);
        works.push((format!("{engine}, wasm-run"), spawn(command)));
    }
    let peer = Command::new("wasmedge").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if peer {
        let mut command = Command::new("wasmedge");
        command.arg(&guest);
        works.push(("wasmedge itself".to_owned(), spawn(command)));
    }
    let figures = measure(&mut works);
    let of = |name: &str| works.iter().zip(&figures).find(|((work, _), _)| work == name).map(|(_, figure)| *figure);
    let theirs = of("wasmedge itself");
    let mut missed = false;
    for ((name, _), milliseconds) in works.iter().zip(&figures) {
        let ratio = theirs.map(|theirs| milliseconds / theirs);
        let judged = match ratio {
            Some(ratio) if name.ends_with("embedded") => {
                missed |= ratio > PROMISED;
                format!("  target {PROMISED}: {}", if ratio > PROMISED { "MISSED" } else { "met" })
            }
            _ => String::new(),
        };
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:>8.2} x wasmedge{judged}"));
        println!("hello, {name:<24} {milliseconds:>8.2} ms {ratio}");
    }
    drop(works);
    for engine in &here {
        let spec = spec(engine)?;
        let one_by_one = Instant::now();
        (0..AT_ONCE).for_each(|_| run(&embedder, &module, &spec));
        let one_by_one = one_by_one.elapsed();
        let at_once = Instant::now();
        let runs: Result<Vec<_>, _> =
            (0..AT_ONCE).map(|_| embedder.start(&module, &spec, StartOptions::default())).collect();
        for run in runs? {
            assert!(run.wait()?.status.success());
        }
        let gained = one_by_one.as_secs_f64() / at_once.elapsed().as_secs_f64();
        let cores = std::thread::available_parallelism()?;
        println!("{AT_ONCE} at once, {engine:<17} {gained:>8.2} times as fast as one by one, on {cores} cores");
    }
    embedder.close();
    std::fs::remove_dir_all(&cache)?;
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
