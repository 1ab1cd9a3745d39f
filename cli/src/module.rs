//! Reading a module: from a file or standard input, no more of it than the limit, and text made into binary.
//!
//! Whether the bytes are a module that can run is not decided here.

use crate::quantity;
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use wasmrt_model::units::Bytes;
use wasmrt_model::{Error, ErrorKind, Limit, Result};
use wasmrt_runtime::Kind;

/// Memory is taken ahead for at most this much of what a file claims to hold.
const TAKEN_AHEAD: u64 = 64 << 20;

/// Where a module comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModuleSource {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl ModuleSource {
    /// `-` is standard input, anything else a path.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path == Path::new("-") { Self::Stdin } else { Self::File(path) }
    }

    /// How messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "<stdin>".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The name that the guest has for itself: the last part of the path, so that the host's directories stay unknown.
    pub(crate) fn guest_name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }
}

/// The bytes of a file, and what it is.
#[derive(Debug)]
pub(crate) struct Module {
    /// Binary, also when the file was text.
    pub(crate) bytes: Vec<u8>,
    /// What was found in the file.
    pub(crate) kind: Kind,
    /// How large the file was.
    pub(crate) file_bytes: usize,
}

/// Reads a module of at most this size.
///
/// # Errors
/// `NotFound`, `PermissionDenied`, `LimitExceeded`; `NotWasm` for a directory; `InvalidModule` with line and column for text with an
/// error in it.
pub(crate) fn read(source: &ModuleSource, limit: Limit<Bytes>) -> Result<Module> {
    let bytes = match source {
        ModuleSource::Stdin => read_stdin(limit)?,
        ModuleSource::File(path) => read_file(path, limit)?,
    };
    let file_bytes = bytes.len();
    let sniffed = wasmrt_runtime::sniff(&bytes);
    let (bytes, kind) = if sniffed == Kind::Text || (sniffed == Kind::Unknown && is_named_as_text(source)) {
        (from_text(source, &bytes)?, Kind::Text)
    } else {
        (bytes, sniffed)
    };
    Ok(Module { bytes, kind, file_bytes })
}

fn read_stdin(limit: Limit<Bytes>) -> Result<Vec<u8>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the module is to come from standard input, which is a terminal",
        )
        .with_hint("pipe a module into it, or name a file"));
    }
    read_bounded(stdin.lock(), 0, limit).map_err(|failure| failure.into_error("standard input"))
}

fn read_file(path: &Path, limit: Limit<Bytes>) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|source| unopened(path, source))?;
    if metadata.is_dir() {
        return Err(Error::new(ErrorKind::NotWasm, format!("'{name}' is a directory, not a module"))
            .with_hint("name the .wasm file in it"));
    }
    let expected = expected_bytes(&metadata);
    if exceeds(expected, limit) {
        return Err(ReadFailure::TooLarge(limit).into_error(&name));
    }
    read_bounded(file, expected, limit).map_err(|failure| failure.into_error(&name))
}

fn unopened(path: &Path, source: io::Error) -> Error {
    let name = path.display();
    if source.kind() != io::ErrorKind::NotFound {
        return Error::io(format!("cannot open the module '{name}'"), source);
    }
    let error = Error::new(ErrorKind::NotFound, format!("there is no module '{name}'"));
    let bare_word = path.components().count() == 1 && path.extension().is_none();
    error.with_hint(if bare_word {
        "it is no command either; 'wasm-run --help' lists the commands"
    } else if path.is_relative() {
        "the path is taken from the current directory"
    } else {
        "check the path"
    })
}

/// The size of a regular file; 0 for pipes and devices, which do not tell.
fn expected_bytes(metadata: &Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
}

fn exceeds(bytes: u64, limit: Limit<Bytes>) -> bool {
    limit.bound().is_some_and(|bound| bytes > bound.0)
}

enum ReadFailure {
    TooLarge(Limit<Bytes>),
    Io(io::Error),
}

impl ReadFailure {
    fn into_error(self, name: &str) -> Error {
        match self {
            Self::TooLarge(limit) => {
                let limit = limit.bound().map_or_else(|| "unlimited".to_owned(), |bound| quantity::size(bound.0));
                Error::new(ErrorKind::LimitExceeded, format!("the module in '{name}' is larger than {limit}"))
                    .with_hint("raise the limit with --max-module-size")
            }
            Self::Io(source) => Error::io(format!("cannot read the module in '{name}'"), source),
        }
    }
}

fn read_bounded(reader: impl Read, expected: u64, limit: Limit<Bytes>) -> Result<Vec<u8>, ReadFailure> {
    let most = limit.bound().map_or(u64::MAX, |bound| bound.0.saturating_add(1));
    let mut bytes = Vec::with_capacity(usize::try_from(expected.min(most).min(TAKEN_AHEAD)).unwrap_or(0));
    reader.take(most).read_to_end(&mut bytes).map_err(ReadFailure::Io)?;
    if exceeds(u64::try_from(bytes.len()).unwrap_or(u64::MAX), limit) {
        return Err(ReadFailure::TooLarge(limit));
    }
    Ok(bytes)
}

/// Whether the name promises text, so that an error in its first word is told as one in text.
fn is_named_as_text(source: &ModuleSource) -> bool {
    match source {
        ModuleSource::Stdin => false,
        ModuleSource::File(path) => path.extension().is_some_and(|extension| extension == "wat"),
    }
}

fn from_text(source: &ModuleSource, text: &[u8]) -> Result<Vec<u8>> {
    let name = source.name();
    let binary = wat::Parser::new().parse_bytes(Some(Path::new(&name)), text);
    binary
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| Error::new(ErrorKind::InvalidModule, format!("the text in '{name}' is not valid: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_learns_no_directory() {
        for (path, name) in [("app.wasm", "app.wasm"), ("/srv/private/app.wasm", "app.wasm"), ("./x", "x"), ("-", "-")]
        {
            assert_eq!(ModuleSource::new(path).guest_name(), name);
        }
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let limit = Limit::At(Bytes(4));
        assert!(read_bounded(&b"1234"[..], 0, limit).is_ok());
        assert!(matches!(read_bounded(io::repeat(0), 0, limit), Err(ReadFailure::TooLarge(_))));
        assert!(read_bounded(&b"12345"[..], 5, Limit::Unlimited).is_ok());
    }

    #[test]
    fn text_becomes_binary() {
        let source = ModuleSource::new("x.wat");
        assert!(from_text(&source, b"(module)").unwrap().starts_with(b"\0asm"));
        let error = from_text(&source, b"(module\n  (func (bogus)))").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule);
        assert!(error.message().contains("x.wat:2:"), "{error}");
    }
}
