//! A run on an engine that belongs to the attacker: its checks are not there, and its guest is native code inside a real worker.

use super::*;
use crate::observer::Silent;
use crate::process::{self, Forked};
use crate::ready::ReadyCode;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmrt_model::backend::{
    Code, CompileOptions, Ending, HostFunctions, ImportedFunction, WasmEngine, WasmInstance, WasmModule,
};
use wasmrt_model::module::{Export, ExternType};
use wasmrt_model::{
    Capabilities, Ceiling, Enforcement, EngineName, FeatureSet, FunctionType, ModuleInfo, RunSpec, TierCapabilities,
    Value, resolve,
};

/// What is tried, and a proof for each attempt that got through.
#[derive(Debug, Clone)]
struct Attempts {
    secret: PathBuf,
    outside: PathBuf,
    inside: PathBuf,
    port: u16,
    supervisor: rustix::process::Pid,
}

impl Attempts {
    /// Whether each one got through; the last one is what the guest may do.
    fn carry_out(&self) -> Vec<bool> {
        // Asked of the system itself: files that would tell are out of reach anyway.
        let descriptors = (3..256).filter_map(process::adopt).map(std::mem::forget);
        vec![
            fs::read(&self.secret).is_ok(),
            fs::write(self.outside.join("proof"), "").is_ok(),
            Command::new("/bin/sh").arg("-c").arg(format!("touch {}/proof", self.outside.display())).status().is_ok(),
            TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            rustix::process::test_kill_process(self.supervisor).is_ok(),
            fs::read("/proc/self/environ").is_ok(),
            fs::read(format!("/proc/{}/mem", self.supervisor)).is_ok(),
            rustix::process::setrlimit(
                rustix::process::Resource::Data,
                rustix::process::Rlimit { current: None, maximum: None },
            )
            .is_ok(),
            reserved(64) > 8,
            // The preopen, its report, and nothing that the supervisor has open.
            descriptors.count() > OPENED / 2,
            fs::write(self.inside.join("allowed"), "").is_ok(),
        ]
    }
}

/// How many files the supervisor has open when it forks its worker.
const OPENED: usize = 32;

/// How many of so many pieces of 128 MiB can be had at once. The run's limit is 16 MiB, and what its process needs beside that.
fn reserved(pieces: usize) -> usize {
    let piece = |_| {
        let mut bytes: Vec<u8> = Vec::new();
        let had = bytes.try_reserve_exact(128 << 20);
        had.is_ok().then(|| std::hint::black_box(bytes))
    };
    (0..pieces).map_while(piece).collect::<Vec<_>>().len()
}

#[derive(Debug)]
struct Rogue {
    capabilities: Capabilities,
    attempts: Attempts,
}

impl WasmEngine for Rogue {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn fingerprint(&self, _: CompileOptions) -> String {
        String::new()
    }

    fn compile(&self, _: &[u8], _: CompileOptions, _: &Path) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "there is nothing to compile"))
    }

    fn load(&self, _: Code<'_>) -> Result<Box<dyn WasmModule>> {
        Ok(Box::new(Taken(self.attempts.clone())))
    }
}

#[derive(Debug)]
struct Taken(Attempts);

impl WasmModule for Taken {
    fn instantiate(
        &self,
        _: &ModuleInfo,
        _: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending> {
        Ok(Box::new(Free(self.0.clone(), host)))
    }
}

#[derive(Debug)]
struct Free(Attempts, #[expect(dead_code, reason = "the host lives as long as its guest")] Box<dyn HostFunctions>);

impl WasmInstance for Free {
    fn call(&mut self, _: &str, _: &[Value]) -> Result<Vec<Value>, Ending> {
        Ok(self.0.carry_out().into_iter().map(|through| Value::I32(i32::from(through))).collect())
    }

    fn memory_pages(&mut self) -> u64 {
        0
    }

    fn global(&mut self, _: &str) -> Option<Value> {
        None
    }

    fn set_global(&mut self, _: &str, _: Value) -> bool {
        false
    }
}

/// Runs it and gives its outcome. Workers are forked from a process with one thread, and a test is not alone in its own.
fn outcome_of(attempts: &Attempts) -> Outcome {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    match process::fork().unwrap() {
        Forked::Child => {
            let _opened: Vec<_> = (0..OPENED).map(|_| fs::File::open("/dev/null").unwrap()).collect();
            let attempts = Attempts { supervisor: rustix::process::getpid(), ..attempts.clone() };
            let outcome = run_rogue(attempts).and_then(|outcome| {
                serde_json::to_vec(&outcome).map_err(|source| Error::io("cannot tell", source.into()))
            });
            let told = outcome.is_ok_and(|bytes| writer.write_all(&bytes).is_ok());
            process::exit_now(i32::from(!told));
        }
        Forked::Parent(mut child) => {
            drop(writer);
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(child.reap().unwrap().death, Death::Exited(0));
            serde_json::from_slice(&bytes).unwrap()
        }
    }
}

fn run_rogue(attempts: Attempts) -> Result<Outcome> {
    let mut capabilities = Capabilities::new(EngineName::Wasmtime, "0");
    capabilities.tiers = vec![TierCapabilities { tier: Tier::Optimized, features: FeatureSet::default() }];
    let spec = RunSpec::from_json(&format!(
        r#"{{"preopens": [{{"host": "{}", "guest": "/", "access": "rw"}}], "stdio": {{"stdin": "null", "stdout": "null", "stderr": "null"}}, "limits": {{"memory_bytes": "16MiB"}}}}"#,
        attempts.inside.display()
    ))?;
    let plan = resolve(&spec, &capabilities, Enforcement::NONE, &Ceiling::default(), &|_| None)?;
    let signature = FunctionType { params: Vec::new(), results: Vec::new() };
    let start = Export { name: "_start".to_owned(), extern_type: ExternType::Function(signature) };
    let ready = Ready {
        engine: Arc::new(Rogue { capabilities, attempts }),
        tier: Tier::Optimized,
        plan,
        info: ModuleInfo { exports: vec![start], ..ModuleInfo::default() },
        meters: None,
        code: ReadyCode::Wasm(Vec::new()),
        compile_time: None,
        component: None,
        artifact: None,
    };
    let mut attention = Attention { observer: &mut Silent, forward_signals: false, cancel: None, group: None };
    run(ready, PipedStreams::default(), &mut attention)
}

#[test]
fn an_engine_that_was_taken_over_gets_no_further_than_its_guest() {
    let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = outside.path().join("secret");
    fs::write(&secret, "text").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let attempts = Attempts {
        secret: secret.clone(),
        outside: outside.path().to_owned(),
        inside: inside.path().to_owned(),
        port: listener.local_addr().unwrap().port(),
        supervisor: rustix::process::getpid(),
    };
    let outcome = outcome_of(&attempts);
    assert_eq!(outcome.status, ExitStatus::Exited { code: 0 });
    assert!(outcome.os_sandbox.is_some_and(wasmrt_model::OsSandbox::is_complete), "{:?}", outcome.os_sandbox);
    let through: Vec<bool> = outcome.results.iter().map(|value| *value == Value::I32(1)).collect();
    let expected: Vec<bool> = (0..through.len()).map(|attempt| attempt + 1 == through.len()).collect();
    assert_eq!(through, expected);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(inside.path().join("allowed").exists());

    // In this process, which has no wall, the same attempts do get through: it is the wall that they break on.
    assert!(attempts.carry_out().iter().take(9).filter(|through| **through).count() >= 7);
}
