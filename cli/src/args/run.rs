//! The options of `run`, in docker's and wasmtime's words.

use super::limits::{CodeLimitArgs, RunLimitArgs};
use super::values::{self, Published, ReportTarget, Variable};
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use wasmrt_model::network::NetworkRule;
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::{AotPolicy, Clock, EngineChoice, IsolationLevel, Preopen, Random};

/// `run`, as it was typed.
#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    #[command(flatten)]
    pub(crate) code_limits: CodeLimitArgs,
    #[command(flatten)]
    pub(crate) run_limits: RunLimitArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) words: WordsArgs,
    /// The module to run, then the guest's own arguments
    ///
    /// The module to run: a file in the binary or the text format, or - for standard input. All that follows is handed to the
    /// guest, also what begins with a dash. The guest sees the module's file name, without directories, as its own name.
    #[arg(value_name = "MODULE", required = true, trailing_var_arg = true, num_args = 1.., help_heading = None,
          value_hint = ValueHint::FilePath)]
    pub(crate) module_and_args: Vec<OsString>,
}

/// What is called, and what it sees of the world.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Program")]
pub(crate) struct ProgramArgs {
    /// Call this export instead of _start, and print its results
    ///
    /// Call this export instead of _start. What follows MODULE are its arguments then, one for each parameter, and its results
    /// are printed one to a line.
    #[arg(long, value_name = "EXPORT")]
    pub(crate) invoke: Option<String>,
    /// The guest's name for itself, its argv[0]
    #[arg(long, value_name = "NAME", alias = "argv0")]
    pub(crate) arg0: Option<String>,
    /// The time that the guest sees: real, or seconds since 1970
    ///
    /// The time that the guest sees: 'real', or seconds since 1970. A fixed clock starts there and each reading moves it on by a
    /// microsecond, so that runs can be repeated.
    #[arg(long, value_name = "real|SECONDS", value_parser = values::clock)]
    pub(crate) clock: Option<Clock>,
    /// The randomness that the guest sees: real, or a seed
    ///
    /// The randomness that the guest sees: 'real', or a number to make it from. The same number gives the same bytes on every
    /// machine and engine. Not fit for keys.
    #[arg(long, value_name = "real|SEED", value_parser = values::random)]
    pub(crate) random: Option<Random>,
    /// Take the whole run from a JSON file; flags beside it win
    ///
    /// Take the run from a JSON file, whose form `wasm-run schema` prints. Flags beside it win: they replace single values, and add
    /// to volumes, variables and network rules.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: Option<PathBuf>,
}

/// What the guest is given.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What the guest is given")]
pub(crate) struct GrantArgs {
    /// Give a file or directory: HOST:GUEST, with :ro for reading only
    #[arg(short, long = "volume", value_name = "HOST:GUEST[:ro|rw]")]
    pub(crate) volumes: Vec<Preopen>,
    /// Give a directory, in wasmtime's form
    ///
    /// Give a file or directory: HOST is found under its own name, HOST::GUEST under another one, HOST::GUEST::ro for reading only.
    #[arg(long = "dir", value_name = "HOST[::GUEST[::ro|rw]]", value_parser = values::directory)]
    pub(crate) directories: Vec<Preopen>,
    /// Set an environment variable, or pass on one of the host's
    ///
    /// Set an environment variable of the guest. NAME alone passes on the host's value, when the host has one. Nothing else of the
    /// host's environment reaches the guest.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<Variable>,
    /// Set environment variables from a file, one to a line
    ///
    /// Set environment variables from a file: NAME=VALUE or NAME on a line, '#' begins a comment line, quotes have no meaning. What
    /// --env says wins.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Vec<PathBuf>,
    /// Standard input: inherit, null or a file
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::input(), value_hint = ValueHint::FilePath)]
    pub(crate) stdin: Option<Input>,
    /// Standard output: inherit, null or a file that is created or emptied
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::output(), value_hint = ValueHint::FilePath)]
    pub(crate) stdout: Option<Output>,
    /// Standard error: inherit, null or a file that is created or emptied
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::output(), value_hint = ValueHint::FilePath)]
    pub(crate) stderr: Option<Output>,
    /// Allow something on the network: connect=HOST:PORT, listen=ADDRESS:PORT or resolve=NAME
    ///
    /// Allow something on the network, which is closed otherwise: connect=HOST[:PORT|:FIRST-LAST], connect=ADDRESS/PREFIX[:PORTS],
    /// listen=ADDRESS:PORT or resolve=NAME.
    #[arg(long, value_name = "RULE")]
    pub(crate) net: Vec<NetworkRule>,
    /// Publish a port of the guest (not available: refused)
    ///
    /// Publish a port of the guest, as docker does. There is no such forwarding in this version, so it is refused.
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]GUEST[/PROTOCOL]")]
    pub(crate) publish: Vec<Published>,
}

/// What executes the guest.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// The engine: auto, wasmedge, wasmtime or wasmer
    ///
    /// The engine that runs the module. 'auto' takes WasmEdge when it is there and has what the module needs, else wasmtime.
    #[arg(long, value_name = "NAME", value_parser = values::engine(), hide_possible_values = true)]
    pub(crate) engine: Option<EngineChoice>,
    /// What stands between guest and host: process or in-process
    ///
    /// What stands between the guest and the host: 'process' (the default), a process of its own that holds nothing else, or
    /// 'in-process', which is for programs that embed the engine and refused where it is not to be had.
    #[arg(long, value_name = "LEVEL", value_parser = values::isolation(), hide_possible_values = true)]
    pub(crate) isolation: Option<IsolationLevel>,
    /// When to compile first: auto, always or never
    ///
    /// When to make native code before the run, on engines that also interpret: 'auto' (the default) when it is cached or quickly
    /// made, 'always', or 'never'.
    #[arg(long, value_name = "WHEN", value_parser = values::aot(), hide_possible_values = true)]
    pub(crate) aot: Option<AotPolicy>,
    /// How much to optimise when compiling, 0 to 3
    #[arg(short = 'O', long, value_name = "LEVEL", value_parser = values::optimize(), hide_possible_values = true)]
    pub(crate) optimize: Option<u8>,
    /// Keep nothing of what is compiled, and use nothing that was kept
    #[arg(long, conflicts_with = "cache_dir")]
    pub(crate) no_cache: bool,
    /// Keep what is compiled in DIR
    ///
    /// Keep what is compiled in DIR, a directory of your own. Without it: $WASMRT_CACHE_DIR, else wasmrt/artifacts in your cache
    /// directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// What is told about the run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct WordsArgs {
    /// Report how the run went, as JSON: to a file, or with 'json' to stderr
    ///
    /// Report how the run went, as JSON: ending, exit code, time, memory and more. 'json' writes one line to stderr at the end,
    /// anything else is a file, which is replaced at once. Where a run cannot start, the report says why.
    #[arg(long, value_name = "json|FILE", value_parser = values::report(), value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<ReportTarget>,
    /// No notes and no progress; errors and traps are still told
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
