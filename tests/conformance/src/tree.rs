//! The files of a case: what is laid out in its fresh directory before, and what has to be there afterwards.

use crate::Result;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::Deserialize;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// Something that is there before. A path alone is a directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Where, below the case's directory; parents are made.
    pub path: String,
    /// A file with this content.
    pub text: Option<String>,
    /// A file of this size, all zeros, without blocks.
    pub size: Option<u64>,
    /// A symbolic link to there; `{tmp}` is the case's directory.
    pub symlink: Option<String>,
    /// Another name of the file at this path below the case's directory.
    pub hardlink: Option<String>,
    /// `fifo`, `null` (a device node like /dev/null) or `socket`.
    pub special: Option<String>,
    /// Permissions, such as 0o644.
    pub mode: Option<u32>,
    /// So many numbered copies: NAME-0, NAME-1, ...
    pub copies: Option<u32>,
}

/// What has to be there afterwards. A path alone has to exist, as whatever.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Where, below the case's directory.
    pub path: String,
    /// Nothing may be there.
    #[serde(default)]
    pub absent: bool,
    /// A file with exactly this content.
    pub text: Option<String>,
    /// A file of this size.
    pub size: Option<u64>,
    /// A file of at most this size.
    pub at_most: Option<u64>,
    /// A symbolic link with this target.
    pub symlink: Option<String>,
    /// `file`, `directory`, `symlink` or `fifo`.
    pub kind: Option<String>,
    /// The modification time, in seconds.
    pub modified: Option<i64>,
    /// The number of names that the file has.
    pub links: Option<u64>,
    /// The permissions.
    pub mode: Option<u32>,
    /// Exactly these names in the directory, sorted.
    pub entries: Option<Vec<String>>,
}

/// Lays out what a case wants.
///
/// # Errors
/// What could not be made, and why.
pub fn lay_out(root: &Path, entries: &[Before]) -> Result<()> {
    for entry in entries {
        make(root, entry).map_err(|error| format!("cannot lay out {}: {error}", entry.path))?;
    }
    Ok(())
}

fn make(root: &Path, entry: &Before) -> std::io::Result<()> {
    if let Some(copies) = entry.copies {
        for copy in 0..copies {
            make(root, &Before { path: format!("{}-{copy}", entry.path), copies: None, ..entry.clone() })?;
        }
        return Ok(());
    }
    let path = root.join(&entry.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if let Some(text) = &entry.text {
        fs::write(&path, text)?;
    } else if let Some(size) = entry.size {
        fs::File::create(&path)?.set_len(size)?;
    } else if let Some(target) = &entry.symlink {
        return symlink(target.replace("{tmp}", &root.to_string_lossy()), &path);
    } else if let Some(existing) = &entry.hardlink {
        fs::hard_link(root.join(existing), &path)?;
    } else {
        match entry.special.as_deref() {
            None => fs::create_dir_all(&path)?,
            Some("fifo") => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?,
            Some("null") => {
                mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), rustix::fs::makedev(1, 3))?;
            }
            Some("socket") => mknodat(CWD, &path, FileType::Socket, Mode::from_raw_mode(0o666), 0)?,
            Some(other) => return Err(std::io::Error::other(format!("'{other}' is not fifo, null or socket"))),
        }
    }
    if let Some(mode) = entry.mode {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Checks what a run left behind.
///
/// # Errors
/// Everything that is not as expected.
pub fn check(root: &Path, entries: &[After]) -> Result<(), Vec<String>> {
    let wrong: Vec<String> = entries.iter().filter_map(|entry| examine(root, entry).err()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn examine(root: &Path, entry: &After) -> Result<()> {
    let path = root.join(&entry.path);
    let differs = |what: &str| Err(format!("{}: {what}", entry.path));
    let metadata = match fs::symlink_metadata(&path) {
        Ok(_) if entry.absent => return differs("it should not be there"),
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && entry.absent => return Ok(()),
        Err(error) => return differs(&error.to_string()),
    };
    if let Some(kind) = &entry.kind {
        let seen = kind_of(&metadata.file_type());
        if seen != kind {
            return differs(&format!("a {seen} instead of a {kind}"));
        }
    }
    if let Some(text) = &entry.text {
        let content = fs::read(&path).map_err(|error| format!("{}: {error}", entry.path))?;
        if content != text.as_bytes() {
            return differs(&format!("'{}' instead of '{text}'", String::from_utf8_lossy(&content)));
        }
    }
    if let Some(target) = &entry.symlink {
        let seen = fs::read_link(&path).map_err(|error| format!("{}: {error}", entry.path))?;
        if seen.as_os_str() != target.as_str() {
            return differs(&format!("links to {} instead of {target}", seen.display()));
        }
    }
    if let Some(names) = &entry.entries {
        let seen = names_in(&path).map_err(|error| format!("{}: {error}", entry.path))?;
        if seen != *names {
            return differs(&format!("holds {seen:?} instead of {names:?}"));
        }
    }
    let figures = [
        ("size", entry.size, metadata.len()),
        ("links", entry.links, metadata.nlink()),
        ("mode", entry.mode.map(u64::from), u64::from(metadata.mode() & 0o7777)),
    ];
    for (what, wanted, seen) in figures {
        if wanted.is_some_and(|wanted| wanted != seen) {
            return differs(&format!("{what} {seen} instead of {}", wanted.unwrap_or_default()));
        }
    }
    if entry.modified.is_some_and(|wanted| wanted != metadata.mtime()) {
        return differs(&format!("modified at {}", metadata.mtime()));
    }
    if entry.at_most.is_some_and(|bound| metadata.len() > bound) {
        return differs(&format!("size {} is too large", metadata.len()));
    }
    Ok(())
}

/// Everything below a directory that a run may have changed, one line an entry: for comparing two runs.
///
/// # Errors
/// What could not be read.
pub fn snapshot(root: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    walk(root, root, &mut lines).map_err(|error| format!("cannot read {}: {error}", root.display()))?;
    lines.sort();
    Ok(lines)
}

fn walk(root: &Path, directory: &Path, lines: &mut Vec<String>) -> std::io::Result<()> {
    /// A sparse file may be far larger than what anybody wants to read.
    const READ: u64 = 1 << 20;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let kind = kind_of(&metadata.file_type());
        let detail = match kind {
            "symlink" => fs::read_link(&path)?.display().to_string().replace(&*root.to_string_lossy(), "{tmp}"),
            "file" if metadata.len() <= READ => format!("{} {:?}", metadata.len(), fs::read(&path)?),
            "file" => metadata.len().to_string(),
            _ => String::new(),
        };
        lines.push(format!("{shown} {kind} {:o} {detail}", metadata.mode() & 0o7777));
        if kind == "directory" {
            walk(root, &path, lines)?;
        }
    }
    Ok(())
}

fn kind_of(file_type: &fs::FileType) -> &'static str {
    match file_type {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symlink",
        kind if kind.is_file() => "file",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_socket() => "socket",
        _ => "device",
    }
}

fn names_in(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut names = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
