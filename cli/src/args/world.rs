//! What a guest sees of the machine, by the same flags for runs and for servers.

use super::values::{self, Variable};
use clap::{Args, ValueHint};
use std::path::PathBuf;
use wasmrt_model::Preopen;
use wasmrt_model::network::NetworkRule;
use wasmrt_model::stdio::Output;

/// Directories, variables, outputs and the network. It is shown below the heading of whatever it is part of.
#[derive(Debug, Default, Args)]
pub(crate) struct WorldArgs {
    /// Give a file or directory: HOST:GUEST, with :ro for reading only
    #[arg(short, long = "volume", value_name = "HOST:GUEST[:ro|rw]")]
    pub(crate) volumes: Vec<Preopen>,
    /// Give a directory, in wasmtime's form
    ///
    /// HOST alone is found under its own name, HOST::GUEST under another one, and HOST::GUEST::ro is for reading only.
    #[arg(long = "dir", value_name = "HOST[::GUEST[::ro|rw]]", value_parser = values::directory)]
    pub(crate) directories: Vec<Preopen>,
    /// Set an environment variable, or pass on one of the host's
    ///
    /// NAME alone passes on the host's value, when the host has one. Nothing else of the host's environment reaches the guest.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<Variable>,
    /// Set environment variables from a file, one to a line
    ///
    /// A line is NAME=VALUE or NAME; '#' begins a comment line, and quotes have no meaning. What --env says wins.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Vec<PathBuf>,
    /// Standard output: inherit, null or a file that is created or emptied
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::output(), value_hint = ValueHint::FilePath)]
    pub(crate) stdout: Option<Output>,
    /// Standard error: inherit, null or a file that is created or emptied
    #[arg(long, value_name = "FILE|null|inherit", value_parser = values::output(), value_hint = ValueHint::FilePath)]
    pub(crate) stderr: Option<Output>,
    /// Allow something on the network: connect=HOST:PORT, listen=ADDRESS[:PORT] or resolve=NAME
    ///
    /// The network is closed otherwise. A rule is connect=HOST[:PORT|:FIRST-LAST], connect=ADDRESS/PREFIX[:PORTS],
    /// listen=ADDRESS[:PORT] or resolve=NAME, the first three with /tcp or /udp behind them if only that is meant. Loopback, link-local and
    /// cloud metadata addresses need a rule of their own; '*' and names do not cover them.
    #[arg(long, value_name = "RULE")]
    pub(crate) net: Vec<NetworkRule>,
}
