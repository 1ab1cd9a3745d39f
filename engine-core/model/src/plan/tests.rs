use super::*;
use crate::engine::TierCapabilities;
use crate::limits::Limit;
use crate::units::{Bytes, Count};
use crate::{Feature, FeatureSet, Tier};

fn interpreting_engine() -> Capabilities {
    let mut capabilities = Capabilities::new(EngineName::WasmEdge, "0.14.1");
    capabilities.tiers =
        vec![TierCapabilities { tier: Tier::Interpreter, features: FeatureSet::of(&[Feature::MultiValue]) }];
    capabilities
}

fn compiling_engine() -> Capabilities {
    let mut capabilities = Capabilities::new(EngineName::Wasmtime, "48.0.0");
    capabilities.tiers = vec![TierCapabilities { tier: Tier::Optimized, features: FeatureSet::EMPTY }];
    capabilities
}

fn plan(spec: &RunSpec) -> Result<RunPlan> {
    resolve(spec, &interpreting_engine(), Enforcement::NONE, &Ceiling::default(), &|_| None)
}

#[test]
fn an_empty_request_gets_the_documented_defaults() {
    let plan = plan(&RunSpec::default()).unwrap();
    assert_eq!(plan.limits().memory_bytes, Limit::At(Bytes::mebi(512)));
    assert_eq!(plan.limits().open_files, Limit::At(Count(256)));
    assert_eq!(plan.limits().wall_time, Limit::Unlimited);
    assert_eq!(plan.limits().output_bytes, Limit::Unlimited);
    assert!(plan.env().is_empty() && plan.preopens().is_empty() && plan.network().is_denied());
}

#[test]
fn captured_output_is_bounded_unless_said_otherwise() {
    let captured = RunSpec::from_json(r#"{"stdio": {"stdout": {"capture": {}}}}"#).unwrap();
    assert_eq!(plan(&captured).unwrap().limits().output_bytes, Limit::At(Bytes::mebi(64)));
    let unlimited =
        RunSpec::from_json(r#"{"stdio": {"stdout": {"capture": {}}}, "limits": {"output_bytes": "unlimited"}}"#)
            .unwrap();
    assert_eq!(plan(&unlimited).unwrap().limits().output_bytes, Limit::Unlimited);
}

#[test]
fn only_named_host_variables_are_inherited_and_explicit_ones_win() {
    let spec = RunSpec::from_json(r#"{"env": {"set": {"A": "explicit"}, "inherit": ["A", "B", "MISSING"]}}"#).unwrap();
    let host = |name: &str| (name != "MISSING").then(|| format!("host {name}"));
    let plan = resolve(&spec, &interpreting_engine(), Enforcement::NONE, &Ceiling::default(), &host).unwrap();
    assert_eq!(plan.env(), [("A".into(), "explicit".into()), ("B".into(), "host B".into())]);
}

#[test]
fn what_cannot_be_enforced_is_unsupported() {
    for json in [r#"{"network": {"allow": ["connect=example.com:443"]}}"#, r#"{"isolation": "in-process"}"#] {
        assert_eq!(plan(&RunSpec::from_json(json).unwrap()).unwrap_err().kind(), ErrorKind::Unsupported, "{json}");
    }
    let never = RunSpec { aot: AotPolicy::Never, ..RunSpec::default() };
    assert!(plan(&never).is_ok());
    let error = resolve(&never, &compiling_engine(), Enforcement::NONE, &Ceiling::default(), &|_| None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn what_does_not_hold_in_the_callers_process_is_refused_by_name() {
    let all = Enforcement { network: true, in_process: true };
    let interprets = Capabilities { in_process: vec![Tier::Interpreter], ..interpreting_engine() };
    let compiles = Capabilities { in_process: vec![Tier::Optimized], ..compiling_engine() };
    let plan = |engine: &Capabilities, ceiling: &Ceiling, fields: &str| {
        let spec = RunSpec::from_json(&format!(r#"{{"isolation": "in-process" {fields}}}"#)).unwrap();
        resolve(&spec, engine, all, ceiling, &|_| None)
    };
    let free = Ceiling::default();
    for fields in [
        r#", "limits": {"cpu_time": 1}"#,
        r#", "limits": {"compile_time": 1}"#,
        r#", "limits": {"call_depth": 32769}"#,
        r#", "limits": {"call_depth": "unlimited"}"#,
    ] {
        for engine in [&interprets, &compiles] {
            assert_eq!(plan(engine, &free, fields).unwrap_err().kind(), ErrorKind::Unsupported, "{fields}");
        }
    }
    // A ceiling that cannot be kept to is no ceiling.
    for limits in [
        Limits { cpu_time: Limit::At(crate::units::Span(std::time::Duration::from_secs(1))), ..Limits::UNLIMITED },
        Limits { compile_time: Limit::At(crate::units::Span(std::time::Duration::from_secs(1))), ..Limits::UNLIMITED },
    ] {
        let ceiling = Ceiling { limits, ..Ceiling::default() };
        assert_eq!(plan(&compiles, &ceiling, "").unwrap_err().kind(), ErrorKind::Unsupported);
    }
    for fields in [r#", "aot": "always""#, r#", "optimize": 2"#] {
        assert_eq!(plan(&interprets, &free, fields).unwrap_err().kind(), ErrorKind::Unsupported, "{fields}");
        assert!(plan(&compiles, &free, fields).is_ok());
    }
    let plan = plan(&compiles, &free, "").unwrap();
    assert_eq!(plan.limits().call_depth, Limit::At(Count(4096)));
    assert_eq!((plan.limits().compile_time, plan.limits().cpu_time), (Limit::Unlimited, Limit::Unlimited));
}

#[test]
fn an_engine_with_stacks_of_its_own_needs_a_bound_on_calls() {
    let mut engine = compiling_engine();
    let resolved = |engine: &Capabilities, json: &str, ceiling: &Ceiling| {
        resolve(&RunSpec::from_json(json).unwrap(), engine, Enforcement::NONE, ceiling, &|_| None)
    };
    let unlimited = r#"{"limits": {"call_depth": "unlimited"}}"#;
    assert!(resolved(&engine, unlimited, &Ceiling::default()).is_ok());
    engine.own_stack = true;
    let error = resolved(&engine, unlimited, &Ceiling::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    for json in ["{}", r#"{"limits": {"call_depth": 1000000}}"#] {
        assert!(resolved(&engine, json, &Ceiling::default()).unwrap().limits().call_depth != Limit::Unlimited);
    }
}

#[test]
fn what_makes_no_sense_is_invalid() {
    for json in [
        r#"{"args": ["a\u0000b"]}"#,
        r#"{"env": {"set": {"A=B": "x"}}}"#,
        r#"{"env": {"set": {"": "x"}}}"#,
        r#"{"env": {"set": {"A": "x\u0000"}}}"#,
        r#"{"preopens": [{"host": "/a", "guest": "/x"}, {"host": "/b", "guest": "/x/"}]}"#,
        r#"{"preopens": [{"host": "/a", "guest": "/x/../y"}]}"#,
        r#"{"limits": {"wall_time": 0}}"#,
        r#"{"limits": {"open_files": 2}}"#,
        r#"{"optimize": 4}"#,
    ] {
        assert_eq!(plan(&RunSpec::from_json(json).unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput, "{json}");
    }
    for json in [r#"{"engines": "auto"}"#, r#"{"limits": {"memory_bytes": "lots"}}"#, r#"{"engine": "v8"}"#, "[]", ""] {
        assert_eq!(RunSpec::from_json(json).unwrap_err().kind(), ErrorKind::InvalidInput, "{json}");
    }
}

#[test]
fn a_ceiling_only_tightens() {
    let ceiling = Ceiling {
        preopens: false,
        network: false,
        engines: Some(BTreeSet::from([EngineName::Wasmtime])),
        ..Ceiling::default()
    };
    let under = |spec: &RunSpec, capabilities: &Capabilities| {
        let all = Enforcement { network: true, in_process: true };
        resolve(spec, capabilities, all, &ceiling, &|_| None)
    };
    assert!(under(&RunSpec::default(), &compiling_engine()).is_ok());
    assert_eq!(under(&RunSpec::default(), &interpreting_engine()).unwrap_err().kind(), ErrorKind::Denied);
    for json in [r#"{"preopens": [{"host": "/a", "guest": "/x"}]}"#, r#"{"network": {"allow": ["resolve=*"]}}"#] {
        let error = under(&RunSpec::from_json(json).unwrap(), &compiling_engine()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{json}");
    }
}

#[test]
fn a_ceiling_bounds_what_it_names_and_nothing_else() {
    assert_eq!(Ceiling::from_json("{}").unwrap(), Ceiling::default());
    let json = r#"{"limits": {"fuel": 5}, "engines": ["wasmtime"], "network": false}"#;
    let read = Ceiling::from_json(json).unwrap();
    assert_eq!(read.limits, Limits { fuel: Limit::At(Count(5)), ..Limits::UNLIMITED });
    assert_eq!(read.engines, Some([EngineName::Wasmtime].into()));
    assert!(read.preopens && !read.network);
    assert_eq!(Ceiling::from_json(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    for wrong in [
        "",
        "[]",
        r#"{"limit": {}}"#,
        r#"{"limits": {"fule": 5}}"#,
        r#"{"limits": {"fuel": 0}}"#,
        r#"{"engines": ["v8"]}"#,
    ] {
        assert_eq!(Ceiling::from_json(wrong).unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong}");
    }
}

#[test]
fn a_spec_survives_json() {
    let json = r#"{
        "engine": "wasmedge", "isolation": "process", "aot": "always", "optimize": 0,
        "entry": {"invoke": {"name": "add", "args": ["1", "2"]}}, "args": ["app", "-x"],
        "env": {"set": {"A": "1"}, "inherit": ["PATH"]},
        "preopens": [{"host": "/srv", "guest": "/data", "access": "ro"}],
        "stdio": {"stdin": {"bytes": "hello"}, "stdout": {"capture": {"cap": "1k"}}, "stderr": "null"},
        "network": {"allow": ["connect=*:443"]}, "clock": {"fixed": {"unix_seconds": 7}}, "random": {"fixed": {"seed": 9}},
        "limits": {"memory_bytes": "64Mi", "wall_time": 1.5, "fuel": "unlimited"}
    }"#;
    let spec = RunSpec::from_json(json).unwrap();
    let again = RunSpec::from_json(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(spec, again);
}
