//! `completions`: scripts for shells, made from the options themselves.

use crate::args::{CompletionsArgs, whole_command};
use crate::output;
use wasmrt_model::Result;

/// Prints the script for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole_command(), "wasm-run", &mut script);
    output::print_bytes(&script).map(|()| 0)
}
