//! The flags that set limits, one for each limit. A flag that is left out leaves the spec's value or the default.

use super::values;
use clap::Args;
use wasmrt_model::units::{Bytes, Count, Span};
use wasmrt_model::{Limit, LimitsSpec};

/// Limits that compiled code depends on, and those of compiling itself.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct CodeLimitArgs {
    /// Memory of the guest, such as 64m or 1.5g
    ///
    /// All of its linear memories together; 'unlimited' is possible here and below. A guest that asks for more is told that there is
    /// none. Default: 512MiB.
    #[arg(short, long, value_name = "SIZE")]
    pub(crate) memory: Option<Limit<Bytes>>,
    /// Elements of all tables of the guest
    ///
    /// Their sum. A guest that asks for more is told that there are none. Default: 1048576.
    #[arg(long, value_name = "COUNT")]
    pub(crate) table_elements: Option<Limit<Count>>,
    /// How deep calls of the guest may be nested
    ///
    /// Going deeper is a trap. A function counts once more for each 256 locals and each 4 KiB of its
    /// code, and not at all if it is small and calls no other one. Without a limit only the engine's stack bounds it, and running into that may be a crash
    /// of the worker. Default: 32768.
    #[arg(long, value_name = "COUNT")]
    pub(crate) call_depth: Option<Limit<Count>>,
    /// How much the guest may execute, in units of fuel
    ///
    /// It is counted in the same way on every engine, so a program uses the same fuel everywhere. Default: unlimited.
    #[arg(long, value_name = "COUNT")]
    pub(crate) fuel: Option<Limit<Count>>,
    /// Size of the module
    ///
    /// A larger one is refused before it is read. Default: 256MiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_module_size: Option<Limit<Bytes>>,
    /// Time for compiling the module
    ///
    /// Such as 90s or 5min. Default: 120s.
    #[arg(long, value_name = "TIME")]
    pub(crate) compile_timeout: Option<Limit<Span>>,
}

/// More fuel than anything can use.
const MEASURED: Limit<Count> = Limit::At(Count(i64::MAX.cast_unsigned()));

/// Limits of a run alone.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct RunLimitArgs {
    /// Wall-clock time of the run, such as 500ms, 10s or 1h30m
    ///
    /// It passes whatever the guest does or waits for. A bare number is seconds. Compiling is not counted. Default: unlimited.
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Limit<Span>>,
    /// Processor time of the run
    ///
    /// User and system time together. Default: unlimited.
    #[arg(long, value_name = "TIME")]
    pub(crate) cpu_time: Option<Limit<Span>>,
    /// Count the fuel that the run uses, without bounding it, and propose a limit
    ///
    /// The figure is also in the report, as usage.fuel. It is the same on every engine.
    #[arg(long, conflicts_with = "fuel")]
    pub(crate) measure_fuel: bool,
    /// How many processors at a time (not enforced here: refused)
    ///
    /// Known from docker. Enforcing it takes a cgroup, which wasm-run does not make; so it is refused, with what works instead.
    #[arg(long, value_name = "NUMBER", value_parser = values::cpus)]
    pub(crate) cpus: Option<String>,
    /// Bytes written to stdout and stderr together
    ///
    /// Default: unlimited (64MiB when a spec captures one of them).
    #[arg(long, value_name = "SIZE")]
    pub(crate) output_limit: Option<Limit<Bytes>>,
    /// Bytes written to files
    ///
    /// What is written counts, and by what files are extended. Default: unlimited.
    #[arg(long, value_name = "SIZE")]
    pub(crate) write_limit: Option<Limit<Bytes>>,
    /// Sockets open at once
    ///
    /// Listeners that it was given count, and all count as open files too. Default: 128.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_sockets: Option<Limit<Count>>,
    /// Connections that wait to be accepted, for each listener
    ///
    /// Further ones are turned away by the system. Default: 128.
    #[arg(long, value_name = "COUNT")]
    pub(crate) backlog: Option<Limit<Count>>,
    /// Bytes received over the network
    ///
    /// Default: unlimited.
    #[arg(long, value_name = "SIZE")]
    pub(crate) receive_limit: Option<Limit<Bytes>>,
    /// Bytes sent over the network
    ///
    /// Default: unlimited.
    #[arg(long, value_name = "SIZE")]
    pub(crate) send_limit: Option<Limit<Bytes>>,
    /// Files, directories and sockets open at once
    ///
    /// Its standard streams and volumes count. Default: 256.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_files: Option<Limit<Count>>,
}

impl CodeLimitArgs {
    /// Puts what was typed in place of what the spec says.
    pub(crate) fn apply(&self, limits: &mut LimitsSpec) {
        set(&mut limits.memory_bytes, self.memory);
        set(&mut limits.table_elements, self.table_elements);
        set(&mut limits.call_depth, self.call_depth);
        set(&mut limits.fuel, self.fuel);
        set(&mut limits.module_bytes, self.max_module_size);
        set(&mut limits.compile_time, self.compile_timeout);
    }
}

impl RunLimitArgs {
    /// Puts what was typed in place of what the spec says.
    pub(crate) fn apply(&self, limits: &mut LimitsSpec) {
        if self.measure_fuel {
            limits.fuel = Some(MEASURED);
        }
        set(&mut limits.wall_time, self.timeout);
        set(&mut limits.cpu_time, self.cpu_time);
        set(&mut limits.output_bytes, self.output_limit);
        set(&mut limits.written_bytes, self.write_limit);
        set(&mut limits.open_files, self.max_files);
        set(&mut limits.open_sockets, self.max_sockets);
        set(&mut limits.listen_backlog, self.backlog);
        set(&mut limits.received_bytes, self.receive_limit);
        set(&mut limits.sent_bytes, self.send_limit);
    }
}

fn set<T>(field: &mut Option<T>, typed: Option<T>) {
    if typed.is_some() {
        *field = typed;
    }
}
