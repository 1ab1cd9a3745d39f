//! `wasmrt-worker`: the process in which embedders' guests are started. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmrt_runtime::zygote_main(std::env::args_os())
}
