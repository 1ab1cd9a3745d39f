//! The program that a process runs, found in a container's files as execvp(3) finds one, and told WebAssembly from the rest by its content.
//!
//! What is wrong is said in the words that container engines look for when they choose an exit code: 127 for what is not there, 126 for
//! what cannot be run.

use super::environment::Variables;
use super::rootfs::{Rootfs, open_found};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use wasmrt_model::{Error, ErrorKind, Result};

/// What modules and components start with.
const MAGIC: &[u8; 4] = b"\0asm";

/// What is being done while a program is looked for.
pub(crate) const FIND_PROGRAM: &str = "find program";

/// What a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramKind {
    /// A WebAssembly module or component.
    Wasm,
    /// Anything else that may be executed: the kernel knows how, or does not.
    Linux,
}

/// A program that was found.
#[derive(Debug)]
pub(crate) struct Program {
    /// It, open for reading.
    pub(crate) file: File,
    /// Its path in the container, without links.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) kind: ProgramKind,
    /// The export that was asked for by `app.wasm#export`.
    pub(crate) export: Option<String>,
}

/// Why a path is no program.
#[derive(Debug)]
enum Miss {
    /// There is nothing.
    Absent(Errno),
    /// There is something, and it is not to be run.
    Unfit(Error),
}

impl Program {
    /// WebAssembly that is in no file of the container's, under the name by which it was asked for.
    ///
    /// # Errors
    /// `NotWasm` for what is none; the system's when it cannot be read.
    pub(crate) fn without_a_file(bytes: File, name: &str) -> Result<Self> {
        if !starts_with_magic(&bytes).map_err(|error| unreadable(name, error))? {
            return Err(unfit(name, "is not WebAssembly, whatever the image's layer says"));
        }
        let (path, export) = split_export(name);
        if export == Some("") {
            return Err(unfit(name, "names no export behind its '#'"));
        }
        Ok(Self { file: bytes, path: path.into(), kind: ProgramKind::Wasm, export: export.map(str::to_owned) })
    }
}

/// A program's name, and the export that is asked for behind its first `#`.
pub(crate) fn split_export(name: &str) -> (&str, Option<&str>) {
    match name.match_indices('#').find(|(at, _)| *at > 0) {
        Some((at, _)) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    }
}

impl Rootfs {
    /// Finds the program for the first argument of a process.
    ///
    /// A name without a slash is looked for in PATH, and then, if it is WebAssembly, in the working directory, where images often have theirs.
    /// WebAssembly need not be executable. `must_be_wasm`: the annotation that says so, if one does.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; `NotWasm` for everything that cannot be run; `Internal` and others of the system when it
    /// cannot be read.
    pub(crate) fn find_program(
        &self,
        name: &str,
        variables: &Variables,
        cwd: &Path,
        must_be_wasm: Option<&str>,
    ) -> Result<Program> {
        let search = Search { rootfs: self, path: variables.search_path(), cwd };
        let found = search.with_export(name).and_then(|program| match (must_be_wasm, program.kind) {
            (Some(annotation), ProgramKind::Linux) => {
                Err(unfit(name, &format!("is not WebAssembly, and the annotation {annotation} says that it is")))
            }
            _ => Ok(program),
        });
        found.map_err(|error| error.with_operation(FIND_PROGRAM))
    }
}

struct Search<'a> {
    rootfs: &'a Rootfs,
    path: &'a str,
    cwd: &'a Path,
}

impl Search<'_> {
    /// A file of exactly this name; without one, what is before a `#`, of which the export is what is behind it.
    fn with_export(&self, name: &str) -> Result<Program> {
        let mut first = match self.named(name, name) {
            Ok(program) => return Ok(program),
            Err(Miss::Unfit(error)) => return Err(error),
            Err(Miss::Absent(errno)) => absent(name, errno),
        };
        for (at, _) in name.match_indices('#').filter(|(at, _)| *at > 0) {
            let (file, export) = (&name[..at], &name[at + 1..]);
            match self.named(file, name) {
                Ok(_) if export.is_empty() => return Err(unfit(name, "names no export behind its '#'")),
                Ok(program) if program.kind == ProgramKind::Linux => {
                    return Err(unfit(name, &format!("names an export, and '{file}' is not WebAssembly")));
                }
                Ok(program) => return Ok(Program { export: Some(export.to_owned()), ..program }),
                Err(Miss::Unfit(error)) if first.kind() == ErrorKind::NotFound => first = error,
                Err(_) => {}
            }
        }
        Err(first)
    }

    fn named(&self, file: &str, asked: &str) -> std::result::Result<Program, Miss> {
        if file.is_empty() {
            return Err(Miss::Absent(Errno::NOENT));
        }
        if file.contains('/') {
            return self.at(&self.cwd.join(file), asked);
        }
        let mut unfit = None;
        for directory in self.path.split(':') {
            match self.at(&self.cwd.join(directory).join(file), asked) {
                Err(Miss::Unfit(error)) => unfit = unfit.or(Some(error)),
                Err(Miss::Absent(_)) => {}
                found => return found,
            }
        }
        match self.at(&self.cwd.join(file), asked) {
            Ok(program) if program.kind == ProgramKind::Wasm => Ok(program),
            Err(Miss::Unfit(error)) if has_wasm_name(file) => Err(Miss::Unfit(unfit.unwrap_or(error))),
            _ => Err(unfit.map_or(Miss::Absent(Errno::NOENT), Miss::Unfit)),
        }
    }

    fn at(&self, path: &Path, asked: &str) -> std::result::Result<Program, Miss> {
        let unfit = |why: &str| Miss::Unfit(unfit(asked, why));
        let found = self.rootfs.find(path).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => Miss::Absent(errno),
            Errno::ACCESS => unfit("permission denied"),
            Errno::LOOP => unfit("too many levels of symbolic links"),
            Errno::NAMETOOLONG => unfit("file name too long"),
            errno => Miss::Unfit(unreadable(asked, errno.into())),
        })?;
        match found.file_type {
            FileType::RegularFile => {}
            FileType::Directory => return Err(unfit("is a directory")),
            FileType::Fifo => return Err(unfit("permission denied: it is a FIFO")),
            FileType::Socket => return Err(unfit("permission denied: it is a socket")),
            _ => return Err(unfit("permission denied: it is a device")),
        }
        let handle = found.handle().ok_or(Miss::Absent(Errno::NOENT))?;
        let mode = fstat(handle).map_err(|errno| Miss::Unfit(unreadable(asked, errno.into())))?.st_mode;
        let file = open_found(handle).map_err(|error| Miss::Unfit(unreadable(asked, error)))?;
        let kind = if starts_with_magic(&file).map_err(|error| Miss::Unfit(unreadable(asked, error)))? {
            ProgramKind::Wasm
        } else if has_wasm_name(&path.to_string_lossy()) {
            return Err(Miss::Unfit(
                self::unfit(asked, "is not WebAssembly, whatever its name says")
                    .with_hint("a module or component in its binary form is needed; text is to be translated first"),
            ));
        } else if mode & 0o111 == 0 {
            return Err(unfit("permission denied: it is neither WebAssembly nor executable"));
        } else {
            ProgramKind::Linux
        };
        Ok(Program { file, path: found.place, kind, export: None })
    }
}

fn starts_with_magic(file: &File) -> std::io::Result<bool> {
    let mut start = [0; MAGIC.len()];
    match file.read_exact_at(&mut start, 0) {
        Ok(()) => Ok(start == *MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_wasm_name(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "wasm" || extension == "wat")
}

fn absent(name: &str, errno: Errno) -> Error {
    let why = match errno {
        Errno::NOTDIR => "not a directory",
        _ if name.contains('/') => "no such file or directory",
        _ => "executable file not found in $PATH",
    };
    Error::new(ErrorKind::NotFound, format!("exec: \"{}\": {why}", name.escape_debug()))
}

fn unfit(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::NotWasm, format!("exec: \"{}\": {why}", name.escape_debug()))
}

fn unreadable(name: &str, error: std::io::Error) -> Error {
    Error::io(format!("exec: \"{}\": cannot be read", name.escape_debug()), error)
}

#[cfg(test)]
mod tests;
