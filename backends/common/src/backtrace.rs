//! How backtraces are kept readable and bounded. Where a guest's frames are found is the engine's business.

use std::fmt::{self, Write};

/// Deeper backtraces are cut off at the outer end.
pub const MOST_FRAMES: usize = 64;

/// Names longer than this are cut: a guest chooses its own names, and a mangled one can expand without end.
const NAME_BYTES: usize = 512;

/// The name as its author wrote it, if it was mangled by Rust or C++.
#[must_use]
pub fn readable(name: &str) -> String {
    let mut bounded = Bounded(String::new());
    if name.len() <= NAME_BYTES {
        if let Ok(rust) = rustc_demangle::try_demangle(name) {
            // The alternate form leaves out the hash.
            if write!(bounded, "{rust:#}").is_ok() {
                return bounded.0;
            }
        } else if name.starts_with("_Z")
            && let Ok(symbol) = cpp_demangle::BorrowedSymbol::new(name.as_bytes())
            && symbol.structured_demangle(&mut bounded, &cpp_demangle::DemangleOptions::default()).is_ok()
        {
            return bounded.0;
        }
    }
    let end = name.floor_char_boundary(NAME_BYTES);
    name.get(..end).unwrap_or_default().to_owned()
}

/// Text that refuses to grow beyond [`NAME_BYTES`].
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > NAME_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_readable_and_stay_bounded() {
        assert_eq!(readable("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(readable("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(readable("plain"), "plain");
        assert!(readable(&"ä".repeat(NAME_BYTES)).len() <= NAME_BYTES);
        // Each substitution doubles what it stands for.
        let mut bomb = String::from("_Z1fI1a");
        for _ in 0..60 {
            bomb.push_str("S_S_");
        }
        assert!(readable(&bomb).len() <= NAME_BYTES);
    }
}
