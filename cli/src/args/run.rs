//! The options of `run`, in docker's and wasmtime's words.

use super::limits::{CodeLimitArgs, RunLimitArgs};
use super::values::{self, ReportTarget};
use super::world::WorldArgs;
use crate::help;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use wasmrt_model::network::Published;
use wasmrt_model::stdio::Input;
use wasmrt_model::{AotPolicy, Clock, EngineChoice, IsolationLevel, Random};

/// Run a module; `run` can be left out
///
/// Runs a module to its end. Options come before MODULE; all that follows it belongs to the guest, also what begins with a dash.
#[derive(Debug, Default, Args)]
#[command(override_usage = help::RUN_USAGE, after_long_help = help::epilogue(), args_override_self = true)]
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
    /// A file in the binary or the text format, or - for standard input. All that follows it is handed to the guest, also what
    /// begins with a dash. The guest sees the file's name, without directories, as its own name.
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
    /// What follows MODULE are its arguments then, one for each parameter. Results are printed one to a line.
    #[arg(long, value_name = "EXPORT")]
    pub(crate) invoke: Option<String>,
    /// The guest's name for itself, its argv[0]
    #[arg(long, value_name = "NAME", alias = "argv0")]
    pub(crate) arg0: Option<String>,
    /// The time that the guest sees: real, or seconds since 1970
    ///
    /// A fixed clock starts there, and each reading moves it on by a microsecond, so that runs can be repeated.
    #[arg(long, value_name = "real|SECONDS", value_parser = values::clock)]
    pub(crate) clock: Option<Clock>,
    /// The randomness that the guest sees: real, or a seed
    ///
    /// The same seed, a whole number, gives the same bytes on every machine and engine. They are not fit for keys.
    #[arg(long, value_name = "real|SEED", value_parser = values::random)]
    pub(crate) random: Option<Random>,
    /// Take the whole run from a JSON file; flags beside it win
    ///
    /// `wasm-run schema` prints the form of the file. Flags replace its single values, and add to its volumes, variables and
    /// network rules.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: Option<PathBuf>,
}

/// What the guest is given.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What the guest is given")]
pub(crate) struct GrantArgs {
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    /// Standard input: inherit, null or a file
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::input(), value_hint = ValueHint::FilePath)]
    pub(crate) stdin: Option<Input>,
    /// Publish a port of the guest on this machine: HOST:GUEST
    ///
    /// The port is bound before the guest starts. It gets the socket when it binds GUEST, and finds it from descriptor 3 on, as many as
    /// LISTEN_FDS says. GUEST alone is published on a port that the system chooses. /udp is for datagrams.
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]GUEST[/PROTOCOL]")]
    pub(crate) publish: Vec<Published>,
    /// Give the guest a listener: ADDRESS:PORT, or fd:// for sockets from systemd
    ///
    /// The same as --publish with the same port on both sides.
    #[arg(long, value_name = "ADDRESS:PORT|fd://", value_parser = values::listener)]
    pub(crate) listen: Vec<Published>,
}

/// What executes the guest.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// The engine: auto, wasmedge, wasmtime or wasmer
    ///
    /// 'auto', the default, takes WasmEdge when it is there and has what the module needs, else wasmtime, else wasmer.
    #[arg(long, value_name = "NAME", value_parser = values::engine(), hide_possible_values = true)]
    pub(crate) engine: Option<EngineChoice>,
    /// What stands between guest and host: process or in-process
    ///
    /// 'process', the default, is a process of its own that holds nothing else. 'in-process' is for programs that embed an engine,
    /// and refused where it is not to be had.
    #[arg(long, value_name = "LEVEL", value_parser = values::isolation(), hide_possible_values = true)]
    pub(crate) isolation: Option<IsolationLevel>,
    /// Refuse to run where the kernel has no Landlock or no seccomp
    ///
    /// Both confine the guest's process to what it was given, whatever its engine does. Without this
    /// flag what the kernel has is used, and the report says what that was.
    #[arg(long)]
    pub(crate) require_os_sandbox: bool,
    /// When to compile first: auto, always, cached (only what was compiled before) or never
    ///
    /// On engines that also interpret, 'auto', the default, takes native code when it is cached or quickly made; 'always' waits for
    /// it, and 'never' interprets.
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
    /// It has to be a directory of your own. Without this flag it is $WASMRT_CACHE_DIR, else wasmrt/artifacts in your cache directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// What is told about the run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct WordsArgs {
    /// Report how the run went, as JSON: to a file, or with 'json' to stderr
    ///
    /// It has ending, exit code, time, memory and more, or why nothing ran. 'json' is one line on stderr at the end; a file is
    /// replaced in one step.
    #[arg(long, value_name = "json|FILE", value_parser = values::report(), value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<ReportTarget>,
    /// No notes and no progress; errors and traps are still told
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
