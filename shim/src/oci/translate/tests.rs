use super::super::specs;
use super::*;
use serde_json::json;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use wasmrt_model::{Access, EngineName};

const WASMEDGE: EngineChoice = EngineChoice::Named(EngineName::WasmEdge);

/// A container with a bundle that has its mounts' sources.
struct Container {
    bundle: TempDir,
    spec: Spec,
    config: Config,
    engine: EngineChoice,
}

impl Container {
    fn new(spec: Spec) -> Self {
        let bundle = tempfile::tempdir().unwrap();
        fs::create_dir(bundle.path().join("rootfs")).unwrap();
        let spec = specs::with_sources_in(spec, bundle.path());
        Self { bundle, spec, config: Config::default(), engine: WASMEDGE }
    }

    fn config(mut self, text: &str) -> Self {
        self.config = Config::parse(text, Path::new("config.toml")).unwrap();
        self
    }

    fn annotation(mut self, key: &str, value: &str) -> Self {
        self.spec = specs::from(self.spec, |spec| spec["annotations"][key] = value.into());
        self
    }

    fn translate(&self) -> Result<Translated> {
        self.translate_process(self.spec.process().as_ref().unwrap(), None)
    }

    fn translate_process(&self, process: &Process, export: Option<&str>) -> Result<Translated> {
        let rootfs = Rootfs::of_bundle(self.bundle.path(), &self.spec)?;
        let annotations = Annotations::read(self.spec.annotations().as_ref())?;
        translate(Request {
            spec: &self.spec,
            process,
            rootfs: &rootfs,
            annotations: &annotations,
            export,
            engine: self.engine,
            config: &self.config,
        })
    }

    fn run(&self) -> RunSpec {
        self.translate().unwrap().spec
    }
}

#[test]
fn a_container_of_ctr() {
    let translated = Container::new(specs::ctr()).translate().unwrap();
    let run = translated.spec;
    assert_eq!(run.engine, WASMEDGE);
    assert_eq!(run.isolation, wasmrt_model::IsolationLevel::Process);
    assert_eq!(run.entry, Entry::Start);
    assert_eq!(run.args, ["/app.wasm", "--port", "8080"]);
    assert_eq!(run.env.set.keys().collect::<Vec<_>>(), ["PATH"]);
    assert!(run.env.inherit.is_empty());
    assert_eq!(run.stdio, wasmrt_model::Stdio::default());
    assert_eq!(run.aot, AotPolicy::Auto);
    assert!(!run.network.allow.is_empty() && run.network.publish.is_empty());
    assert_eq!(run.limits.open_files.unwrap().to_string(), "1024");
    assert_eq!(run.limits.memory_bytes, None);
    assert_eq!(run.preopens.len(), 4);
    assert_eq!(translated.ceiling, Ceiling::default());
    assert!(translated.enable_wasi);
    assert_eq!(translated.cache, Path::new("/var/lib/wasmrt/cache"));
}

#[test]
fn a_container_of_docker() {
    let run = Container::new(specs::docker()).run();
    let env: Vec<(&str, &str)> = run.env.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env[..2], [("HOSTNAME", "2f1c0f7e9a3b"), ("LEVEL", "debug")]);
    assert_eq!(run.limits.memory_bytes.unwrap().to_string(), "40MiB");
    let root = run.preopens.iter().find(|preopen| preopen.guest == "/").unwrap();
    assert_eq!(root.access, Access::ReadOnly);
    assert_eq!((run.preopens[0].guest.as_str(), run.preopens[0].host.as_path()), (".", Path::new("/data")));
}

#[test]
fn a_container_of_a_pod() {
    let container = Container::new(specs::cri());
    let process = container.spec.process().as_ref().unwrap();
    let run = container.translate_process(process, Some("serve")).unwrap().spec;
    assert_eq!(run.entry, Entry::Invoke { name: "serve".to_owned(), args: vec!["quiet".to_owned()] });
    assert_eq!(run.args, ["/opt/app/server.wasm#serve", "quiet"]);
    assert_eq!(run.limits.wall_time.unwrap().to_string(), "30s");
    assert_eq!(run.limits.memory_bytes.unwrap().to_string(), "32MiB");
    let rules: Vec<String> = run.network.allow.iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["connect=10.96.0.0/12:443", "resolve=*"]);
}

#[test]
fn a_process_that_is_added_has_its_own_arguments_and_the_containers_limits() {
    let container = Container::new(specs::docker()).annotation("wasmrt.dev/fuel", "1000");
    let process: Process = serde_json::from_value(json!({
        "user": { "uid": 0, "gid": 0 },
        "args": ["/tools/check.wasm", "-v"],
        "env": ["ONLY=this"],
        "cwd": "/",
        "terminal": true,
    }))
    .unwrap();
    let run = container.translate_process(&process, Some("_start")).unwrap().spec;
    assert_eq!((run.entry, run.args), (Entry::Start, vec!["/tools/check.wasm".to_owned(), "-v".to_owned()]));
    assert_eq!(run.env.set.len(), 1);
    assert_eq!(run.limits.fuel.unwrap().to_string(), "1000");
    assert_eq!(run.limits.memory_bytes.unwrap().to_string(), "40MiB");
    assert_eq!(run.preopens[0].host, Path::new("/"));
}

#[test]
fn what_comes_out_can_be_planned() {
    let network = || {
        let mut enforcement = wasmrt_model::Enforcement::NONE;
        enforcement.network = true;
        enforcement
    };
    let mut capabilities = wasmrt_model::Capabilities::new(EngineName::WasmEdge, "1");
    capabilities.tiers.push(wasmrt_model::TierCapabilities {
        tier: wasmrt_model::Tier::Interpreter,
        features: wasmrt_model::FeatureSet::EMPTY,
    });
    let tight =
        "max_memory_pages = 16\nceiling = { preopens = false, network = false, limits = { fuel = 5, open_files = 4 } }";
    for spec in [specs::ctr(), specs::docker()] {
        for config in ["", tight] {
            let translated = Container::new(spec.clone()).config(config).translate().unwrap();
            let plan =
                wasmrt_model::resolve(&translated.spec, &capabilities, network(), &translated.ceiling, &|_| None)
                    .unwrap();
            assert_eq!(plan.preopens().is_empty(), !config.is_empty());
            assert_eq!(plan.network().is_denied(), !config.is_empty());
        }
    }
}

#[test]
fn annotations_choose_and_do_not_widen() {
    let container = || Container::new(specs::ctr());
    let run = container().annotation("wasmrt.dev/engine", "wasmtime").config("[wasmtime]\noptimize = 1").run();
    assert_eq!((run.engine, run.optimize), (EngineChoice::Named(EngineName::Wasmtime), Some(1)));
    let run = container().annotation("wasmrt.dev/optimize", "3").config("optimize = 1").run();
    assert_eq!(run.optimize, Some(3));
    let sandbox = "wasmrt.dev/isolation.require-os-sandbox";
    assert!(container().annotation(sandbox, "true").run().require_os_sandbox);
    assert!(container().config("require_os_sandbox = true").run().require_os_sandbox);
    for (container, key) in [
        (container().annotation(sandbox, "false").config("require_os_sandbox = true"), sandbox),
        (
            container().annotation("wasmrt.dev/network.allow", "connect=*").config("ceiling.network = false"),
            "wasmrt.dev/network.allow",
        ),
        (container().annotation("wasmrt.dev/fuel", "6").config("ceiling.limits = { fuel = 5 }"), "wasmrt.dev/fuel"),
    ] {
        let error = container.translate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains(key), "{error}");
    }
    let denied = container().annotation("wasmrt.dev/network.deny", "all").config("ceiling.network = false");
    assert!(denied.run().network.is_denied());
    let error = container().annotation("wasmrt.dev/nonsense", "1").translate().unwrap_err();
    assert!(error.message().contains("wasmrt.dev/nonsense"), "{error}");
}

#[test]
fn modes_of_compiling() {
    for (mode, aot, policy) in [
        ("auto", AotMode::Auto, AotPolicy::Auto),
        ("foreground", AotMode::Foreground, AotPolicy::Always),
        ("background", AotMode::Background, AotPolicy::Cached),
        ("off", AotMode::Off, AotPolicy::Never),
    ] {
        let by_config = Container::new(specs::ctr()).config(&format!("aot = '{mode}'")).translate().unwrap();
        assert_eq!((by_config.aot, by_config.spec.aot), (aot, policy));
        let by_annotation = Container::new(specs::ctr()).annotation("wasmrt.dev/aot", mode).translate().unwrap();
        assert_eq!((by_annotation.aot, by_annotation.spec.aot), (aot, policy));
    }
}

#[test]
fn a_process_without_arguments_is_refused() {
    for args in [json!([]), json!(null)] {
        let spec = specs::from(specs::ctr(), |spec| spec["process"]["args"] = args.clone());
        let error = Container::new(spec).translate().unwrap_err();
        assert!(error.message().contains("process.args"), "{error}");
    }
}
