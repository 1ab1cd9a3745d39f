//! `run`: reads, runs, tells how it went.

use crate::args::run::RunArgs;
use crate::module::{self, ModuleSource};
use crate::output;
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::request::RunRequest;
use crate::words::in_flags;
use wasmrt_model::{Ending, Error, ExitStatus, LimitKind, Limits, Outcome, Result};
use wasmrt_runtime::{RunOptions, Runtime};

/// Runs a module and returns the exit code.
pub(crate) fn run(args: RunArgs) -> u8 {
    let quiet = args.words.quiet;
    let name = args.module_and_args.first().map(ModuleSource::new).unwrap_or(ModuleSource::Stdin).name();
    let target = args.words.report.clone();
    let result = target.as_ref().map_or(Ok(()), report::check).and_then(|()| run_to_end(&args, &name));
    let code = match &result {
        Ok(finished) => finished.outcome.status.exit_code(),
        Err(error) => output::exit_code(error),
    };
    let printed = match &result {
        Ok(finished) => finished.tell(quiet),
        Err(error) => {
            output::complain(error);
            Ok(())
        }
    };
    let reported = target.as_ref().map_or(Ok(()), |target| {
        let result = result.as_ref().map(|finished| &finished.outcome);
        Report::new(&name, code, result).write(target)
    });
    // A failure to say how it went is ours, whatever the guest did.
    for failure in [printed, reported] {
        if let Err(error) = failure {
            output::complain(&error);
            return wasmrt_model::ErrorKind::Internal.exit_code();
        }
    }
    code
}

/// A run that came to an end.
struct Finished {
    outcome: Outcome,
    limits: wasmrt_model::LimitsSpec,
    measure_fuel: bool,
}

fn run_to_end(args: &RunArgs, name: &str) -> Result<Finished> {
    let RunRequest { module, spec, config } = RunRequest::new(args)?;
    let limit = spec.limits.module_bytes.unwrap_or(Limits::default().module_bytes);
    let module = module::read(&module, limit)?;
    let mut progress = Progress::new(name, args.words.quiet);
    let mut options = RunOptions::default();
    options.observer = Some(&mut progress);
    options.forward_signals = true;
    let outcome = Runtime::new(config).run(&module.bytes, &spec, options)?;
    Ok(Finished { outcome, limits: spec.limits, measure_fuel: args.run_limits.measure_fuel })
}

impl Finished {
    /// Prints the results of an export, and says why the guest ended when it did not end by itself.
    fn tell(&self, quiet: bool) -> Result<(), Error> {
        let results: String = self.outcome.results.iter().map(|value| format!("{value}\n")).collect();
        let printed = if results.is_empty() { Ok(()) } else { output::print(&results) };
        if let Some(ending) = Ending::of(&self.outcome, &self.limits) {
            output::complain_of_guest(&ending.headline, &ending.details, what_to_do(&self.outcome.status));
        }
        if !quiet {
            self.tell_notes();
        }
        printed
    }

    fn tell_notes(&self) {
        match self.outcome.status {
            ExitStatus::Exited { code } if code > u32::from(u8::MAX) => output::note(
                &format!(
                    "the guest exited with {code}; a process can only end with its low 8 bits, {}",
                    code.to_le_bytes()[0]
                ),
                None,
            ),
            _ => {}
        }
        if let (true, Some(used)) = (self.measure_fuel, self.outcome.usage.fuel) {
            let hint = format!("--fuel {} leaves a tenth to spare for the same input", with_a_tenth_more(used));
            output::note(&format!("the guest used {used} units of fuel"), Some(&hint));
        }
        if !self.outcome.status.success() {
            for refusal in &self.outcome.refusals {
                output::note(&format!("refused while it ran: {}", in_flags(refusal)), None);
            }
        }
    }
}

/// The flag that would have let the guest go on.
fn what_to_do(status: &ExitStatus) -> Option<&'static str> {
    match status {
        ExitStatus::EngineCrashed { .. } => {
            Some("the guest was alone in its process and gained nothing; another --engine or --aot may run it")
        }
        ExitStatus::LimitReached { limit } => match limit {
            LimitKind::WallTime => Some("raise it with --timeout"),
            LimitKind::CpuTime => Some("raise it with --cpu-time"),
            LimitKind::Fuel => Some("raise it with --fuel"),
            LimitKind::OutputBytes => Some("raise it with --output-limit"),
            LimitKind::WrittenBytes => Some("raise it with --write-limit"),
            LimitKind::ReceivedBytes => Some("raise it with --receive-limit"),
            LimitKind::SentBytes => Some("raise it with --send-limit"),
            LimitKind::Memory => Some("raise it with --memory"),
            _ => None,
        },
        _ => None,
    }
}

/// A tenth more than this, rounded up to two digits and zeros.
fn with_a_tenth_more(used: u64) -> u64 {
    let enough = used.saturating_add(used.div_ceil(10)).max(1);
    let unit = 10u64.pow(enough.checked_ilog10().unwrap_or(0).saturating_sub(1));
    enough.div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::with_a_tenth_more;

    #[test]
    fn a_proposal_is_enough_and_short() {
        for (used, proposed) in [(0, 1), (1, 2), (10, 11), (95, 110), (2_337_802, 2_600_000)] {
            assert_eq!(with_a_tenth_more(used), proposed);
        }
        assert_eq!(with_a_tenth_more(u64::MAX), u64::MAX);
    }
}
