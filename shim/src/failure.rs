//! What goes wrong, in the words that containerd understands.

use crate::words::sentence;
use containerd_shim::protos::ttrpc;
use wasmrt_model::{Error, ErrorKind};

/// As an answer of the task API.
pub(crate) fn status(error: &Error) -> ttrpc::Error {
    use ttrpc::Code;
    let code = match error.kind() {
        ErrorKind::InvalidInput
        | ErrorKind::NotWasm
        | ErrorKind::InvalidModule
        | ErrorKind::MissingExport
        | ErrorKind::MissingImports => Code::INVALID_ARGUMENT,
        ErrorKind::NotFound => Code::NOT_FOUND,
        ErrorKind::Unsupported => Code::UNIMPLEMENTED,
        ErrorKind::Denied | ErrorKind::PermissionDenied => Code::PERMISSION_DENIED,
        ErrorKind::LimitExceeded | ErrorKind::Busy => Code::RESOURCE_EXHAUSTED,
        ErrorKind::Cancelled => Code::CANCELLED,
        ErrorKind::EngineUnavailable => Code::FAILED_PRECONDITION,
        _ => Code::UNKNOWN,
    };
    answer(code, sentence(error))
}

fn answer(code: ttrpc::Code, text: String) -> ttrpc::Error {
    ttrpc::Error::RpcStatus(ttrpc::get_status(code, text))
}

/// There is no container, or no process, of this name here.
pub(crate) fn not_found(what: &str) -> ttrpc::Error {
    answer(ttrpc::Code::NOT_FOUND, format!("{what}: not found"))
}

/// There is one of this name here.
pub(crate) fn already_exists(what: &str) -> ttrpc::Error {
    answer(ttrpc::Code::ALREADY_EXISTS, format!("{what} exists already"))
}

/// This cannot be done as things are.
pub(crate) fn precondition(what: impl Into<String>) -> ttrpc::Error {
    answer(ttrpc::Code::FAILED_PRECONDITION, what.into())
}

/// An error of a library, with everything that it says of its causes.
pub(crate) fn with_causes(what: &str, error: &dyn std::error::Error) -> Error {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    Error::new(ErrorKind::Internal, text)
}
