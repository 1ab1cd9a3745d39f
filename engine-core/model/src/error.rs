//! The one error of every crate: what kind, doing what, to what, and why.
//!
//! Callers branch on [`ErrorKind`], people read the rest. A guest that traps, exits or runs into a limit is no error: that
//! is an [`Outcome`](crate::Outcome).

mod wire;

use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;

/// What went wrong, as far as a caller can act on it. The string form ([`ErrorKind::as_str`]) is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for makes no sense: a malformed size, two preopens of one guest path.
    InvalidInput,
    /// A file that the caller named does not exist.
    NotFound,
    /// The operating system refused: permissions, a read-only file system, a missing privilege.
    PermissionDenied,
    /// The bytes are no WebAssembly module: an ELF file, a script, an empty or damaged file.
    NotWasm,
    /// A WebAssembly module that breaks the specification's rules.
    InvalidModule,
    /// The module, or the run, is above a limit before it has even started.
    LimitExceeded,
    /// The module wants functions, memories, tables or globals that nobody offers.
    MissingImports,
    /// The module does not offer the function that is to be called.
    MissingExport,
    /// A correct request that this engine, isolation level or machine cannot carry out. Nothing was dropped silently.
    Unsupported,
    /// The operator's ceiling forbids it.
    Denied,
    /// The engine is not on this machine, or not in a version that is known.
    EngineUnavailable,
    /// Compiling took longer, or more memory, than allowed, or the compiler crashed.
    CompileFailed,
    /// Another program has the address that is to be listened at.
    AddressInUse,
    /// The caller ended it.
    Cancelled,
    /// As many runs are under way, and wait, as may. Later there is room again.
    Busy,
    /// wasmrt itself, or the machine below it, failed.
    Internal,
}

impl ErrorKind {
    /// The stable name: what bindings map to their own codes and what reports carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::NotFound => "not-found",
            Self::PermissionDenied => "permission-denied",
            Self::NotWasm => "not-wasm",
            Self::InvalidModule => "invalid-module",
            Self::LimitExceeded => "limit-exceeded",
            Self::MissingImports => "missing-imports",
            Self::MissingExport => "missing-export",
            Self::Unsupported => "unsupported",
            Self::Denied => "denied",
            Self::EngineUnavailable => "engine-unavailable",
            Self::CompileFailed => "compile-failed",
            Self::AddressInUse => "address-in-use",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }

    /// The process exit code of a front-end that fails with this kind (the guest never ran).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 127,
            Self::NotWasm
            | Self::InvalidModule
            | Self::LimitExceeded
            | Self::MissingImports
            | Self::MissingExport
            | Self::Unsupported
            | Self::Denied
            | Self::CompileFailed => 126,
            _ => 125,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: its kind, a sentence, where it happened, what to do about it and what caused it.
///
/// The display form is one line, `operation: message (key value, ...); hint`, causes after a colon.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. `message` says what is wrong, without the operation and without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, operation: "", message: message.into(), context: Vec::new(), hint: None, source: None }
    }

    /// An error from the operating system, whose kind follows from its `io::ErrorKind`.
    #[must_use]
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::PermissionDenied
            }
            std::io::ErrorKind::AddrInUse => ErrorKind::AddressInUse,
            std::io::ErrorKind::AddrNotAvailable => ErrorKind::InvalidInput,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, message).with_source(source)
    }

    /// Says what was being done, in two or three words: "open preopen". The outermost caller that knows it wins.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.operation = operation;
        self
    }

    /// Adds a fact: ("engine", "wasmedge"), ("path", "/data").
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((key, value.to_string()));
        self
    }

    /// Says what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What to branch on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was being done, or "".
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What is wrong, without operation, context and hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The facts that were added, in order.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.operation.is_empty() {
            write!(f, "{}: ", self.operation)?;
        }
        f.write_str(&self.message)?;
        for (index, (key, value)) in self.context.iter().enumerate() {
            write!(f, "{}{key} {value}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.context.is_empty() {
            f.write_str(")")?;
        }
        let mut cause: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(source) = cause {
            write!(f, ": {source}")?;
            cause = source.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// The result of everything that can fail on our side.
pub type Result<T, E = Error> = std::result::Result<T, E>;
