use super::super::config::Config;
use super::super::specs;
use super::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use wasmrt_model::EngineChoice;

fn of(spec: &Spec, config: &str, annotations: &[(&str, &str)]) -> Result<LimitsSpec> {
    let settings = Config::parse(config, Path::new("config.toml")).unwrap().settings(EngineChoice::Auto);
    let annotations: HashMap<String, String> =
        annotations.iter().map(|(key, value)| (format!("wasmrt.dev/{key}"), (*value).to_owned())).collect();
    let annotations = Annotations::read(Some(&annotations)).unwrap();
    limits(spec, spec.process().as_ref().unwrap(), &annotations, &settings)
}

fn with(resources: Value, rlimits: Value) -> Spec {
    specs::from(specs::ctr(), |spec| {
        spec["linux"]["resources"] = resources;
        spec["process"]["rlimits"] = rlimits;
    })
}

fn memory_limit(limit: Value) -> Spec {
    with(json!({ "memory": { "limit": limit } }), json!([]))
}

fn memory(spec: &Spec, config: &str, annotations: &[(&str, &str)]) -> Option<String> {
    of(spec, config, annotations).unwrap().memory_bytes.map(|limit| limit.to_string())
}

#[test]
fn memory_is_the_least_of_what_was_asked_for_and_what_there_is() {
    let mebi = |count: u64| json!(count << 20);
    let none = &with(json!({}), json!([]));
    let small = &memory_limit(mebi(64));
    let large = &memory_limit(mebi(4096));
    let ceiling = "max_memory_pages = 512";
    for (spec, config, annotation, expected) in [
        (none, "", None, None),
        (none, "defaults.memory_bytes = '100m'", None, Some("100MiB")),
        (none, "defaults.memory_bytes = '100m'", Some("200m"), Some("200MiB")),
        (none, ceiling, None, None),
        (none, "max_memory_pages = 512\ndefaults.memory_bytes = '100m'", None, Some("32MiB")),
        (none, ceiling, Some("8m"), Some("8MiB")),
        (small, "", None, Some("40MiB")),
        (small, "memory_reserve = '16m'", None, Some("48MiB")),
        (small, "", Some("unlimited"), Some("40MiB")),
        (small, "", Some("8m"), Some("8MiB")),
        (small, "defaults.memory_bytes = '100m'", None, Some("40MiB")),
        (small, ceiling, None, Some("32MiB")),
        (large, "", None, Some("4072MiB")),
        (large, "defaults.memory_bytes = '100m'", None, Some("100MiB")),
        (large, ceiling, None, Some("32MiB")),
    ] {
        let annotations: Vec<(&str, &str)> = annotation.map(|value| ("memory", value)).into_iter().collect();
        assert_eq!(memory(spec, config, &annotations).as_deref(), expected, "{config} {annotation:?}");
    }
}

#[test]
fn no_limit_is_written_in_several_ways() {
    for limit in [json!(0), json!(-1), Value::Null] {
        assert_eq!(memory(&memory_limit(limit), "", &[]), None);
    }
    let unified = |text: &str| with(json!({ "unified": { "memory.max": text } }), json!([]));
    assert_eq!(memory(&unified("max"), "", &[]), None);
    assert_eq!(memory(&unified("67108864"), "", &[]).unwrap(), "40MiB");
    assert!(of(&unified("64M"), "", &[]).unwrap_err().message().contains("'64M'"));
}

#[test]
fn a_memory_limit_that_leaves_nothing_is_refused_with_the_least_that_would() {
    let reserve = 24 << 20;
    let least = reserve + (64 << 10);
    assert_eq!(memory(&memory_limit(json!(least)), "", &[]).unwrap(), "64KiB");
    for limit in [1, reserve, least - 1] {
        let error = of(&memory_limit(json!(limit)), "", &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.hint(), Some("the least is 24640KiB"), "{error}");
    }
}

#[test]
fn rlimits_bound_files_and_processor_time() {
    let spec = with(
        json!({}),
        json!([{ "type": "RLIMIT_NOFILE", "hard": 4096, "soft": 1024 }, { "type": "RLIMIT_CPU", "hard": 60, "soft": 30 }]),
    );
    let told = |config, annotations: &[(&str, &str)]| {
        let limits = of(&spec, config, annotations).unwrap();
        (limits.open_files.unwrap().to_string(), limits.cpu_time.unwrap().to_string())
    };
    let pair = |files: &str, time: &str| (files.to_owned(), time.to_owned());
    assert_eq!(told("", &[]), pair("1024", "30s"));
    assert_eq!(told("", &[("open-files", "10"), ("cpu-time", "1s")]), pair("10", "1s"));
    assert_eq!(told("", &[("open-files", "unlimited"), ("cpu-time", "1h")]), pair("1024", "30s"));
    assert_eq!(told("defaults = { open_files = 512 }", &[]), pair("512", "30s"));
    assert_eq!(told("ceiling.limits = { open_files = 100, cpu_time = '5s' }", &[]), pair("100", "5s"));
    let infinite = with(json!({}), json!([{ "type": "RLIMIT_NOFILE", "hard": u64::MAX, "soft": u64::MAX }]));
    assert_eq!(of(&infinite, "", &[]).unwrap(), LimitsSpec::default());
    let zero = with(json!({}), json!([{ "type": "RLIMIT_CPU", "hard": 0, "soft": 0 }]));
    assert_eq!(of(&zero, "", &[]).unwrap().cpu_time.unwrap().to_string(), "1s");
}

#[test]
fn annotations_go_before_defaults_and_no_further_than_the_ceiling() {
    let spec = &with(json!({}), json!([]));
    let config = "defaults = { fuel = 10, wall_time = '1s' }\nceiling.limits = { fuel = 100 }";
    let limits = of(spec, config, &[("fuel", "100")]).unwrap();
    assert_eq!(limits.fuel, Some(Limit::At(Count(100))));
    assert_eq!(limits.wall_time.unwrap().to_string(), "1s");
    for value in ["101", "unlimited"] {
        let error = of(spec, config, &[("fuel", value)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("annotation wasmrt.dev/fuel: ") && error.message().contains("100"), "{error}");
    }
    let lowered = of(spec, "defaults = { fuel = 1000 }\nceiling.limits = { fuel = 100 }", &[]).unwrap();
    assert_eq!(lowered.fuel, Some(Limit::At(Count(100))));
}

#[test]
fn what_comes_out_never_runs_into_the_ceiling() {
    let spec = with(
        json!({ "memory": { "limit": 1u64 << 40 } }),
        json!([{ "type": "RLIMIT_NOFILE", "hard": 1 << 20, "soft": 1 << 20 }, { "type": "RLIMIT_CPU", "hard": 1 << 20, "soft": 1 << 20 }]),
    );
    let config = "max_memory_pages = 16\nceiling.limits = { open_files = 10, cpu_time = 1, wall_time = 1 }\n\
                  defaults = { open_files = 20, cpu_time = 2, wall_time = 'unlimited', memory_bytes = '1g' }";
    let settings = Config::parse(config, Path::new("config.toml")).unwrap().settings(EngineChoice::Auto);
    let limits = of(&spec, config, &[]).unwrap();
    Limits::resolve(&limits, &settings.ceiling.limits).unwrap();
}
