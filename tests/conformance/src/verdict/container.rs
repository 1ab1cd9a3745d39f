//! What can be told of a container: its exit code, the words on its standard error, and why it was not made.

use super::error_kind;
use crate::case::Expect;
use wasmrt_model::{ErrorKind, ExitStatus};

/// The exit code of a guest that has trapped, as if it had aborted.
const TRAPPED: u8 = 128 + 6;

/// An ending by its code, and by what is said of it.
pub(super) fn ended(expect: &Expect, code: u32, stderr: &[u8], wrong: &mut Vec<String>) {
    let stderr = String::from_utf8_lossy(stderr);
    let (by_rule, words) = wanted(expect);
    if Some(code) != by_rule.map(u32::from) {
        wrong.push(format!("the container ended with {code}, and the ending calls for {by_rule:?}"));
    }
    if expect.code.is_some_and(|wanted| u32::from(wanted) != code) {
        wrong.push(format!("the container ended with {code} instead of {:?}", expect.code));
    }
    for part in words.iter().chain(&expect.mentions).filter(|part| !stderr.contains(part.as_str())) {
        wrong.push(format!("the container's standard error does not say '{part}': {}", stderr.trim()));
    }
}

/// A container that was not made: by the code that the error's kind has in containerd's protocol.
pub(super) fn refused(expect: &Expect, code: i32, message: &str, wrong: &mut Vec<String>) {
    match expect.error.as_deref() {
        Some(kind) if error_kind(kind).is_some_and(|kind| means(code, kind)) => {
            for part in expect.mentions.iter().filter(|part| !message.contains(part.as_str())) {
                wrong.push(format!("the error does not name '{part}': {message}"));
            }
        }
        Some(kind) => wrong.push(format!("refused with code {code}, which is not that of {kind}: {message}")),
        None => wrong.push(format!("it was refused: {message}")),
    }
}

/// Whether containerd's protocol says this code for an error of this kind.
pub(super) fn means(code: i32, kind: ErrorKind) -> bool {
    code == match kind {
        ErrorKind::Cancelled => 1,
        ErrorKind::InvalidInput
        | ErrorKind::NotWasm
        | ErrorKind::InvalidModule
        | ErrorKind::MissingExport
        | ErrorKind::MissingImports => 3,
        ErrorKind::NotFound => 5,
        ErrorKind::Denied | ErrorKind::PermissionDenied => 7,
        ErrorKind::LimitExceeded | ErrorKind::Busy => 8,
        ErrorKind::EngineUnavailable => 9,
        ErrorKind::Unsupported => 12,
        _ => 2,
    }
}

/// The exit code of what is expected, and words that have to be said.
fn wanted(expect: &Expect) -> (Option<u8>, Vec<String>) {
    if let Some(kind) = &expect.error {
        return (error_kind(kind).map(ErrorKind::exit_code), Vec::new());
    }
    let status = if expect.trap.is_some() {
        return (Some(TRAPPED), vec!["trap: ".to_owned()]);
    } else if let Some(limit) = &expect.limit {
        serde_json::from_value(limit.as_str().into()).ok().map(|limit| ExitStatus::LimitReached { limit })
    } else if let Some(signal) = expect.signal {
        Some(ExitStatus::Signaled { signal })
    } else {
        Some(ExitStatus::Exited { code: expect.exit.unwrap_or(0) })
    };
    let words = if expect.limit.is_some() { vec!["reached".to_owned()] } else { Vec::new() };
    (status.map(|status| status.exit_code()), words)
}
