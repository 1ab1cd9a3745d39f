//! Cases that are scripts: each line is a WASI call and what it has to answer, `CALL => RESULT`.
//!
//! The guest `rust/calls` gets the calls as arguments and prints each with its result. A result may name alternatives, `perm|acces`,
//! be `!ok`: any refusal, where which one is not the point, or end in `...`: anything that begins like this.

use crate::Result;
use crate::case::Header;
use crate::guest::GuestSource;

const ARROW: &str = " => ";

/// Turns the script into arguments for the guest.
///
/// # Errors
/// The first line that is not `CALL => RESULT`.
pub fn apply(lines: &str, header: &mut Header) -> Result<()> {
    let mut args: Vec<serde_json::Value> = vec!["calls".into()];
    for line in meant(lines) {
        let (call, _) = line.split_once(ARROW).ok_or_else(|| format!("'{line}' is not CALL => RESULT"))?;
        args.push(call.trim().into());
    }
    if header.spec.insert("args".to_owned(), args.into()).is_some() {
        return Err("a script is its guest's arguments: spec.args stands in its way".to_owned());
    }
    if header.guest.is_none() {
        header.guest = Some(GuestSource::Built("rust/calls".to_owned()));
    }
    Ok(())
}

/// Compares what the guest printed with the script.
///
/// # Errors
/// The first line that differs, with what was expected.
pub fn compare(lines: &str, stdout: &str) -> Result<()> {
    let mut printed = stdout.lines();
    for line in meant(lines) {
        let (call, wanted) = line.split_once(ARROW).unwrap_or((line, ""));
        let Some(seen) = printed.next() else {
            // A call that ends the guest prints nothing: it is the last one, and says so.
            return if wanted.trim() == "(ends)" {
                Ok(())
            } else {
                Err(format!("the script stopped before '{}', which should answer '{}'", call.trim(), wanted.trim()))
            };
        };
        let (seen_call, result) = seen.split_once(ARROW).unwrap_or((seen, ""));
        if seen_call != call.trim() {
            return Err(format!("'{seen}' was printed where '{}' was to be", line.trim()));
        }
        if !fits(wanted.trim(), result) {
            return Err(format!("{}: '{result}' instead of '{}'", call.trim(), wanted.trim()));
        }
    }
    printed.next().map_or(Ok(()), |line| Err(format!("'{line}' was printed after the script's end")))
}

fn fits(wanted: &str, result: &str) -> bool {
    if wanted == "!ok" {
        return !result.is_empty() && result != "ok" && !result.starts_with("ok ");
    }
    if let Some(start) = wanted.strip_suffix("...") {
        return result.starts_with(start);
    }
    wanted == result || wanted.split('|').any(|alternative| alternative == result)
}

/// The lines without empty ones and comments.
fn meant(lines: &str) -> impl Iterator<Item = &str> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_compared_line_by_line() {
        let script = "a 1 => ok 5\n\n# a comment\nb => perm|acces\nc => !ok";
        assert!(compare(script, "a 1 => ok 5\nb => acces\nc => noent\n").is_ok());
        assert!(compare(script, "a 1 => ok 6\nb => acces\nc => noent\n").is_err());
        assert!(compare(script, "a 1 => ok 5\nb => ok\nc => noent\n").is_err());
        assert!(compare(script, "a 1 => ok 5\nb => perm\nc => ok 3\n").is_err());
        assert!(compare("a => ok 5...", "a => ok 57\n").is_ok());
        assert!(compare("a => ok 5...", "a => ok 6\n").is_err());
        assert!(compare(script, "a 1 => ok 5\nb => perm\n").is_err());
        assert!(compare(script, "a 1 => ok 5\nb => perm\nc => io\nd => ok\n").is_err());
    }

    #[test]
    fn a_call_that_ends_the_guest_is_the_last() {
        assert!(compare("a => ok\nb => (ends)", "a => ok\n").is_ok());
        assert!(compare("a => ok\nb => (ends)", "a => ok\nb => ok\n").is_err());
    }
}
