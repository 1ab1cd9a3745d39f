//! Files and directories that a guest is given.

use crate::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// What a guest may do with a preopen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Look, and change nothing: no write, no create, no rename, no times.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Everything.
    #[default]
    #[serde(rename = "rw")]
    ReadWrite,
}

/// A file or directory of the host under a path of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preopen {
    /// The file or directory on the host. Relative paths are relative to the caller's directory.
    pub host: PathBuf,
    /// Where the guest finds it.
    pub guest: String,
    /// Read-only or read-write.
    #[serde(default)]
    pub access: Access,
}

/// `HOST:GUEST[:ro|:rw]`, as docker's `-v` takes it; `HOST` alone means the same path inside.
impl FromStr for Preopen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("'{text}' is not a volume: {why}"))
                .with_hint("the form is HOST:GUEST, HOST:GUEST:ro or HOST:GUEST:rw")
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (host, guest, access) = match parts.as_slice() {
            [host] => (*host, *host, Access::ReadWrite),
            [host, guest] => (*host, *guest, Access::ReadWrite),
            [host, guest, "ro"] => (*host, *guest, Access::ReadOnly),
            [host, guest, "rw"] => (*host, *guest, Access::ReadWrite),
            [_, _, mode] => return Err(wrong(&format!("'{mode}' is neither ro nor rw"))),
            _ => return Err(wrong("too many colons")),
        };
        if host.is_empty() || guest.is_empty() {
            return Err(wrong("a path is empty"));
        }
        Ok(Self { host: host.into(), guest: guest.to_owned(), access })
    }
}

/// A guest path without `.`, double and trailing slashes; "" is the guest's root for relative names.
///
/// # Errors
/// `InvalidInput` for paths with `..` or NUL in them.
pub(crate) fn normalize_guest_path(path: &str) -> Result<String> {
    let refuse =
        |why: &str| Err(Error::new(ErrorKind::InvalidInput, format!("guest path '{}' {why}", path.escape_debug())));
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.contains('\0') {
        return refuse("contains a NUL byte");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return refuse("contains '..'"),
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    Ok(match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_read_as_docker_writes_them() {
        let preopen: Preopen = "/srv/data:/data:ro".parse().unwrap();
        assert_eq!(preopen, Preopen { host: "/srv/data".into(), guest: "/data".into(), access: Access::ReadOnly });
        assert_eq!("a:b".parse::<Preopen>().unwrap().access, Access::ReadWrite);
        assert_eq!("/tmp".parse::<Preopen>().unwrap().guest, "/tmp");
        for text in ["", ":", "a:", ":b", "a:b:rx", "a:b:ro:z"] {
            assert_eq!(text.parse::<Preopen>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
    }

    #[test]
    fn guest_paths_have_one_form() {
        for (path, normal) in [("/", "/"), ("/a//b/", "/a/b"), ("./a", "a"), (".", "."), ("a/./b", "a/b"), ("//", "/")]
        {
            assert_eq!(normalize_guest_path(path).unwrap(), normal);
        }
        for path in ["", "..", "/a/../b", "a\0b"] {
            assert!(normalize_guest_path(path).is_err());
        }
    }
}
