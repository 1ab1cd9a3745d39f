//! What a worker tells its supervisor: one JSON document, after which it is gone.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, ExitStatus, Value};

/// A worker's own account of its work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) end: ReportedEnd,
    /// What an invoked function returned.
    #[serde(default)]
    pub(crate) results: Vec<Value>,
    /// Pages over all of the guest's memories at its end.
    #[serde(default)]
    pub(crate) memory_pages: Option<u64>,
    /// Fuel that was used.
    #[serde(default)]
    pub(crate) fuel: Option<u64>,
    /// What the host refused.
    #[serde(default)]
    pub(crate) refusals: Vec<String>,
}

/// How the work ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReportedEnd {
    /// The guest came to an end of its own kind; for a compiler, it has succeeded.
    Ended(ExitStatus),
    /// We failed.
    Failed { kind: ErrorKind, message: String, hint: Option<String> },
}

impl Report {
    /// An account of an end and nothing else.
    pub(crate) fn ended(status: ExitStatus) -> Self {
        Self {
            end: ReportedEnd::Ended(status),
            results: Vec::new(),
            memory_pages: None,
            fuel: None,
            refusals: Vec::new(),
        }
    }

    /// An account of a failure.
    pub(crate) fn failed(error: &Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        let mut message = error.to_string();
        if let Some(hint) = &hint {
            message.truncate(message.len() - hint.len() - "; ".len());
        }
        let end = ReportedEnd::Failed { kind: error.kind(), message, hint };
        Self { end, results: Vec::new(), memory_pages: None, fuel: None, refusals: Vec::new() }
    }

    /// An account of what ended a guest.
    pub(crate) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Exit(code) => Self::ended(ExitStatus::Exited { code }),
            Ending::Trap(trap) => Self::ended(ExitStatus::Trapped { trap }),
            Ending::Limit(limit) => Self::ended(ExitStatus::LimitReached { limit }),
            Ending::Failed(error) => Self::failed(&error),
            _ => Self::failed(&Error::new(ErrorKind::Internal, "the guest ended in an unknown way")),
        }
    }

    /// Writes it into the pipe.
    pub(crate) fn send(&self, pipe: &OwnedFd) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        File::from(pipe.as_fd().try_clone_to_owned()?).write_all(&bytes)
    }

    /// Reads it. None when the worker died before it could say anything, or said nonsense.
    pub(crate) fn receive(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The error, when the work failed.
    pub(crate) fn into_result(self) -> Result<Self, Error> {
        match self.end {
            ReportedEnd::Failed { kind, message, hint } => {
                let error = Error::new(kind, message);
                Err(match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }
            ReportedEnd::Ended(_) => Ok(self),
        }
    }
}
