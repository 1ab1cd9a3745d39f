//! What the host refused while a guest ran: lines for people who wonder why their program fails.
//!
//! Bounded, so that a guest that tries forever fills nothing. Decides nothing.

use std::sync::{Arc, Mutex, PoisonError};

/// The most lines that are kept.
const MAX_LINES: usize = 32;

/// The longest that a guest's own words may be in a line, in characters.
const MAX_QUOTED: usize = 120;

/// A handle on the lines of one host, to be read when the guest has ended.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Vec<String>>>);

impl Refusals {
    /// The lines so far: each different, at most 32.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a line, if there is room; `line` is asked for it only then. Whether it is a new one.
    pub fn add(&self, line: impl FnOnce() -> String) -> bool {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MAX_LINES {
            return false;
        }
        let line = line();
        let new = !lines.contains(&line);
        if new {
            lines.push(line);
        }
        new
    }
}

/// A guest's words, made safe for a terminal and short, in quotation marks.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", harmless(text))
}

/// A guest's words, made safe for a terminal and short.
pub(crate) fn harmless(text: &str) -> String {
    let mut short: String = text.escape_debug().take(MAX_QUOTED).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        short.push_str("...");
    }
    short
}
