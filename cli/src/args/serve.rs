//! The options of `serve`.

use super::limits::CodeLimitArgs;
use super::run::EngineArgs;
use super::values;
use super::world::WorldArgs;
use clap::{Args, ValueHint};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use wasmrt_model::component::{AccessLog, ServeLimits};
use wasmrt_model::units::{Bytes, Count, Span};
use wasmrt_model::{Limit, Random};

/// `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) grants: ServeGrantArgs,
    #[command(flatten)]
    pub(crate) code_limits: CodeLimitArgs,
    #[command(flatten)]
    pub(crate) request_limits: RequestLimitArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// No notes and no progress; errors and the access log are still told
    #[arg(short, long, help_heading = "Messages")]
    pub(crate) quiet: bool,
    /// The component, or - for standard input
    #[arg(value_name = "COMPONENT", help_heading = None, value_hint = ValueHint::FilePath)]
    pub(crate) component: PathBuf,
}

/// Where it listens, and what bounds requests.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// The address and port to listen at; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) addr: SocketAddr,
    /// Answer /healthz at this address, with 200 while requests are taken
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) health_addr: Option<SocketAddr>,
    /// What a request may take in all; later it gets 504, or is cut off
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) request_timeout: Span,
    /// Requests that run at a time
    ///
    /// Each has an instance of its own, with all of --memory: as much as both together may be used.
    #[arg(long, value_name = "COUNT", default_value = "128", value_parser = values::count(ServeLimits::CONCURRENCY))]
    pub(crate) concurrency: u32,
    /// Requests that may wait for their turn; further ones get 503 [default: four times --concurrency]
    #[arg(long, value_name = "COUNT", value_parser = values::count(ServeLimits::QUEUE))]
    pub(crate) queue: Option<u32>,
    /// The largest head of a request; larger ones get 431
    #[arg(long, value_name = "SIZE", default_value = "64k", value_parser = values::header_bytes)]
    pub(crate) max_header_bytes: Bytes,
    /// The largest body of a request; larger ones get 413
    #[arg(long, value_name = "SIZE", default_value = "64m")]
    pub(crate) max_body_bytes: Bytes,
    /// What requests that are under way have left when the server is asked to stop
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) drain_timeout: Span,
    /// Threads that run guests [default: one for each processor]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) threads: Option<u16>,
    /// What is told of each request, on stderr: off, text or json
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = AccessLog::from_str, hide_possible_values = true)]
    pub(crate) access_log: AccessLog,
}

/// What instances are given.
#[derive(Debug, Args)]
#[command(next_help_heading = "What instances are given")]
pub(crate) struct ServeGrantArgs {
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    /// The randomness that instances see: real, or a seed, the same for each request
    #[arg(long, value_name = "real|SEED", value_parser = values::random)]
    pub(crate) random: Option<Random>,
    /// Take limits, grants and engine from a run spec in JSON; flags beside it win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: Option<PathBuf>,
}

/// Limits of each request.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct RequestLimitArgs {
    /// Bytes that a request writes to stdout and stderr together
    #[arg(long, value_name = "SIZE")]
    pub(crate) output_limit: Option<Limit<Bytes>>,
    /// Bytes that a request writes to files
    #[arg(long, value_name = "SIZE")]
    pub(crate) write_limit: Option<Limit<Bytes>>,
    /// Sockets that a request has open at a time; they count among its files too
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_sockets: Option<Limit<Count>>,
    /// Bytes that a request receives over connections of its own
    #[arg(long, value_name = "SIZE")]
    pub(crate) receive_limit: Option<Limit<Bytes>>,
    /// Bytes that a request sends over connections of its own
    #[arg(long, value_name = "SIZE")]
    pub(crate) send_limit: Option<Limit<Bytes>>,
    /// Files, directories and sockets that a request has open at a time
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_files: Option<Limit<Count>>,
}
