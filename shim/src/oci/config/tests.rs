use super::*;
use wasmrt_model::units::Count;

const AUTO: EngineChoice = EngineChoice::Auto;
const WASMEDGE: EngineChoice = EngineChoice::Named(EngineName::WasmEdge);
const WASMTIME: EngineChoice = EngineChoice::Named(EngineName::Wasmtime);

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/etc/wasmrt/config.toml"))
}

fn settings(text: &str, engine: EngineChoice) -> Settings {
    parse(text).unwrap().settings(engine)
}

fn mebi(count: u64) -> Limit<Bytes> {
    Limit::At(Bytes::mebi(count))
}

#[test]
fn without_a_file_there_are_defaults() {
    let settings = Config::default().settings(WASMEDGE);
    assert!(settings.enable_wasi && !settings.require_os_sandbox);
    assert_eq!(settings.defaults, LimitsSpec::default());
    assert_eq!(settings.ceiling, Ceiling::default());
    assert_eq!((settings.aot, settings.optimize), (AotMode::Auto, None));
    assert_eq!(settings.cache, Path::new("/var/lib/wasmrt/cache"));
    assert_eq!(settings.cache_max_bytes, None);
    assert_eq!(settings.memory_reserve, Bytes::mebi(24));
    assert_eq!(settings.own_namespace.len(), OWN_NAMESPACE.len());
    assert!(settings.host_namespace.is_empty());
    assert_eq!(settings, self::settings("", AUTO));
}

#[test]
fn every_key_says_what_it_says() {
    let settings = settings(
        r#"
        enable_wasi = false
        enable_nn = false
        enable_crypto = false
        max_memory_pages = 1024
        aot = "background"
        optimize = 2
        require_os_sandbox = true
        isolation = "process"
        cache = "/srv/cache"
        cache_max_bytes = "1g"
        memory_reserve = "16m"
        [defaults]
        fuel = 1_000_000
        wall_time = "30s"
        open_files = "unlimited"
        [ceiling]
        engines = ["wasmedge", "wasmtime"]
        preopens = false
        network = true
        [ceiling.limits]
        wall_time = 60
        memory_bytes = "128m"
        [network]
        own_namespace = ["connect=10.0.0.0/8:443", "resolve=*"]
        host_namespace = ["listen=127.0.0.1:8080"]
        "#,
        WASMEDGE,
    );
    assert!(!settings.enable_wasi && settings.require_os_sandbox);
    assert_eq!((settings.aot, settings.optimize), (AotMode::Background, Some(2)));
    assert_eq!(settings.cache, Path::new("/srv/cache"));
    assert_eq!(settings.cache_max_bytes, Some(Bytes::mebi(1024)));
    assert_eq!(settings.memory_reserve, Bytes::mebi(16));
    assert_eq!(settings.defaults.fuel, Some(Limit::At(Count(1_000_000))));
    assert_eq!(settings.defaults.open_files, Some(Limit::Unlimited));
    assert_eq!(settings.defaults.memory_bytes, None);
    let ceiling = settings.ceiling;
    assert_eq!(ceiling.engines, Some([EngineName::WasmEdge, EngineName::Wasmtime].into()));
    assert!(!ceiling.preopens && ceiling.network);
    assert_eq!(ceiling.limits.memory_bytes, mebi(64), "the lower one of max_memory_pages and memory_bytes");
    assert_eq!(ceiling.limits.wall_time.to_string(), "60s");
    assert_eq!(ceiling.limits.fuel, Limit::Unlimited);
    let rules = |rules: &[NetworkRule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(rules(&settings.own_namespace), ["connect=10.0.0.0/8:443", "resolve=*"]);
    assert_eq!(rules(&settings.host_namespace), ["listen=127.0.0.1:8080"]);
}

#[test]
fn a_table_of_an_engine_wins_key_by_key() {
    let text = r#"
        aot = "off"
        require_os_sandbox = true
        [defaults]
        fuel = 10
        wall_time = "1s"
        [ceiling]
        network = false
        [ceiling.limits]
        fuel = 100
        wall_time = "1min"
        [wasmtime]
        require_os_sandbox = false
        optimize = 1
        [wasmtime.defaults]
        fuel = 20
        [wasmtime.ceiling]
        network = true
        limits = { fuel = "unlimited" }
        [wasmtime.network]
        host_namespace = ["resolve=*"]
    "#;
    let top = settings(text, WASMEDGE);
    assert_eq!((top.aot, top.optimize, top.require_os_sandbox), (AotMode::Off, None, true));
    assert_eq!(top.defaults.fuel, Some(Limit::At(Count(10))));
    assert!(!top.ceiling.network && top.host_namespace.is_empty());
    let its = settings(text, WASMTIME);
    assert_eq!((its.aot, its.optimize, its.require_os_sandbox), (AotMode::Off, Some(1), false));
    assert_eq!(its.defaults.fuel, Some(Limit::At(Count(20))));
    assert_eq!(its.defaults.wall_time, top.defaults.wall_time);
    assert!(its.ceiling.network);
    assert_eq!(its.ceiling.limits.fuel, Limit::Unlimited);
    assert_eq!(its.ceiling.limits.wall_time, top.ceiling.limits.wall_time);
    assert_eq!((its.host_namespace.len(), its.own_namespace), (1, top.own_namespace));
}

#[test]
fn who_leaves_the_choice_gets_what_holds_on_every_engine() {
    let text = r#"
        memory_reserve = "8m"
        [ceiling.limits]
        fuel = 1000
        [wasmedge]
        max_memory_pages = 160
        memory_reserve = "32m"
        [wasmtime]
        enable_wasi = false
        require_os_sandbox = true
        [wasmtime.ceiling]
        limits = { fuel = 500, memory_bytes = "20m" }
        network = false
        [wasmer]
        max_memory_pages = 1
        [wasmer.ceiling]
        engines = ["wasmedge", "wasmtime"]
    "#;
    let any = settings(text, AUTO);
    assert!(!any.enable_wasi && any.require_os_sandbox && !any.ceiling.network && any.ceiling.preopens);
    assert_eq!(any.ceiling.limits.fuel, Limit::At(Count(500)));
    assert_eq!(any.ceiling.limits.memory_bytes, mebi(10));
    assert_eq!(any.memory_reserve, Bytes::mebi(32));
    assert_eq!(
        any.ceiling.engines,
        Some([EngineName::WasmEdge, EngineName::Wasmtime].into()),
        "wasmer rules itself out"
    );
    assert_eq!(settings("", AUTO).ceiling.engines, None);
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_key() {
    for (text, line, words) in [
        ("\nenable_wasm = true", 2, &["enable_wasm", "enable_wasi"][..]),
        ("enable_wasi = 1", 1, &["enable_wasi", "boolean"]),
        ("enable_wasi = true\nenable_wasi = false", 2, &["duplicate key"]),
        ("[wasmtime]\n\n[wasmtime.defaults]\nmemory = 1", 4, &["memory", "wasmtime.defaults", "memory_bytes"]),
        ("[wasmtime.defaults]\nmemory_bytes = 'lots'", 2, &["'lots'", "wasmtime.defaults.memory_bytes", "64m"]),
        ("[defaults]\nfuel = 0", 1, &["defaults: fuel must be at least 1"]),
        ("[wasmer.ceiling.limits]\nopen_files = 1", 1, &["wasmer.ceiling.limits: open_files must be at least 3"]),
        ("[ceiling]\nengines = ['v8']", 2, &["ceiling.engines", "v8", "wasmedge"]),
        ("[ceiling]\nimports = true", 2, &["imports", "preopens"]),
        ("aot = 'always'", 1, &["aot", "always", "foreground"]),
        ("\n\noptimize = 4", 3, &["optimize = 4", "0, 1, 2 or 3"]),
        ("max_memory_pages = -1", 1, &["max_memory_pages"]),
        ("max_memory_pages = 281474976710656", 1, &["max_memory_pages", "281474976710656 pages"]),
        ("cache = 'cache'", 1, &["cache = \"cache\"", "absolute"]),
        ("cache_max_bytes = '1x'", 1, &["cache_max_bytes", "'1x'"]),
        ("[network]\nown_namespace = ['connect']", 2, &["network.own_namespace", "'connect'"]),
        ("[network]\nallow = []", 2, &["allow", "own_namespace"]),
        ("isolation = 'none'", 1, &["isolation", "none", "process"]),
        ("[wasmedge]\nwasmtime = {}", 2, &["wasmtime", "wasmedge"]),
        ("a = ", 1, &[]),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let told = error.to_string();
        assert!(told.contains(&format!("/etc/wasmrt/config.toml, line {line}: ")), "{text}\n{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{text}\n{told}");
        assert!(!told.contains('\n'), "{told:?}");
    }
}

#[test]
fn what_there_is_not_is_refused_by_name() {
    for (text, line, key) in [
        ("enable_nn = true", 1, "enable_nn = true"),
        ("\nenable_crypto = true", 2, "enable_crypto = true"),
        ("[wasmedge]\nenable_nn = true", 2, "wasmedge.enable_nn = true"),
        ("isolation = 'in-process'", 1, "isolation = \"in-process\""),
        ("[wasmer]\nisolation = 'in-process'", 2, "wasmer.isolation"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(&format!("line {line}: {key}")), "{error}");
    }
}

#[test]
fn the_ceilings_of_file_and_model_have_the_same_fields() {
    let json = serde_json::to_value(Ceiling::default()).unwrap();
    for field in json.as_object().unwrap().keys() {
        let error = parse(&format!("[ceiling]\n{field} = 1.5")).unwrap_err();
        assert!(!error.message().contains("unknown field"), "{error}");
    }
}

#[test]
fn the_example_of_the_documentation_is_a_config() {
    let page = include_str!("../../../../docs/containerd-config.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let settings = settings(example, WASMTIME);
    assert_eq!((settings.aot, settings.optimize), (AotMode::Foreground, Some(2)));
    assert_eq!(settings.ceiling.limits.memory_bytes, mebi(1024));
    assert_eq!(settings.memory_reserve, DEFAULT_MEMORY_RESERVE);
    assert_eq!(settings.defaults.call_depth, Some(Limit::At(Count(4096))));
}

#[test]
fn only_a_file_that_was_named_has_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    assert_eq!(Config::load(Some(&path)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Config::read_if_there(&path).unwrap().settings(AUTO), Config::default().settings(AUTO));
    std::fs::write(&path, "optimize = 3").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().settings(AUTO).optimize, Some(3));
    assert_eq!(Config::read_if_there(&path).unwrap().settings(AUTO).optimize, Some(3));
    std::fs::write(&path, "optimise = 3").unwrap();
    let error = Config::read_if_there(&path).unwrap_err();
    assert!(error.message().starts_with(&format!("{}, line 1: ", path.display())), "{error}");
}

#[test]
fn what_is_no_text_is_no_config() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    assert!(Config::load(Some(directory.path())).is_err());
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Config::load(Some(&path)).unwrap_err().message().contains("config.toml"));
    std::fs::write(&path, " ".repeat(2 << 20)).unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap_err().kind(), ErrorKind::InvalidInput);
}
