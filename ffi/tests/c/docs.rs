//! The code of docs/c.md compiles, runs, and prints what the page says.

use crate::build::{Language, Linked, Workshop, output, package, read};
use std::process::Command;

/// For all but host functions.
const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 512) (i32.const 1024))
    (i32.store (i32.const 516) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 520))))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

/// For host functions.
const NAMES: &str = r#"(module
  (import "env" "length" (func $length (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "four")
  (data (i32.const 64) "more letters than there is room for")
  (func (export "short") (result i32) (call $length (i32.const 16)))
  (func (export "long") (result i32) (call $length (i32.const 64))))"#;

/// A piece of code of the page, and what it prints.
struct Block {
    line: usize,
    code: String,
    printed: String,
}

fn blocks() -> Vec<Block> {
    let page = read(&package().join("../docs/c.md"));
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<&str> = None;
    for (number, line) in page.lines().enumerate() {
        match (open, line.strip_prefix("```")) {
            (None, Some("c")) => {
                blocks.push(Block { line: number + 1, code: String::new(), printed: String::new() });
                open = Some("c");
            }
            (None, Some(other)) => open = Some(if other == "text" { "text" } else { "other" }),
            (Some(_), Some("")) => open = None,
            (Some(kind), _) => {
                let block = blocks.last_mut().expect("what is printed stands behind the code");
                let place = if kind == "c" { &mut block.code } else { &mut block.printed };
                place.push_str(line);
                place.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A program of its own, or one around a piece of code.
fn program(code: &str) -> String {
    if code.contains("int main") {
        return code.to_owned();
    }
    format!(
        r"#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wasmrt.h>
int main(int argc, char **argv) {{
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = wasmrt_module_from_file(argv[argc - 1], &error);
  wasmrt_spec_t *spec = wasmrt_spec_new();
{code}
  fflush(stdout);
  wasmrt_spec_delete(spec);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  if (error != NULL) fprintf(stderr, '%s', wasmrt_error_text(error));
  return error != NULL;
}}
"
    )
    .replace("'%s'", "\"%s\\n\"")
}

#[test]
fn the_page_does_what_it_says() {
    let blocks = blocks();
    assert!(blocks.len() >= 8);
    for Block { line, code, printed } in blocks {
        let workshop = Workshop::new();
        let module = workshop.module("module.wasm", if code.contains("wasmrt_imports") { NAMES } else { HELLO });
        let source = workshop.path("block.c");
        std::fs::write(&source, program(&code)).unwrap();
        let compiled = workshop.compile(&source, Language::C11, Linked::Shared);
        let out = output(Command::new(compiled).arg(module), 0);
        let out = if code.contains("puts(outcome") { out.replacen("hello\n", "", 1) } else { out };
        assert_eq!(out, printed, "docs/c.md, line {line}");
    }
}

#[test]
fn the_first_program_is_short() {
    let first = blocks().into_iter().next().unwrap();
    let body = first.code.lines().filter(|line| !line.starts_with('#')).count();
    assert!(body < 10, "{body} lines");
}
