//! Why the guard does not let a module through. Turns into the one error of every crate; keeps what a caller can act on.

use std::fmt;
use wasmrt_model::{Error, ErrorKind, Feature, FeatureSet};

/// A module that is not let through: the error, and the features whose absence is to blame.
#[derive(Debug)]
pub struct Refusal {
    error: Error,
    missing: FeatureSet,
}

impl Refusal {
    /// The module needs features that were not offered.
    pub(crate) fn missing(features: FeatureSet) -> Self {
        let plural = if features.iter().count() > 1 { "proposals" } else { "proposal" };
        let error = Error::new(ErrorKind::Unsupported, format!("the module needs the {plural} {features}"));
        Self { error, missing: features }
    }

    /// The module is a component.
    pub(crate) fn component() -> Self {
        let error = Error::new(ErrorKind::Unsupported, "this is a WebAssembly component, not a core module")
            .with_hint("it takes an engine that runs components, or a build of the program for wasm32-wasip1");
        Self { error, missing: FeatureSet::of(&[Feature::ComponentModel]) }
    }

    /// The module breaks a rule of the specification, at this offset.
    pub(crate) fn invalid(message: impl fmt::Display, offset: usize) -> Self {
        Error::new(ErrorKind::InvalidModule, message.to_string())
            .with_context("offset", format_args!("{offset:#x}"))
            .into()
    }

    /// Something in the module is above its bound.
    pub(crate) fn above(what: &str, value: impl fmt::Display, bound: impl fmt::Display) -> Self {
        Error::new(ErrorKind::LimitExceeded, format!("{what}: {value}, at most {bound}")).into()
    }

    /// What to branch on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The features that the module needs and that were not offered; empty when that is not the reason. An engine that
    /// has them too might run the module.
    #[must_use]
    pub fn missing_features(&self) -> FeatureSet {
        self.missing
    }

    /// The error without the features.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.error
    }

    /// The same refusal, with a fact added to its error.
    pub(crate) fn with_context(self, key: &'static str, value: impl fmt::Display) -> Self {
        Self { error: self.error.with_context(key, value), ..self }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, missing: FeatureSet::EMPTY }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// The validator's complaint, which knows where.
impl From<wasmparser::Error> for Refusal {
    fn from(error: wasmparser::Error) -> Self {
        Self::invalid(error.message(), error.offset())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// The result of everything in this crate that can refuse.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;
