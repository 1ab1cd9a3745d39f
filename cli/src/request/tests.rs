//! How a spec file and flags come together, and what is refused.

use super::*;
use std::io::Write;
use wasmrt_model::units::Bytes;
use wasmrt_model::{EngineChoice, EngineName, Limit};

fn args(words: &[&str]) -> RunArgs {
    match crate::args::parse(std::iter::once("wasm-run").chain(words.iter().copied()).map(Into::into)) {
        Ok(crate::args::Command::Run(args)) => *args,
        other => panic!("{words:?} is {other:?}"),
    }
}

fn request(words: &[&str]) -> Result<RunRequest> {
    RunRequest::new(&args(words))
}

fn file(content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

#[test]
fn flags_win_over_a_spec() {
    let spec = file(
        r#"{"engine": "wasmedge", "args": ["name", "a", "b"], "env": {"set": {"A": "1", "B": "1"}, "inherit": ["C"]},
            "limits": {"memory_bytes": "64m", "fuel": 5}, "stdio": {"stdin": "null"}}"#,
    );
    let path = spec.path().to_str().unwrap();
    let untouched = request(&["--spec", path, "x.wasm"]).unwrap().spec;
    assert_eq!(untouched, read_spec(spec.path()).unwrap());

    let words =
        ["--spec", path, "--engine", "wasmtime", "-m", "1m", "-e", "A=2", "-e", "C=2", "-e", "B", "x.wasm", "c"];
    let merged = request(&words).unwrap().spec;
    assert_eq!(merged.engine, EngineChoice::Named(EngineName::Wasmtime));
    assert_eq!(merged.limits.memory_bytes, Some(Limit::At(Bytes::mebi(1))));
    assert_eq!(merged.limits.fuel, untouched.limits.fuel);
    assert_eq!(merged.stdio, untouched.stdio);
    assert_eq!(merged.args, ["name", "c"]);
    assert_eq!(
        merged.env.set.into_iter().collect::<Vec<_>>(),
        [("A", "2"), ("C", "2")].map(|(n, v)| (n.into(), v.into()))
    );
    assert_eq!(merged.env.inherit, ["B"]);
}

#[test]
fn arguments_go_to_an_invoked_export() {
    let spec = file(r#"{"entry": {"invoke": {"name": "f", "args": ["1"]}}}"#);
    let path = spec.path().to_str().unwrap();
    let entry = |words: &[&str]| request(words).unwrap().spec.entry;
    let invoke = |name: &str, args: &[&str]| Entry::Invoke {
        name: name.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    };
    assert_eq!(entry(&["--spec", path, "x"]), invoke("f", &["1"]));
    assert_eq!(entry(&["--spec", path, "x", "2"]), invoke("f", &["2"]));
    assert_eq!(entry(&["--invoke", "g", "x", "2", "3"]), invoke("g", &["2", "3"]));
}

#[test]
fn variables_of_a_file_come_before_those_of_flags() {
    let variables = file("A=file\nB=file\nC\n");
    let path = variables.path().to_str().unwrap();
    let env = request(&["-e", "A=flag", "--env-file", path, "-e", "C=flag", "x"]).unwrap().spec.env;
    let set: Vec<_> = env.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(set, [("A", "flag"), ("B", "file"), ("C", "flag")]);
    assert!(env.inherit.is_empty());
}

#[test]
fn a_module_from_stdin_leaves_the_guest_none() {
    assert_eq!(request(&["-"]).unwrap().spec.stdio.stdin, Input::Null);
    assert_eq!(request(&["--stdin", "f", "-"]).unwrap().spec.stdio.stdin, Input::File("f".into()));
    assert_eq!(request(&["--stdin", "inherit", "-"]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(request(&["./-"]).unwrap().spec.stdio.stdin, Input::Inherit);
}

#[test]
fn what_cannot_be_passed_on_is_refused() {
    let piped = file(r#"{"stdio": {"stdout": "piped"}}"#);
    let captured = file(r#"{"stdio": {"stdout": {"capture": {}}}}"#);
    let [piped, captured] = [&piped, &captured].map(|file| file.path().to_str().unwrap());
    for (words, kind) in [
        (&["--cpus", "2", "x"][..], ErrorKind::Unsupported),
        (&["--spec", piped, "x"], ErrorKind::InvalidInput),
        (&["--spec", captured, "x"], ErrorKind::InvalidInput),
        (&["--spec", "/nowhere/spec.json", "x"], ErrorKind::NotFound),
        (&["--env-file", "/nowhere/env", "x"], ErrorKind::NotFound),
        (&["-v", "/nowhere/data:/data", "x"], ErrorKind::NotFound),
    ] {
        let error = request(words).unwrap_err();
        assert_eq!(error.kind(), kind, "{words:?}");
        assert!(error.hint().is_some() || kind == ErrorKind::NotFound, "{words:?} leaves the reader alone");
    }
    assert!(request(&["--spec", piped, "--stdout", "null", "x"]).is_ok());
    assert!(request(&["--spec", captured, "--report", "json", "x"]).is_ok());
}

#[test]
fn a_wrong_spec_is_told_with_its_place() {
    let spec = file("{\"limits\": {\n \"memory\": 1}}");
    let error = read_spec(spec.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let mut typed = args(&["x", "y"]);
    typed.module_and_args[1] = std::ffi::OsStr::from_bytes(b"\xff").to_owned();
    assert_eq!(RunRequest::new(&typed).unwrap_err().kind(), ErrorKind::InvalidInput);
}
