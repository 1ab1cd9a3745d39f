//! Function names for backtraces, from a module's name section.

use rustc_demangle::try_demangle;
use wasmparser::{KnownCustom, Name, NameMap, Parser, Payload};

/// A module's function names. Nothing is read until a name is asked for; a damaged section only has fewer names.
#[derive(Debug, Clone, Copy)]
pub struct FunctionNames<'a> {
    bytes: &'a [u8],
}

/// The names of the functions of a module, from the bytes that the guest was given as or from prepared ones.
#[must_use]
pub fn function_names(bytes: &[u8]) -> FunctionNames<'_> {
    FunctionNames { bytes }
}

impl FunctionNames<'_> {
    /// The name of the function with this index, demangled if it is a mangled Rust name.
    #[must_use]
    pub fn get(&self, function: u32) -> Option<String> {
        let naming = self.naming()?.into_iter().map_while(Result::ok).find(|naming| naming.index == function)?;
        Some(match try_demangle(naming.name) {
            // The alternate form leaves out the hash.
            Ok(name) => format!("{name:#}"),
            Err(_) => naming.name.to_owned(),
        })
    }

    /// The part of the name section that is about functions.
    fn naming(&self) -> Option<NameMap<'_>> {
        for payload in Parser::new(0).parse_all(self.bytes).map_while(Result::ok) {
            if let Payload::CustomSection(section) = payload
                && let KnownCustom::Name(names) = section.as_known()
            {
                return names.into_iter().map_while(Result::ok).find_map(|name| match name {
                    Name::Function(functions) => Some(functions),
                    _ => None,
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = r#"(module
        (import "a" "b" (func $imported))
        (func $plain)
        (func $_ZN4core9panicking5panic17h0123456789abcdefE)
        (func))"#;

    #[test]
    fn names_are_found_and_demangled() {
        let bytes = wat::parse_str(MODULE).unwrap();
        let names = function_names(&bytes);
        assert_eq!(names.get(0).as_deref(), Some("imported"));
        assert_eq!(names.get(1).as_deref(), Some("plain"));
        assert_eq!(names.get(2).as_deref(), Some("core::panicking::panic"));
        assert_eq!(names.get(3), None);
        assert_eq!(names.get(u32::MAX), None);
    }

    #[test]
    fn damage_loses_names_and_nothing_else() {
        let bytes = wat::parse_str(MODULE).unwrap();
        for length in 0..bytes.len() {
            let names = function_names(&bytes[..length]);
            assert!(names.get(1).is_none_or(|name| name == "plain"));
        }
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0xff;
            let _ = function_names(&damaged).get(2);
        }
        assert!(function_names(b"").get(0).is_none());
    }
}
