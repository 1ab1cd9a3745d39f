//! Standard streams and terminals.

use wasmrt_e2e::Result;
use wasmrt_e2e::image::module;
use wasmrt_e2e::machine::{Container, Machine};
use wasmrt_e2e::program::Program;
use wasmrt_e2e::terminal::Terminal;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "streams::input_to_its_end", runtimes: ALL, ask: input_to_its_end },
    Question { name: "streams::conversation", runtimes: ALL, ask: conversation },
    Question { name: "streams::much", runtimes: ALL, ask: much },
    Question { name: "streams::terminal", runtimes: ALL, ask: terminal },
    Question { name: "streams::nobody_reads", runtimes: WASM, ask: nobody_reads },
    Question { name: "streams::nobody_looks", runtimes: WASM, ask: nobody_looks },
];

/// Fills its standard error, which is a terminal's too, and waits for room.
const FLOOD: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\00\00\01\00")
  (func (export "_start") (loop (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))
"#;

fn input_to_its_end(machine: &Machine) -> Result<()> {
    machine.container("cat", &Program::Cat)?.feed("one\ntwo\n")?.success()?.says("one\ntwo\n").map(drop)
}

/// What is written comes back at once, not only at the end.
fn conversation(machine: &Machine) -> Result<()> {
    let mut running = wasmrt_e2e::command::Running::start(
        machine.container("cat", &Program::Cat)?.command(&["--rm"]),
        std::process::Stdio::piped(),
    )?;
    running.write("first\n")?;
    running.wait_for("first\n")?;
    running.write("second\n")?;
    running.wait_for("second\n")?;
    running.close_input();
    running.finish()?.success().map(drop)
}

fn much(machine: &Machine) -> Result<()> {
    let text = "a line of forty characters, all the same\n".repeat(100_000);
    let output = machine.container("cat", &Program::Cat)?.feed(&text)?;
    if output.code == 0 && output.stdout == text {
        return Ok(());
    }
    Err(format!(
        "exit code {}, {} of {} bytes came back\n{}",
        output.code,
        output.stdout.len(),
        text.len(),
        output.stderr
    ))
}

/// A terminal shows what is typed (its line discipline does that), and the program's answer; Ctrl-D is the end of the input.
fn terminal(machine: &Machine) -> Result<()> {
    let mut terminal = Terminal::start(machine.container("cat", &Program::Cat)?.command(&["--rm", "--tty"]), 100, 40)?;
    // Until the client has taken its own terminal over, that one would answer.
    machine.wait_for_state("cat", "RUNNING")?;
    terminal.write("typed\n")?;
    terminal.wait_for("typed\ntyped\n")?;
    terminal.write("\x04")?;
    let (code, shown) = terminal.finish()?;
    if code == 0 { Ok(()) } else { Err(format!("exit code {code}; the terminal shows {shown:?}")) }
}

/// A guest whose words nobody takes comes to its end all the same, and so do ours about that end.
fn nobody_reads(machine: &Machine) -> Result<()> {
    floods(machine, |container| container.detach())
}

fn nobody_looks(machine: &Machine) -> Result<()> {
    floods(machine, |container| {
        let terminal = Terminal::start(container.command(&["--detach", "--tty"]), 100, 40)?;
        let (code, shown) = terminal.finish()?;
        if code == 0 { Ok(()) } else { Err(format!("exit code {code}; the terminal shows {shown:?}")) }
    })
}

fn floods(machine: &Machine, start: fn(&Container<'_>) -> Result<()>) -> Result<()> {
    let flood = module(FLOOD)?;
    let image = machine.image_with(&[], |image| Ok(image.with_program("app/flood.wasm", flood)))?;
    let container = machine.container_of("floods", &image, &Program::Hello).doing(&["/app/flood.wasm"]);
    start(&container.with(&["--annotation", "wasmrt.dev/timeout=1s"]))?;
    machine.wait_for_state("floods", "STOPPED")?;
    machine.ctr(&["task", "delete", "floods"])?.success()?.complains("124")?;
    machine.ctr(&["container", "delete", "floods"])?.success().map(drop)
}
