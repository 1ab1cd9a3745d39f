//! Everything that wasm-run says itself: errors and notes on stderr, what was asked for on stdout.
//!
//! Text may come from a module, so what could steer a terminal is escaped here, once, for all of it.

use crate::words::in_flags;
use anstyle::{AnsiColor, Style};
use std::borrow::Cow;
use std::error::Error as _;
use std::io::{self, Write};
use wasmrt_model::{Error, ErrorKind, Result};

/// The name that stands before everything on stderr.
const NAME: &str = "wasm-run";

const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTED: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How a word is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Weak,
    /// Broken.
    Bad,
}

impl Tone {
    /// The word with its colour; the stream drops the colour where there is no terminal.
    pub(crate) fn paint(self, word: &str) -> String {
        let style = match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Weak => NOTED,
            Self::Bad => BAD,
        };
        format!("{style}{word}{style:#}")
    }
}

/// Prints what was asked for. A reader that has gone away is no error: it has what it wanted.
///
/// # Errors
/// When stdout cannot be written for another reason.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("cannot write to stdout", error)),
        _ => Ok(()),
    }
}

/// Prints bytes as they are.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("cannot write to stdout", error)),
        _ => Ok(()),
    }
}

/// Tells of an error of ours or of the caller.
pub(crate) fn complain(error: &Error) {
    say(BAD, "", &sentence(error), &[], error.hint().map(in_flags).as_deref());
}

/// Tells how a guest ended, with lines of detail.
pub(crate) fn complain_of_guest(headline: &str, details: &[String], hint: Option<&str>) {
    say(BAD, "", headline, details, hint);
}

/// Tells what a server does, for people and for whoever waits for it to be ready.
pub(crate) fn state(text: &str) {
    let _nobody_reads = writeln!(anstream::stderr().lock(), "{}", printable(text));
}

/// Tells something that the run goes on with.
pub(crate) fn note(text: &str, hint: Option<&str>) {
    say(NOTED, "note: ", text, &[], hint);
}

fn say(style: Style, kind: &str, text: &str, details: &[String], hint: Option<&str>) {
    let mut lines = format!("{style}{NAME}:{style:#} {kind}");
    // Only whole messages begin at the margin: a name with a line break in it cannot look like another one.
    for (index, line) in printable(text).lines().enumerate() {
        let indent = if index > 0 && !line.starts_with(' ') { "  " } else { "" };
        lines.push_str(&format!("{indent}{line}\n"));
    }
    for detail in details {
        lines.push_str(&format!("  {}\n", printable(detail)));
    }
    if let Some(hint) = hint {
        lines.push_str(&format!("  {HINT}hint:{HINT:#} {}\n", printable(hint)));
    }
    // There is nobody left to tell when this fails. In one write, so that lines of other processes do not get in between.
    let _ = anstream::stderr().lock().write_all(lines.as_bytes());
}

/// Tells of wrong usage, or prints the help or version that was asked for. Returns the exit code.
pub(crate) fn usage(error: &clap::Error) -> u8 {
    let rendered = error.render();
    if !error.use_stderr() {
        return match print(&rendered.ansi().to_string()) {
            Ok(()) => 0,
            Err(error) => {
                complain(&error);
                error.kind().exit_code()
            }
        };
    }
    let plain = rendered.to_string();
    let mut stderr = anstream::stderr().lock();
    // As with everything else: whose message it is comes first.
    let _ = match plain.strip_prefix("error: ") {
        Some(message) => write!(stderr, "{BAD}{NAME}:{BAD:#} {}", printable(message)),
        None => write!(stderr, "{}", rendered.ansi()),
    };
    ErrorKind::InvalidInput.exit_code()
}

/// The exit code of a failure: of its kind, but for a signal that interrupted us, which counts as itself.
pub(crate) fn exit_code(error: &Error) -> u8 {
    if error.kind() == ErrorKind::Cancelled {
        let signal = error.context().iter().find(|(key, _)| *key == "signal").and_then(|(_, value)| value.parse().ok());
        if let Some(signal) = signal {
            return wasmrt_model::ExitStatus::Signaled { signal }.exit_code();
        }
    }
    error.kind().exit_code()
}

/// An error as one sentence: what was being done, what is wrong, facts and causes. The hint is told apart.
pub(crate) fn sentence(error: &Error) -> String {
    let mut text = String::new();
    if !error.operation().is_empty() {
        text.push_str(error.operation());
        text.push_str(": ");
    }
    text.push_str(error.message());
    if !error.context().is_empty() {
        let facts: Vec<String> = error.context().iter().map(|(key, value)| format!("{key} {value}")).collect();
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

/// The text with everything escaped that could steer a terminal or turn the direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, c| {
            if steers(c) {
                safe.extend(c.escape_unicode())
            } else {
                safe.push(c)
            }
            safe
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("plain\ttext\n"), "plain\ttext\n");
        for hostile in ["\u{1b}[2J", "a\rb", "\u{9b}31m", "\u{202e}gpj", "bell\u{7}"] {
            let safe = printable(hostile);
            assert!(!safe.chars().any(|c| c.is_control() || c == '\u{202e}'), "{safe}");
        }
    }

    #[test]
    fn an_interrupted_compile_counts_as_the_signal() {
        let error = Error::new(ErrorKind::Cancelled, "interrupted");
        assert_eq!(exit_code(&error), ErrorKind::Cancelled.exit_code());
        assert_eq!(exit_code(&error.with_context("signal", 2)), 130);
    }

    #[test]
    fn a_sentence_has_everything_but_the_hint() {
        let error = Error::io("cannot read", io::Error::other("cause"))
            .with_operation("open")
            .with_context("path", "/x")
            .with_hint("advice");
        let text = sentence(&error);
        for part in ["open", "cannot read", "/x", "cause"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("advice"));
    }
}
