//! Every file of the specification suite on every engine and tier.

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_spec_tests::{child, trials};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(child::CHILD_ARGUMENT) {
        let result = child::main(args);
        let (text, code) = match result {
            Ok(text) => (text, ExitCode::SUCCESS),
            Err(text) => (text, ExitCode::FAILURE),
        };
        eprint!("{text}");
        return code;
    }
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials::trials(&arguments)).exit_code()
}
