//! Files of environment variables, in docker's form.

use crate::args::values::Variable;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use wasmrt_model::{Error, ErrorKind, Result};

/// Environments are small; a file beyond this is something else.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the variables in a file: `NAME=VALUE` or `NAME` on a line, comment lines begin with `#`.
///
/// # Errors
/// `NotFound` and the like; `InvalidInput` with the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Variable>> {
    let name = path.display();
    let mut text = String::new();
    let failed = |source| Error::io(format!("cannot read the environment file '{name}'"), source);
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::InvalidInput, format!("the environment file '{name}' is not UTF-8 text"))
        }
        _ => failed(source),
    })?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(Error::new(ErrorKind::InvalidInput, format!("the environment file '{name}' is larger than 1 MiB")));
    }
    parse(&text).map_err(|(line, error)| {
        Error::new(ErrorKind::InvalidInput, format!("{name}:{line}: {}", error.message()))
            .with_hint("a line is NAME=VALUE, NAME, or a comment that begins with '#'")
    })
}

fn parse(text: &str) -> Result<Vec<Variable>, (usize, Error)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.contains(char::is_whitespace) {
            let error = Error::new(ErrorKind::InvalidInput, format!("the name '{name}' has a space in it"));
            return Err((index + 1, error));
        }
        variables.push(line.parse().map_err(|error| (index + 1, error))?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_docker_reads_them() {
        let text = "\u{feff}# comment\n\nA=1\r\n  B=two words = and 'quotes' \nC=\nHOST_ONE\n";
        let set = |name: &str, value: &str| Variable::Set(name.to_owned(), value.to_owned());
        assert_eq!(
            parse(text).unwrap(),
            [
                set("A", "1"),
                set("B", "two words = and 'quotes' "),
                set("C", ""),
                Variable::Inherit("HOST_ONE".to_owned())
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        for text in ["A=1\n=2\n", "A=1\nB C=2\n", "# x\nB C\n"] {
            assert_eq!(parse(text).unwrap_err().0, 2, "{text}");
        }
    }
}
