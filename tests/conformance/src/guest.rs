//! Where a case's module comes from: its own text, a guest built from source, literal bytes, or a generator.

use crate::{Result, generate};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The variable that names the directory of built guests.
pub const GUESTS_VARIABLE: &str = "WASMRT_GUESTS";

/// The source of a module.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum GuestSource {
    /// A guest that `tests/guests/build` makes: `rust/cat`.
    Built(String),
    /// Bytes in hexadecimal, blanks between them allowed.
    Hex {
        /// The digits.
        hex: String,
    },
    /// This text, as it is.
    Text {
        /// The text.
        text: String,
    },
    /// A copy of a file of the machine.
    File {
        /// Its path.
        file: PathBuf,
    },
    /// A module out of [`generate`].
    Generated {
        /// What is made too large.
        generate: String,
        /// How large.
        count: u32,
    },
    /// The case's own text.
    #[serde(skip)]
    Wat {
        /// The case.
        path: PathBuf,
    },
}

impl GuestSource {
    /// Why the guest cannot be had on this machine, if so: it was not built.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        match self {
            Self::Built(name) if !built(name).is_file() => {
                Some(format!("the guest {name} is not built: run tests/guests/build, or set {GUESTS_VARIABLE}"))
            }
            _ => None,
        }
    }

    /// Under which name the guest may be required: forks take minutes to build, and only who asks for them has them.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Built(name) if name.starts_with("rust/fork-") => "forks",
            _ => "guests",
        }
    }

    /// The module's bytes: binary, but for text that the case hands over as it is.
    ///
    /// # Errors
    /// What could not be read, assembled or generated.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Built(name) => read(&built(name)),
            Self::Hex { hex } => from_hex(hex),
            Self::Text { text } => Ok(text.clone().into_bytes()),
            Self::File { file } => read(file),
            Self::Generated { generate, count } => generate::module(generate, *count),
            Self::Wat { path } => wat::parse_file(path).map_err(|error| error.to_string()),
        }
    }

    /// The file that a front-end may be given directly, without copying it: a built guest is shared by many cases.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Built(name) => Some(built(name)),
            _ => None,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn built(name: &str) -> PathBuf {
    guests_directory().join(format!("{name}.wasm"))
}

/// The directory of built guests: as the environment says, else `guests` in the target directory that this program stands in.
fn guests_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os(GUESTS_VARIABLE) {
        return directory.into();
    }
    let target = std::env::current_exe().ok().and_then(|exe| exe.ancestors().nth(3).map(Path::to_owned));
    target.unwrap_or_else(|| "target".into()).join("guests")
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| {
            c.to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or_else(|| format!("'{c}' is no hexadecimal digit"))
        })
        .collect::<Result<_>>()?;
    if digits.len() % 2 == 1 {
        return Err("half a byte is left over".to_owned());
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
