//! Expectation against observation: everything that differs, as sentences.

mod container;

use crate::case::{Case, Expect};
use crate::front_end::{FrontEnd, Observed, Report};
use crate::pair::Pair;
use crate::script;
use wasmrt_model::{ErrorKind, ExitStatus, Outcome, Trap};

/// What differs from what the case expects on this pair; empty when all is well.
#[must_use]
pub fn differences(case: &Case, pair: Pair, front_end: FrontEnd, observed: &Observed) -> Vec<String> {
    let expect = &case.header.expect;
    if let Some(control) = pair.unmet(&case.header.requires).or_else(|| front_end.unmet(case, pair)) {
        let reached = observed.network.reached;
        let reached = (reached > 0).then(|| format!("it was refused, and still peers were reached {reached} times"));
        return refused_as_unsupported(control, observed).into_iter().chain(reached).collect();
    }
    if expect.killed {
        let left = observed.report.is_some().then(|| "it was killed, and still there is a report".to_owned());
        let other = (observed.signal != Some(9)).then(|| format!("it ended with {:?}, not by SIGKILL", observed.code));
        return left.into_iter().chain(other).collect();
    }
    let mut wrong = Vec::new();
    match &observed.report {
        None => wrong.push(format!("there is no report (exit code {:?}): {}", observed.code, observed.said.trim())),
        Some(Report::Error { kind, message }) => error(expect, kind, message, &mut wrong),
        Some(Report::Outcome(outcome)) => ending(expect, pair, outcome, &mut wrong),
        Some(Report::Ended { code }) => container::ended(expect, *code, &observed.stderr, &mut wrong),
        Some(Report::Refused { code, message }) => container::refused(expect, *code, message, &mut wrong),
    }
    process_code(expect, observed, &mut wrong);
    streams(case, observed, &mut wrong);
    wrong.extend(observed.network.wrong.iter().cloned());
    if let Some(bound) = expect.within_seconds
        && observed.took.as_secs() >= bound
    {
        wrong.push(format!("it took {:.1} s, and {bound} s are allowed", observed.took.as_secs_f64()));
    }
    wrong
}

fn refused_as_unsupported(control: &str, observed: &Observed) -> Vec<String> {
    match &observed.report {
        Some(Report::Error { kind, .. }) if kind == ErrorKind::Unsupported.as_str() => Vec::new(),
        Some(Report::Refused { code, .. }) if container::means(*code, ErrorKind::Unsupported) => Vec::new(),
        other => vec![format!(
            "{control} is not to be had here, so this has to be refused as unsupported; instead: {}",
            shown(other.as_ref())
        )],
    }
}

fn error(expect: &Expect, kind: &str, message: &str, wrong: &mut Vec<String>) {
    match &expect.error {
        None => wrong.push(format!("it did not run: {kind}: {message}")),
        Some(wanted) if wanted != kind => wrong.push(format!("error {kind} instead of {wanted}: {message}")),
        Some(_) => {
            for part in expect.mentions.iter().filter(|part| !message.contains(part.as_str())) {
                wrong.push(format!("the error does not name '{part}': {message}"));
            }
        }
    }
}

fn ending(expect: &Expect, pair: Pair, outcome: &Outcome, wrong: &mut Vec<String>) {
    let wanted = if let Some(kind) = &expect.error {
        format!("error {kind}")
    } else if let Some(kind) = &expect.trap {
        format!("trap {kind}")
    } else if let Some(limit) = &expect.limit {
        format!("limit {limit}")
    } else if let Some(signal) = expect.signal {
        format!("signal {signal}")
    } else {
        format!("exit {}", expect.exit.unwrap_or(0))
    };
    let seen = status(&outcome.status);
    if seen != wanted {
        let detail = if let ExitStatus::Trapped { trap } = &outcome.status { trap.detail.as_str() } else { "" };
        wrong.push(format!("{seen} instead of {wanted} {detail}").trim_end().to_owned());
    }
    if let Some(engine) = pair.engine {
        if outcome.engine != engine {
            wrong.push(format!("it ran on {} instead of {engine}", outcome.engine));
        }
        if outcome.tier != pair.tier {
            wrong.push(format!("it ran in the tier {} instead of {}", outcome.tier, pair.tier));
        }
    }
    if let ExitStatus::Trapped { trap } = &outcome.status {
        backtrace(expect, pair, trap, wrong);
    }
    if let Some(wanted) = &expect.results {
        let seen = serde_json::to_value(&outcome.results).unwrap_or_default();
        if seen != serde_json::Value::from(wanted.clone()) {
            wrong.push(format!("results {seen} instead of {wanted:?}"));
        }
    }
    usage(expect, outcome, wrong);
    for part in &expect.refusals {
        if !outcome.refusals.iter().any(|line| line.contains(part.as_str())) {
            wrong.push(format!("no refusal names '{part}': {:?}", outcome.refusals));
        }
    }
}

/// An ending in the words of an expectation.
#[must_use]
pub fn status(status: &ExitStatus) -> String {
    match status {
        ExitStatus::Exited { code } => format!("exit {code}"),
        ExitStatus::Trapped { trap } => format!("trap {}", trap.kind.as_str()),
        ExitStatus::LimitReached { limit } => format!("limit {}", limit.as_str()),
        ExitStatus::Signaled { signal } => format!("signal {signal}"),
        ExitStatus::EngineCrashed { signal } => format!("crash of the engine (signal {signal})"),
        other => format!("{other}"),
    }
}

fn backtrace(expect: &Expect, pair: Pair, trap: &Trap, wrong: &mut Vec<String>) {
    if expect.backtrace.is_empty() {
        return;
    }
    let names: Vec<&str> = trap.backtrace.iter().filter_map(|frame| frame.name.as_deref()).collect();
    if !pair.capabilities().is_some_and(|capabilities| capabilities.backtrace) {
        if !trap.backtrace.is_empty() {
            wrong.push(format!("the engine claims to tell no backtrace, and told one: {names:?}"));
        }
        return;
    }
    let mut rest = names.iter();
    for wanted in &expect.backtrace {
        if !rest.any(|name| name == wanted) {
            wrong.push(format!("the backtrace {names:?} does not name {:?} in this order", expect.backtrace));
            return;
        }
    }
}

fn usage(expect: &Expect, outcome: &Outcome, wrong: &mut Vec<String>) {
    for (name, wanted) in &expect.usage {
        let seen = match name.as_str() {
            "memory_pages" => outcome.usage.memory_pages,
            "fuel" => outcome.usage.fuel,
            "output_bytes" => Some(outcome.usage.output_bytes),
            "written_bytes" => Some(outcome.usage.written_bytes),
            "received_bytes" => Some(outcome.usage.received_bytes),
            "sent_bytes" => Some(outcome.usage.sent_bytes),
            other => {
                wrong.push(format!("there is no figure called {other}"));
                continue;
            }
        };
        if seen != Some(*wanted) {
            wrong.push(format!("{name} is {seen:?} instead of {wanted}"));
        }
    }
}

/// The exit code of a front-end's process follows from the ending, by the model's one table.
fn process_code(expect: &Expect, observed: &Observed, wrong: &mut Vec<String>) {
    if observed.code.is_none() && observed.signal.is_none() {
        return;
    }
    let by_rule = match &observed.report {
        None | Some(Report::Ended { .. } | Report::Refused { .. }) => return,
        Some(Report::Outcome(outcome)) => Some(outcome.status.exit_code()),
        Some(Report::Error { kind, .. }) => error_kind(kind).map(ErrorKind::exit_code),
    };
    if observed.code != by_rule {
        wrong.push(format!("the process ended with {:?}, and the ending calls for {by_rule:?}", observed.code));
    }
    if expect.code.is_some() && observed.code != expect.code {
        wrong.push(format!("the process ended with {:?} instead of {:?}", observed.code, expect.code));
    }
}

/// The kind of that name. One that there is not shows as a process code that no ending calls for.
fn error_kind(name: &str) -> Option<ErrorKind> {
    serde_json::from_value(name.into()).ok()
}

fn streams(case: &Case, observed: &Observed, wrong: &mut Vec<String>) {
    let expect = &case.header.expect;
    let stdout = String::from_utf8_lossy(&observed.stdout);
    let stderr = String::from_utf8_lossy(&observed.stderr);
    if let Some(lines) = &case.header.calls
        && let Err(complaint) = script::compare(lines, &stdout)
    {
        wrong.push(complaint);
    }
    for (name, seen, exact, parts) in [
        ("stdout", &stdout, &expect.stdout, &expect.stdout_contains),
        ("stderr", &stderr, &expect.stderr, &expect.stderr_contains),
    ] {
        // A front-end that is a program may add to the guest's standard error why it ended it.
        let is_added_to = name == "stderr"
            && match &observed.report {
                Some(Report::Ended { code }) => *code != 0,
                _ => observed.code.is_some_and(|code| code != 0),
            };
        let is_exact = |exact: &String| if is_added_to { seen.starts_with(exact.as_str()) } else { exact == seen };
        if exact.as_ref().is_some_and(|exact| !is_exact(exact)) {
            wrong.push(format!(
                "{name} is {:?} instead of {:?}",
                abridged(seen),
                abridged(exact.as_deref().unwrap_or_default())
            ));
        }
        for part in parts.iter().filter(|part| !seen.contains(part.as_str())) {
            wrong.push(format!("{name} does not contain {part:?}: {:?}", abridged(seen)));
        }
    }
    if expect.stdout_bytes.is_some_and(|count| count != observed.stdout.len()) {
        wrong.push(format!("stdout is {} bytes instead of {:?}", observed.stdout.len(), expect.stdout_bytes));
    }
    if !wrong.is_empty() && !stderr.trim().is_empty() {
        wrong.push(format!("(stderr: {})", abridged(stderr.trim())));
    }
}

fn abridged(text: &str) -> String {
    const SHOWN: usize = 1500;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).collect::<String>() + "..."
}

/// A report in a few words.
pub(crate) fn shown(report: Option<&Report>) -> String {
    match report {
        None => "no report".to_owned(),
        Some(Report::Error { kind, message }) => format!("{kind}: {message}"),
        Some(Report::Outcome(outcome)) => status(&outcome.status),
        Some(Report::Ended { code }) => format!("a container that ended with {code}"),
        Some(Report::Refused { message, .. }) => format!("refused: {message}"),
    }
}
