//! Examples and test programs, compiled as C and as C++, against the shared and the static library, by themselves and under valgrind.

use crate::build::{Language, Linked, Workshop, checked, output, package, read, run, text};
use crate::header;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const ADD: &str =
    r#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;
const ENDLESS: &str = r#"(module (func (export "_start") (loop (br 0))))"#;

fn example(name: &str) -> PathBuf {
    package().join("examples").join(name)
}

fn test_program(name: &str) -> PathBuf {
    package().join("tests/programs").join(name)
}

fn wat(name: &str) -> String {
    read(&test_program(name))
}

#[test]
fn every_example_compiles_as_c_and_as_cxx() {
    let workshop = Workshop::new();
    let mut sources = 0;
    for entry in std::fs::read_dir(package().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "c") {
            workshop.compile(&path, Language::C11, Linked::Shared);
            workshop.compile(&path, Language::Cxx17, Linked::Shared);
            sources += 1;
        }
    }
    assert!(sources >= 5);
}

#[test]
fn call_adds_in_both_languages_and_from_the_static_library() {
    let workshop = Workshop::new();
    let module = workshop.module("add.wasm", ADD);
    for (language, linked) in
        [(Language::C11, Linked::Shared), (Language::Cxx17, Linked::Shared), (Language::C11, Linked::Static)]
    {
        let program = workshop.compile(&example("call.c"), language, linked);
        assert_eq!(output(Command::new(&program).arg(&module).args(["40", "2"]), 0), "42\n");
        output(Command::new(&program).arg("/nowhere.wasm").args(["40", "2"]), 127);
    }
}

#[test]
fn call_is_clean_under_valgrind() {
    let workshop = Workshop::new();
    let module = workshop.module("add.wasm", ADD);
    let program = workshop.compile(&example("call.c"), Language::C11, Linked::Shared);
    assert_eq!(output(checked(&program).arg(&module).args(["40", "2"]), 0), "42\n");
}

#[test]
fn untrusted_tells_how_it_ended() {
    let workshop = Workshop::new();
    let program = workshop.compile(&example("untrusted.c"), Language::C11, Linked::Shared);
    // The guest is called with nothing that says what to do, so its memory decides: it returns.
    let module = workshop.module("endless.wasm", ENDLESS);
    let ended = run(checked(&program).arg(&module));
    assert_eq!(ended.status.code(), Some(152), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("fuel 1000000"), "{}", text(&ended.stderr));
    let trap = workshop.module("trap.wasm", r#"(module (func (export "_start") (unreachable)))"#);
    let ended = run(checked(&program).arg(&trap));
    assert_eq!(ended.status.code(), Some(134), "{}", text(&ended.stderr));
}

#[test]
fn stream_passes_on_both_ways() {
    let workshop = Workshop::new();
    let program = workshop.compile(&example("stream.c"), Language::C11, Linked::Shared);
    let echo = wat("ends.wat").replace("(i32.load16_u (i32.load (i32.const 4)))", "(i32.const 0x6365)");
    let module = workshop.module("echo.wasm", &echo);
    let input = workshop.path("input");
    let text = "a line\n".repeat(20_000);
    std::fs::write(&input, &text).unwrap();
    let opened = || Stdio::from(std::fs::File::open(&input).unwrap());
    assert!(
        output(Command::new(&program).arg(&module).stdin(opened()), 0) == text,
        "what came back is not what went in"
    );
    std::fs::write(&input, "short\n").unwrap();
    assert_eq!(output(checked(&program).arg(&module).stdin(opened()), 0), "short\n");
}

#[test]
fn cancel_ends_guests_from_another_thread() {
    let workshop = Workshop::new();
    let module = workshop.module("endless.wasm", ENDLESS);
    let program = workshop.compile(&example("cancel.c"), Language::C11, Linked::Shared);
    assert_eq!(output(Command::new(&program).arg(&module), 0), "run: cancelled\ncall: cancelled\n");
    assert_eq!(output(checked(&program).arg(&module), 0), "run: cancelled\ncall: cancelled\n");
}

#[test]
fn host_functions_memory_and_limits() {
    let workshop = Workshop::new();
    let module = workshop.module("host.wasm", &wat("host.wat"));
    for language in [Language::C11, Language::Cxx17] {
        let program = workshop.compile(&test_program("host.c"), language, Linked::Shared);
        for engine in engines() {
            assert_eq!(output(Command::new(&program).arg(&module).arg(engine), 0), "well\n", "{engine}");
        }
    }
    let program = workshop.compile(&test_program("host.c"), Language::C11, Linked::Shared);
    assert_eq!(output(checked(&program).arg(&module).arg("wasmtime"), 0), "well\n");
}

#[test]
fn a_policy_answers_and_what_it_reports_arrives_as_it_is() {
    let workshop = Workshop::new();
    let policy = workshop.module("policy.wasm", &wat("policy.wat"));
    let program = workshop.compile(&example("opa.c"), Language::C11, Linked::Shared);
    let ask = |command: &mut Command, input: &str| run(command.arg(&policy).arg(input).arg(r#"{"roles": {}}"#));
    let allowed = ask(&mut checked(&program), r#"{"user":"admin"}"#);
    assert_eq!(
        (allowed.status.code(), text(&allowed.stdout).as_str()),
        (Some(0), "[{\"result\":true}]\n"),
        "{allowed:?}"
    );
    assert_eq!(text(&allowed.stderr), "policy: somebody asked\n");
    let refused = ask(&mut Command::new(&program), r#"{"user":"guest"}"#);
    assert_eq!(text(&refused.stdout), "[{\"result\":false}]\n");
    // An input that is larger than the memory that the policy starts with.
    let long = format!(r#"{{"user":"admin","text":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(text(&ask(&mut Command::new(&program), &long).stdout), "[{\"result\":true}]\n");
    let said = |input: &str| {
        let ended = ask(&mut Command::new(&program), input);
        assert_eq!(ended.status.code(), Some(1));
        text(&ended.stderr)
    };
    assert!(said(r#"{"user":"crash"}"#).contains("invalid-module: conflicting rules; the policy itself gave up"));
    assert!(said(r#"{"user":"fetch"}"#).contains("built-in function 17"));
    assert!(said(r#"{"user":"loops"}"#).contains("the policy ended: out of fuel"));
}

/// Those that a machine must have are named by WASMRT_REQUIRE; wasmtime is in the library.
fn engines() -> Vec<&'static str> {
    let workshop = Workshop::new();
    let module = workshop.module("add.wasm", ADD);
    let program = workshop.compile(&test_program("engines.c"), Language::C11, Linked::Shared);
    let there = output(Command::new(program).arg(module), 0);
    let engines: Vec<&'static str> =
        ["wasmtime", "wasmedge"].into_iter().filter(|name| there.lines().any(|line| line == *name)).collect();
    let required = std::env::var("WASMRT_REQUIRE").unwrap_or_else(|_| "wasmtime".to_owned());
    for name in ["wasmtime", "wasmedge"] {
        assert!(!required.split(',').any(|required| required == name) || engines.contains(&name), "{name} is required");
    }
    engines
}

#[test]
fn runs_end_wait_stream_and_are_many() {
    let workshop = Workshop::new();
    let ends = workshop.module("ends.wasm", &wat("ends.wat"));
    let endless = workshop.module("endless.wasm", ENDLESS);
    for language in [Language::C11, Language::Cxx17] {
        let program = workshop.compile(&test_program("runs.c"), language, Linked::Shared);
        assert_eq!(output(Command::new(&program).arg(&ends).arg(&endless), 0), "well\n");
    }
    let program = workshop.compile(&test_program("runs.c"), Language::C11, Linked::Shared);
    assert_eq!(output(checked(&program).arg(&ends).arg(&endless), 0), "well\n");
}

/// A program that calls every function of the header with NULL and zero for everything, once with a place for errors and once without.
#[test]
fn every_function_takes_null() {
    let workshop = Workshop::new();
    let source = workshop.path("nulls.c");
    let functions = header::functions();
    assert!(functions.len() > 100, "{}", functions.len());
    std::fs::write(&source, all_nulls(&functions)).unwrap();
    let program = workshop.compile(&source, Language::C11, Linked::Shared);
    assert_eq!(output(checked(&program).args(["x"; 0]), 0), "well\n");
}

fn all_nulls(functions: &[String]) -> String {
    let declarations: BTreeMap<String, String> = declarations();
    // What NULL is fine for.
    let fine = ["wasmrt_runtime_new", "wasmrt_module_new"];
    let mut body = String::new();
    for name in functions {
        let declaration = &declarations[name];
        let (returned, params) = declaration.split_once(&format!("{name}(")).unwrap();
        let params: Vec<&str> = params.trim_end_matches(')').split(", ").filter(|param| *param != "void").collect();
        let can_fail = params.last().is_some_and(|param| param.starts_with("wasmrt_error_t **"));
        for place in ["NULL", "&error"] {
            if place == "&error" && !can_fail {
                continue;
            }
            let args: Vec<&str> = params
                .iter()
                .enumerate()
                .map(|(index, param)| match param {
                    _ if can_fail && index + 1 == params.len() => place,
                    param if param.contains('*') || param.contains("_function_t") || param.contains("_finalizer_t") => {
                        "NULL"
                    }
                    _ => "0",
                })
                .collect();
            let call = format!("{name}({})", args.join(", "));
            let returned = returned.trim();
            let line = match returned {
                "char *" => format!("wasmrt_string_delete({call});"),
                handle if handle.starts_with("wasmrt_") && handle.ends_with(" *") => {
                    format!("{}_delete({call});", handle.trim_end_matches("_t *"))
                }
                "void" => format!("{call};"),
                _ => format!("(void){call};"),
            };
            body.push_str(&format!("  error = (wasmrt_error_t *)&error;\n  {line}\n"));
            if place == "&error" {
                let expected = if fine.contains(&name.as_str()) { "WASMRT_OK" } else { "WASMRT_ERROR_INVALID_INPUT" };
                body.push_str(&format!("  expect({expected}, error, \"{name}\");\n"));
            }
        }
    }
    format!(
        r#"#include <stdio.h>
#include <stdlib.h>
#include <wasmrt.h>
static void expect(wasmrt_error_kind_t kind, wasmrt_error_t *error, const char *name) {{
  if (wasmrt_error_kind(error) != kind) {{
    fprintf(stderr, "%s: %s\n", name, error ? wasmrt_error_text(error) : "no error");
    exit(1);
  }}
  wasmrt_error_delete(error);
}}
int main(void) {{
  wasmrt_error_t *error;
{body}  puts("well");
  return 0;
}}
"#
    )
}

/// Each function's declaration in one line.
fn declarations() -> BTreeMap<String, String> {
    let header = header::made();
    let code: Vec<&str> = header::declarations(&header)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .collect();
    let code = code.join(" ");
    code.split(';')
        .filter_map(|declaration| {
            let declaration = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
            let (before, _) = declaration.split_once('(')?;
            let name = before.rsplit([' ', '*']).next()?.to_owned();
            name.starts_with("wasmrt_").then_some((name, declaration))
        })
        .collect()
}
