//! Every case on every engine, tier and front-end.

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
    match trials::conformance(&arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}
