//! What can be typed: commands, options and their forms. Nothing here opens, looks up or decides anything.
//!
//! A bare `wasm-run app.wasm` means `wasm-run run app.wasm`: only the first word is looked at, so what follows can have any name.

pub(crate) mod limits;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod values;
pub(crate) mod world;

use crate::help;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use limits::CodeLimitArgs;
use run::RunArgs;
use serve::ServeArgs;
use std::ffi::OsString;
use std::path::PathBuf;
use wasmrt_model::EngineChoice;

/// The name of the program, whatever the file is called.
const NAME: &str = "wasm-run";

/// Help is not set wider than this.
const WIDEST: usize = 110;

/// The words that are commands when they come first, but for `run`.
const COMMANDS: [&str; 10] =
    ["serve", "compile", "inspect", "engines", "doctor", "cache", "completions", "man", "schema", "help"];

/// Runs WebAssembly programs in a sandbox that is the same on every engine.
///
/// A guest gets nothing that is not named: no files, no environment variables, no network. It runs in a process of its own,
/// under limits that do not depend on the engine.
#[derive(Debug, Parser)]
#[command(name = NAME, bin_name = NAME, version, max_term_width = WIDEST, subcommand_required = true, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<RunArgs>),
    /// Answer HTTP requests with a component
    ///
    /// Answers HTTP requests with a component that exports wasi:http/incoming-handler. Each request gets a fresh instance under all
    /// limits. Ends when it gets SIGTERM or Ctrl-C, after what was under way has been answered.
    #[command(args_override_self = true)]
    Serve(Box<ServeArgs>),
    /// Compile modules to native code, for later runs
    ///
    /// Compiles modules ahead of their runs, into the artifact cache. What is made serves runs with the same engine and the same
    /// limits on memory, tables, fuel and call depth, so give the same flags here and there.
    #[command(args_override_self = true)]
    Compile(Box<CompileArgs>),
    /// Tell what a file is and which engines would run it
    Inspect(InspectArgs),
    /// List the engines and what they can do
    Engines(EnginesArgs),
    /// Check what this machine has of what wasm-run uses
    ///
    /// Checks what this machine has of what wasm-run uses, and says what to do about the rest. Ends with 0 unless something that is
    /// needed is broken.
    Doctor(DoctorArgs),
    /// Look after the cache of compiled code
    Cache(CacheArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Print the JSON schema of what --spec reads
    Schema,
}

/// `compile`.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// The engine to compile for
    #[arg(long, value_name = "NAME", value_parser = values::engine())]
    pub(crate) engine: Option<EngineChoice>,
    /// How much to optimise, 0 to 3; the engine's own default when left out
    #[arg(short = 'O', long, value_name = "LEVEL", value_parser = values::optimize())]
    pub(crate) optimize: Option<u8>,
    /// Take engine, optimisation and limits from a run spec in JSON; flags beside it win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: Option<PathBuf>,
    /// Keep what is compiled in DIR
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The modules
    #[arg(required = true, value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub(crate) modules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: CodeLimitArgs,
}

/// `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The file to look at, or - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// `engines`.
#[derive(Debug, Args)]
pub(crate) struct EnginesArgs {
    /// Name the features of each tier
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `cache`.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// The cache in DIR instead of the one that the environment names
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: CacheAction,
}

/// What is to be done with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// List what is in it, most recently used first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove everything that can be made again
    Clear,
    /// Print where it is
    Path,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = values::shell())]
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command that the page is about; the page about all of it when left out
    #[arg(value_name = "COMMAND", action = ArgAction::Append, num_args = 0..)]
    pub(crate) command: Vec<String>,
}

/// Reads the command line.
///
/// # Errors
/// Wrong usage, and the texts of `--help` and `--version`: the error says which, and where it goes.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Command, clap::Error> {
    let mut words: Vec<OsString> = words.collect();
    let command = match words.get(1).and_then(|word| word.to_str()) {
        None | Some("-h" | "--help" | "help") => whole_command().arg_required_else_help(true),
        Some("-V" | "--version") => Cli::command(),
        Some(word) if COMMANDS.contains(&word) => Cli::command(),
        word => {
            if word == Some("run") {
                words.remove(1);
            }
            return parse_run(words);
        }
    };
    let matches = command.try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches).map(|cli| cli.command)
}

/// Reads the words of a run. Making the whole tree takes longer than all else that is done before a guest starts.
fn parse_run(words: Vec<OsString>) -> Result<Command, clap::Error> {
    let command = RunArgs::augment_args(clap::Command::new(NAME)).bin_name(NAME).max_term_width(WIDEST);
    let matches = command.try_get_matches_from(words)?;
    RunArgs::from_arg_matches(&matches).map(|args| Command::Run(Box::new(args)))
}

/// The whole command line in one tree, with the options of `run` also at its top: for help, manual and completions.
pub(crate) fn whole_command() -> clap::Command {
    let command = Cli::command();
    let about =
        (command.get_about().cloned().unwrap_or_default(), command.get_long_about().cloned().unwrap_or_default());
    RunArgs::augment_args(command)
        .about(about.0)
        .long_about(about.1)
        .override_usage(help::USAGE)
        .after_help(help::SHORT_EPILOGUE)
        .after_long_help(help::epilogue())
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .subcommand_required(false)
}

#[cfg(test)]
mod tests;
