//! The command line as a language: what is a command, what belongs to the guest, and that every field of a spec has a flag.

use super::*;
use crate::request::RunRequest;
use serde_json::{Value, json};
use wasmrt_model::{Limits, RunSpec};

fn run_args(words: &[&str]) -> RunArgs {
    match parse_words(words) {
        Ok(Command::Run(args)) => *args,
        other => panic!("{words:?} is {other:?}"),
    }
}

fn parse_words(words: &[&str]) -> Result<Command, clap::Error> {
    parse(std::iter::once("wasm-run").chain(words.iter().copied()).map(OsString::from))
}

fn spec_of(words: &[&str]) -> RunSpec {
    RunRequest::new(&run_args(words)).unwrap().spec
}

#[test]
fn the_tree_is_consistent() {
    whole_command().debug_assert();
    Cli::command().debug_assert();
}

#[test]
fn every_command_is_known_by_name() {
    let command = Cli::command();
    let names: Vec<&str> =
        command.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "run").collect();
    assert_eq!(names, COMMANDS[..COMMANDS.len() - 1]);
    assert_eq!(COMMANDS[COMMANDS.len() - 1], "help");
}

#[test]
fn run_can_be_left_out() {
    for words in [&["app.wasm", "a"][..], &["run", "app.wasm", "a"], &["-q", "app.wasm", "a"], &["--", "app.wasm", "a"]]
    {
        assert_eq!(run_args(words).module_and_args, ["app.wasm", "a"], "{words:?}");
    }
    assert!(matches!(parse_words(&["engines"]), Ok(Command::Engines(_))));
    assert_eq!(run_args(&["./engines"]).module_and_args, ["./engines"]);
    assert_eq!(run_args(&["run", "engines"]).module_and_args, ["engines"]);
    assert_eq!(run_args(&["app.wasm", "engines"]).module_and_args, ["app.wasm", "engines"]);
}

#[test]
fn what_follows_the_module_is_the_guests() {
    let words = ["-q", "app.wasm", "--help", "-m", "1", "--", "--version", "-", ""];
    assert_eq!(run_args(&words).module_and_args, words[1..]);
    assert_eq!(spec_of(&words).args, words[1..]);
    assert_eq!(spec_of(&["--invoke", "f", "app.wasm", "-1", "--x"]).args, ["app.wasm"]);
}

#[test]
fn the_last_of_a_flag_wins() {
    assert_eq!(spec_of(&["-m", "1m", "--memory", "2m", "x"]), spec_of(&["-m2m", "x"]));
}

#[test]
fn wrong_usage_is_refused() {
    for words in [
        &["--nonsense", "app.wasm"][..],
        &["-m", "lots", "app.wasm"],
        &["-m", "-1", "app.wasm"],
        &["--timeout", "10 parsecs", "app.wasm"],
        &["--engine", "v8", "app.wasm"],
        &["-O", "4", "app.wasm"],
        &["-v", "a:b:rx", "app.wasm"],
        &["--dir", "a::b::rx", "app.wasm"],
        &["-e", "=x", "app.wasm"],
        &["--net", "everything", "app.wasm"],
        &["-p", "http", "app.wasm"],
        &["-p", "300.1.1.1:80:80", "app.wasm"],
        &["-p", "80:80/sctp", "app.wasm"],
        &["--cpus", "0", "app.wasm"],
        &["--clock", "noon", "app.wasm"],
        &["--random", "dice", "app.wasm"],
        &["--no-cache", "--cache-dir", "x", "app.wasm"],
        &["--invoke", "f"],
        &["run"],
        &["inspect"],
        &["cache"],
        &["completions", "tcsh"],
    ] {
        assert!(parse_words(words).is_err(), "{words:?}");
    }
}

#[test]
fn published_ports_read_as_docker_writes_them() {
    for text in ["80", "8080:80", "127.0.0.1:8080:80/tcp", "[::1]:8080:80/udp", "127.0.0.1::80"] {
        assert!(text.parse::<wasmrt_model::network::Published>().is_ok(), "{text}");
    }
}

/// Flags that set one field of a spec, by the field's place in JSON.
const FLAGS: &[(&str, &[&str])] = &[
    ("/engine", &["--engine", "wasmtime"]),
    ("/isolation", &["--isolation", "in-process"]),
    ("/require_os_sandbox", &["--require-os-sandbox"]),
    ("/aot", &["--aot", "always"]),
    ("/optimize", &["--optimize", "1"]),
    ("/entry", &["--invoke", "f"]),
    ("/args", &["--arg0", "another"]),
    ("/env/set", &["--env", "NAME=value"]),
    ("/env/inherit", &["--env", "NAME"]),
    ("/preopens", &["--volume", "/:/host:ro"]),
    ("/preopens", &["--dir", "/::/host::ro"]),
    ("/stdio/stdin", &["--stdin", "null"]),
    ("/stdio/stdout", &["--stdout", "out.txt"]),
    ("/stdio/stderr", &["--stderr", "null"]),
    ("/network/allow", &["--net", "connect=example.com:443"]),
    ("/clock", &["--clock", "1700000000"]),
    ("/random", &["--random", "7"]),
    ("/limits/memory_bytes", &["--memory", "64m"]),
    ("/limits/table_elements", &["--table-elements", "1000"]),
    ("/limits/call_depth", &["--call-depth", "1000"]),
    ("/limits/fuel", &["--fuel", "1000000"]),
    ("/limits/cpu_time", &["--cpu-time", "10s"]),
    ("/limits/wall_time", &["--timeout", "10s"]),
    ("/limits/output_bytes", &["--output-limit", "1m"]),
    ("/limits/open_files", &["--max-files", "10"]),
    ("/network/publish", &["--publish", "8080:80"]),
    ("/network/publish", &["--listen", "127.0.0.1:8080"]),
    ("/limits/open_sockets", &["--max-sockets", "10"]),
    ("/limits/listen_backlog", &["--backlog", "10"]),
    ("/limits/received_bytes", &["--receive-limit", "1m"]),
    ("/limits/sent_bytes", &["--send-limit", "1m"]),
    ("/limits/written_bytes", &["--write-limit", "1m"]),
    ("/limits/module_bytes", &["--max-module-size", "1m"]),
    ("/limits/compile_time", &["--compile-timeout", "10s"]),
];

/// Every place in a spec that a flag has to reach: the leaves of its own objects, down to the fields of `stdio` and the like.
fn places() -> Vec<String> {
    let mut places = Vec::new();
    let spec = serde_json::to_value(RunSpec::default()).unwrap();
    for (name, value) in spec.as_object().unwrap() {
        match value {
            Value::Object(fields) if name != "limits" => {
                places.extend(fields.keys().map(|field| format!("/{name}/{field}")))
            }
            _ if name == "limits" => {}
            _ => places.push(format!("/{name}")),
        }
    }
    places.extend(Limits::NAMES.iter().map(|name| format!("/limits/{name}")));
    places
}

#[test]
fn every_field_of_a_spec_has_a_flag() {
    let places = places();
    for place in &places {
        assert!(FLAGS.iter().any(|(flagged, _)| flagged == place), "{place} has no flag");
    }
    for (place, _) in FLAGS {
        assert!(places.iter().any(|known| known == place), "{place} is no field of a spec");
    }
}

#[test]
fn a_flag_changes_its_field_and_nothing_else() {
    let plain = serde_json::to_value(spec_of(&["app.wasm"])).unwrap();
    for (place, flag) in FLAGS {
        let words: Vec<&str> = flag.iter().copied().chain(["app.wasm"]).collect();
        let mut typed = serde_json::to_value(spec_of(&words)).unwrap();
        let mut without = plain.clone();
        assert_ne!(typed.pointer(place), without.pointer(place), "{flag:?} does not change {place}");
        for spec in [&mut typed, &mut without] {
            let (parent, field) = place.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[field] = json!(null);
        }
        assert_eq!(typed, without, "{flag:?} changes more than {place}");
    }
}

#[test]
fn help_tells_the_defaults_that_hold() {
    let defaults = Limits::default();
    let command = whole_command();
    let expected = [
        ("memory", defaults.memory_bytes.to_string()),
        ("table_elements", defaults.table_elements.to_string()),
        ("call_depth", defaults.call_depth.to_string()),
        ("fuel", defaults.fuel.to_string()),
        ("max_module_size", defaults.module_bytes.to_string()),
        ("compile_timeout", defaults.compile_time.to_string()),
        ("timeout", defaults.wall_time.to_string()),
        ("cpu_time", defaults.cpu_time.to_string()),
        ("output_limit", defaults.output_bytes.to_string()),
        ("write_limit", defaults.written_bytes.to_string()),
        ("max_files", defaults.open_files.to_string()),
        ("max_sockets", defaults.open_sockets.to_string()),
        ("backlog", defaults.listen_backlog.to_string()),
        ("receive_limit", defaults.received_bytes.to_string()),
        ("send_limit", defaults.sent_bytes.to_string()),
    ];
    assert_eq!(expected.len(), Limits::NAMES.len());
    for (id, default) in expected {
        let argument = command.get_arguments().find(|argument| argument.get_id() == id).unwrap();
        let help = argument.get_long_help().unwrap().to_string();
        assert!(help.contains(&format!("Default: {default}")), "--{id}: {help}");
    }
}

#[test]
fn help_begins_with_a_line_that_fits() {
    for command in std::iter::once(whole_command()).chain(whole_command().get_subcommands().cloned()) {
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && help.len() <= 100, "{} {}: '{help}'", command.get_name(), argument.get_id());
        }
    }
}
