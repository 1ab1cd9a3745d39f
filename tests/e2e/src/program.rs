//! What containers of trials do: each thing as a Linux program and as WebAssembly, so that both are asked the same question.

use crate::image::{Content, Image, guest, module};
use crate::{Result, failed};

/// Something that a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Prints `hello` and ends with 0.
    Hello,
    /// Ends with this code.
    Exit(u8),
    /// Prints `ready` and waits until it is ended; takes no notice of signals.
    Wait,
    /// Computes until it is ended.
    Spin,
    /// Copies its standard input to its standard output.
    Cat,
    /// Prints its environment, a variable a line.
    Env,
    /// Prints each argument that it was given.
    Args(Vec<String>),
    /// Carries out steps with files: see [`Step`].
    Files(Vec<Step>),
    /// Takes memory of 1 MiB at a time until there is no more; ends with the number of MiB that it got, at most 250.
    Grow,
    /// Fills a file with this many MiB.
    Fill(String, u32),
    /// Ends by a trap, or what is one for a Linux program.
    Trap,
}

/// Something done with a file. Each prints a line that ends with `done`, with what was read, or with `failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Reads a file.
    Read(&'static str),
    /// Writes a file.
    Write(&'static str, &'static str),
}

impl Program {
    /// Its arguments, the program's own path first.
    #[must_use]
    pub fn argv(&self, wasm: bool) -> Vec<String> {
        if wasm { self.wasm_argv() } else { self.linux_argv() }
    }

    fn wasm_argv(&self) -> Vec<String> {
        let mut argv = vec![format!("/{}", self.path())];
        match self {
            Self::Env => argv.push("env".to_owned()),
            Self::Args(args) => {
                argv.push("args".to_owned());
                argv.extend(args.iter().cloned());
            }
            Self::Files(steps) => argv.extend(steps.iter().map(|step| match step {
                Step::Read(path) => format!("read:{path}"),
                Step::Write(path, text) => format!("write:{path}:{text}"),
            })),
            Self::Fill(path, mebibytes) => argv.push(format!("fill:{path}:{}", u64::from(*mebibytes) << 20)),
            _ => {}
        }
        argv
    }

    fn linux_argv(&self) -> Vec<String> {
        let script = match self {
            Self::Hello => "echo hello".to_owned(),
            Self::Exit(code) => format!("exit {code}"),
            Self::Wait => "echo ready; while :; do sleep 1; done".to_owned(),
            Self::Spin => "while :; do :; done".to_owned(),
            Self::Cat => "exec cat".to_owned(),
            Self::Env => "exec env".to_owned(),
            Self::Args(args) => {
                let mut argv: Vec<_> = ["/bin/busybox", "sh", "-c", "for arg; do echo \"arg: $arg\"; done", "sh"]
                    .map(str::to_owned)
                    .into();
                argv.extend(args.iter().cloned());
                return argv;
            }
            Self::Files(steps) => steps.iter().map(Step::script).collect::<Vec<_>>().join("\n"),
            Self::Grow => "exec tail /dev/zero".to_owned(),
            Self::Fill(path, mebibytes) => format!("exec dd if=/dev/zero of={path} bs=1M count={mebibytes}"),
            Self::Trap => "kill -ABRT $$".to_owned(),
        };
        ["/bin/busybox", "sh", "-c", &script].map(str::to_owned).into()
    }

    /// The module's path in the image, without a leading `/`.
    fn path(&self) -> String {
        let name = match self {
            Self::Hello => "hello",
            Self::Exit(code) => return format!("app/exit{code}.wasm"),
            Self::Wait => "wait",
            Self::Spin => "spin",
            Self::Cat => "cat",
            Self::Env | Self::Args(_) => "print",
            Self::Files(_) | Self::Fill(..) => "files",
            Self::Grow => "grow",
            Self::Trap => "trap",
        };
        format!("app/{name}.wasm")
    }

    /// The module.
    ///
    /// # Errors
    /// When a guest is not built.
    pub fn module(&self) -> Result<Vec<u8>> {
        match self {
            Self::Hello => module(HELLO),
            Self::Exit(code) => module(&EXIT.replace("CODE", &code.to_string())),
            Self::Wait => module(WAIT),
            Self::Spin => module(r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#),
            Self::Cat => guest("rust/cat"),
            Self::Env | Self::Args(_) => guest("rust/print"),
            Self::Files(_) | Self::Fill(..) => guest("rust/files"),
            Self::Grow => module(GROW),
            Self::Trap => module(TRAP),
        }
    }

    /// Adds what it needs to an image.
    ///
    /// # Errors
    /// When a guest is not built.
    pub fn add_to(&self, image: Image, wasm: bool) -> Result<Image> {
        if wasm { Ok(image.with_program(&self.path(), self.module()?)) } else { with_busybox(image) }
    }
}

/// Adds busybox and the names by which scripts call it.
///
/// # Errors
/// When it is not installed.
pub fn with_busybox(image: Image) -> Result<Image> {
    let busybox = std::fs::read("/bin/busybox").map_err(failed("/bin/busybox"))?;
    let image = image.with_program("bin/busybox", busybox).with("tmp", Content::Directory);
    let names = ["cat", "dd", "echo", "env", "id", "ls", "ps", "sh", "sleep", "stty", "tail", "true", "hostname"];
    Ok(names.iter().fold(image, |image, name| image.with(&format!("bin/{name}"), Content::Link("busybox".to_owned()))))
}

impl Step {
    fn script(&self) -> String {
        match self {
            Self::Read(path) => format!("echo \"read:{path} -> $(cat {path} 2>/dev/null || echo failed)\""),
            Self::Write(path, text) => {
                format!(
                    "echo \"write:{path}:{text} -> $( (printf %s '{text}' > {path}) 2>/dev/null && echo 'done' || echo failed)\""
                )
            }
        }
    }
}

const HELLO: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func (export "_start") (export "greet") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"#;

const EXIT: &str = r#"
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const CODE))))
"#;

/// Says that it is there and sleeps: a subscription to a clock, an hour at a time.
const WAIT: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "ready\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 3600000000000))
    (loop (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192))) (br 0))))
"#;

/// Touches what it gets, so that it is really there.
const GROW: &str = r#"
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $count i32) (local $before i32)
    (block $over
      (loop $more
        (local.set $before (memory.grow (i32.const 16)))
        (br_if $over (i32.eq (local.get $before) (i32.const -1)))
        (memory.fill (i32.mul (local.get $before) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $count) (i32.const 250)))))
    (call $exit (local.get $count))))
"#;

const TRAP: &str = r#"
(module
  (memory (export "memory") 1)
  (func $innermost unreachable)
  (func $outer (call $innermost))
  (func (export "_start") (call $outer)))
"#;
