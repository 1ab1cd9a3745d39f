//! Every case on all engines and tiers: they have to agree on ending, output and files left behind.

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_tests::{front_end, trials};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(front_end::CHILD_ARGUMENT) {
        return front_end::child(args).map_or_else(
            |complaint| {
                eprintln!("{complaint}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let arguments = Arguments::from_args();
    match trials::differential(&arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}
