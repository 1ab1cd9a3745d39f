//! Errors as JSON, both ways: what one process says of a failure, another can tell as if it were its own.
//!
//! Kind, operation, message, context and hint arrive as they were. Causes arrive as their sentences.

use super::{Error, ErrorKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Names of facts and operations are few and short: those of our own crates. More than this were not written by us.
const MOST_NAMES: usize = 512;
const LONGEST_NAME: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    kind: ErrorKind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    operation: String,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    context: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut causes = Vec::new();
        let mut cause = self.source();
        while let Some(source) = cause {
            causes.push(source.to_string());
            cause = source.source();
        }
        let context = self.context.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let parts = Parts {
            kind: self.kind,
            operation: self.operation.to_owned(),
            message: self.message.clone(),
            context,
            hint: self.hint.clone(),
            causes,
        };
        parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        let known =
            |name: &str| name_of_ours(name).ok_or_else(|| de::Error::custom("a name of a fact that nobody gave"));
        let mut error = Self::new(parts.kind, parts.message).with_operation(known(&parts.operation)?);
        for (key, value) in parts.context {
            error = error.with_context(known(&key)?, value);
        }
        error.hint = parts.hint;
        let causes = parts.causes.into_iter().rev();
        error.source = causes.fold(None, |below, text| Some(Box::new(Cause { text, below }) as Box<_>));
        Ok(error)
    }
}

/// A cause that was told by its sentence.
#[derive(Debug)]
struct Cause {
    text: String,
    below: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.below.as_ref().map(|below| &**below as &(dyn StdError + 'static))
    }
}

/// Names that live as long as this process. Each is kept once, and only so many.
#[derive(Debug)]
struct Names(BTreeSet<&'static str>);

impl Names {
    const fn new() -> Self {
        Self(BTreeSet::new())
    }

    fn keep(&mut self, name: &str) -> Option<&'static str> {
        if let Some(kept) = self.0.get(name) {
            return Some(kept);
        }
        if self.0.len() >= MOST_NAMES || name.len() > LONGEST_NAME {
            return None;
        }
        let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
        self.0.insert(kept);
        Some(kept)
    }
}

fn name_of_ours(name: &str) -> Option<&'static str> {
    static NAMES: Mutex<Names> = Mutex::new(Names::new());
    NAMES.lock().unwrap_or_else(PoisonError::into_inner).keep(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(error: &Error) -> Error {
        serde_json::from_str(&serde_json::to_string(error).unwrap()).unwrap()
    }

    #[test]
    fn an_error_arrives_as_it_was() {
        let cause = Error::new(ErrorKind::NotFound, "deeper").with_source(std::io::Error::other("deepest"));
        let error = Error::new(ErrorKind::PermissionDenied, "cannot open it")
            .with_operation("open preopen")
            .with_context("path", "/data")
            .with_context("engine", "wasmedge")
            .with_hint("ask somebody")
            .with_source(cause);
        let told = there_and_back(&error);
        assert_eq!(told.to_string(), error.to_string());
        assert_eq!(told.kind(), ErrorKind::PermissionDenied);
        assert_eq!(told.operation(), "open preopen");
        assert_eq!(told.context(), error.context());
        assert_eq!(told.hint(), Some("ask somebody"));
        let bare = Error::new(ErrorKind::Busy, "no room");
        assert_eq!(there_and_back(&bare).to_string(), bare.to_string());
    }

    #[test]
    fn names_are_kept_once_and_not_without_end() {
        let mut names = Names::new();
        let first = names.keep("one-name").unwrap();
        assert!(std::ptr::eq(first, names.keep("one-name").unwrap()));
        assert_eq!(names.keep(&"x".repeat(LONGEST_NAME + 1)), None);
        let kept = (0..MOST_NAMES * 2).filter(|n| names.keep(&format!("name{n}")).is_some()).count();
        assert_eq!(kept, MOST_NAMES - 1);
    }
}
