//! What is shown while a module is compiled, and the notes of a run. All of it on stderr, none of it when quiet.
//!
//! No thread draws: the runtime calls while it waits, and a process with several threads could not fork workers.

use crate::{output, quantity};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;
use wasmrt_runtime::{Compiling, Note, Observer};

/// What ends before this is not worth a bar.
const BAR_AFTER: Duration = Duration::from_millis(150);
/// What ends before this is not worth a line.
const LINE_AFTER: Duration = Duration::from_secs(1);

/// Listens to a run and tells people.
#[derive(Debug)]
pub(crate) struct Progress {
    module: String,
    way: Way,
    compiling: Option<Compiling>,
    shown: Shown,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not at all.
    Quiet,
    /// Lines, for logs.
    Lines,
    /// A bar, for people.
    Bar,
}

/// What of the current compile is to be seen.
#[derive(Debug)]
enum Shown {
    Nothing,
    Line,
    Bar(ProgressBar),
}

impl Progress {
    /// For a run of this module.
    pub(crate) fn new(module: &str, quiet: bool) -> Self {
        let way = if quiet {
            Way::Quiet
        } else if std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb") {
            Way::Bar
        } else {
            Way::Lines
        };
        Self { module: module.to_owned(), way, compiling: None, shown: Shown::Nothing }
    }

    fn show(&mut self, elapsed: Duration) {
        let Some(compiling) = self.compiling else { return };
        match (&self.shown, self.way) {
            (Shown::Nothing, Way::Bar) if elapsed >= BAR_AFTER => {
                self.shown = Shown::Bar(bar(&self.module, &compiling))
            }
            (Shown::Nothing, Way::Lines) if elapsed >= LINE_AFTER => {
                let limit = compiling.time_limit.map(|limit| format!(", for {} at most", quantity::time(limit)));
                let what = what(&self.module, &compiling);
                output::note(&format!("compiling {what}{}", limit.unwrap_or_default()), None);
                self.shown = Shown::Line;
            }
            _ => {}
        }
        if let Shown::Bar(bar) = &self.shown {
            bar.set_message(match compiling.time_limit {
                Some(limit) => format!("{} of at most {}", quantity::time(elapsed), quantity::time(limit)),
                None => quantity::time(elapsed),
            });
            bar.set_position(milliseconds(elapsed));
        }
    }
}

fn what(module: &str, compiling: &Compiling) -> String {
    let bytes = u64::try_from(compiling.module_bytes).unwrap_or(u64::MAX);
    format!("{module} ({}) for {}, {}", quantity::size(bytes), compiling.engine, compiling.tier)
}

fn bar(module: &str, compiling: &Compiling) -> ProgressBar {
    let bar = match compiling.time_limit {
        Some(limit) => ProgressBar::new(milliseconds(limit)),
        None => ProgressBar::new_spinner(),
    };
    let template = if compiling.time_limit.is_some() {
        "{spinner} compiling {prefix} {bar:20} {msg}"
    } else {
        "{spinner} compiling {prefix} {msg}"
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    // A line that is wider than the terminal cannot be drawn over: the file's name has to do.
    let name = Path::new(module).file_name().map_or(module.into(), |name| name.to_string_lossy());
    bar.set_prefix(output::printable(&what(&name, compiling)).into_owned());
    bar
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Observer for Progress {
    fn compile_started(&mut self, compiling: &Compiling) {
        self.compiling = Some(*compiling);
        self.shown = Shown::Nothing;
    }

    fn compile_running(&mut self, elapsed: Duration) {
        self.show(elapsed);
    }

    fn compile_ended(&mut self, elapsed: Duration, succeeded: bool) {
        let shown = std::mem::replace(&mut self.shown, Shown::Nothing);
        let compiling = self.compiling.take();
        if let Shown::Bar(bar) = &shown {
            bar.finish_and_clear();
        }
        // A failure is told by whoever asked for the code, with its reason.
        if let (Some(compiling), Shown::Line, true) = (compiling, shown, succeeded) {
            output::note(&format!("compiled {} in {}", what(&self.module, &compiling), quantity::time(elapsed)), None);
        }
    }

    fn note(&mut self, note: &Note<'_>) {
        if self.way == Way::Quiet {
            return;
        }
        match note {
            Note::CacheUnusable(error) => output::note(
                &format!("what is compiled is not kept: {}", output::sentence(error)),
                Some(error.hint().unwrap_or("name a directory of your own with --cache-dir, or take --no-cache")),
            ),
            Note::InterpretedInstead(error) => output::note(
                &format!("it is interpreted, since compiling failed: {}", output::sentence(error)),
                error.hint(),
            ),
            Note::Published { local, guest_port, protocol } => {
                output::note(&format!("port {guest_port}/{protocol} of the guest is published on {local}"), None);
            }
            Note::InterpretedForLong { engine, cpu_time } => output::note(
                &format!(
                    "{engine} interpreted {} for {}; native code is much faster",
                    self.module,
                    quantity::time(*cpu_time)
                ),
                Some(&format!(
                    "make it once with 'wasm-run compile --engine {engine} {}' and the limits of this run, or take --aot always",
                    self.module
                )),
            ),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_says_nothing_before_its_time() {
        let mut progress = Progress { module: "m".to_owned(), way: Way::Lines, compiling: None, shown: Shown::Nothing };
        progress.compile_running(Duration::from_secs(5));
        assert!(matches!(progress.shown, Shown::Nothing));
    }
}
