//! What a check did, in counts, and what it found.

use std::collections::BTreeMap;
use std::fmt;

/// Counts of one check or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    counts: BTreeMap<String, u64>,
}

impl Report {
    /// One more of these.
    pub fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    /// So many more of these.
    pub fn add(&mut self, what: &str, count: u64) {
        match self.counts.get_mut(what) {
            Some(sum) => *sum += count,
            None => {
                self.counts.insert(what.to_owned(), count);
            }
        }
    }

    /// How many of these.
    #[must_use]
    pub fn count_of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Adds another one's counts.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.add(what, *count);
        }
    }

    /// Reads what [`Display`](fmt::Display) wrote; lines of another form are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            if let Some((what, count)) = line.rsplit_once(": ")
                && let Ok(count) = count.parse()
            {
                report.add(what, count);
            }
        }
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "{what}: {count}")?;
        }
        Ok(())
    }
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    what: &'static str,
    detail: String,
}

impl Finding {
    /// A finding of this sort.
    pub(crate) fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

impl std::error::Error for Finding {}

/// An error with all its reasons.
pub(crate) fn chain(error: &wasmrt_model::Error) -> String {
    let mut text = format!("{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        text += &format!(": {reason}");
        source = reason.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut report = Report::default();
        report.count("trap: unreachable");
        report.add("modules", 41);
        report.count("modules");
        assert_eq!(Report::parse(&report.to_string()), report);
    }
}
