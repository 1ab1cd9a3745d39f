//! A process's environment, as an OCI spec lists it: `NAME=VALUE`, the last one of a name wins.

use std::collections::BTreeMap;
use wasmrt_model::{Error, ErrorKind, Result};

/// Where programs are looked for when a process has no PATH, as Docker sets it.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads the list. An entry without `=` takes the variable away, which is what Docker means by one.
    ///
    /// # Errors
    /// `InvalidInput` for entries without a name, and with NUL bytes.
    pub(crate) fn read(entries: &[String]) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for entry in entries {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (entry.as_str(), None),
            };
            if name.is_empty() || entry.contains('\0') {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("process.env has '{}', which is no variable", entry.escape_debug()),
                )
                .with_operation("read spec")
                .with_hint("the form is NAME=VALUE"));
            }
            match value {
                Some(value) => variables.insert(name.to_owned(), value.to_owned()),
                None => variables.remove(name),
            };
        }
        Ok(Self(variables))
    }

    /// Where programs are looked for.
    pub(crate) fn search_path(&self) -> &str {
        self.0.get("PATH").map_or(DEFAULT_PATH, String::as_str)
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// By name.
    pub(crate) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> Result<Variables> {
        Variables::read(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_one_of_a_name_wins() {
        let variables = read(&["A=1", "B=x=y", "A=2", "EMPTY=", "GONE=1", "GONE"]).unwrap();
        let pairs: Vec<(String, String)> = variables.into_map().into_iter().collect();
        let expected = [("A", "2"), ("B", "x=y"), ("EMPTY", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn programs_are_looked_for_where_docker_does() {
        assert_eq!(read(&[]).unwrap().search_path(), DEFAULT_PATH);
        assert_eq!(read(&["PATH=/app"]).unwrap().search_path(), "/app");
        assert_eq!(read(&["PATH="]).unwrap().search_path(), "");
    }

    #[test]
    fn nameless_entries_are_refused() {
        for entry in ["=x", "", "A=\0", "A\0"] {
            let error = read(&[entry]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains(&entry.escape_debug().to_string()), "{error}");
        }
    }
}
