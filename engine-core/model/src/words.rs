//! Words that are a front-end's own: how a reader asks for what a text proposes.
//!
//! Who refuses something does not know whether its reader types flags, passes keywords or writes annotations. So hints and refusals name a setting
//! as the spec does, in back quotes, alone or with a value (`` `aot` ``, `` `engine=wasmtime` ``), and a front-end with words of its own puts
//! them there. Where nobody does, the spec's are what is read.

use crate::Error;

/// The settings that texts name.
pub const SETTINGS: &[&str] = &[
    "address",
    "aot",
    "clock",
    "connect",
    "engine",
    "entry",
    "fuel",
    "listen",
    "request_timeout",
    "resolve",
    "run",
    "serve",
];

/// A front-end's word for a setting, with a value or without; None where it has none.
pub type Word = fn(setting: &str, value: Option<&str>) -> Option<String>;

/// How a front-end speaks where there is nobody to put its words in: under which name, and in which words.
#[derive(Debug, Clone, Copy)]
pub struct Voice {
    /// What its lines begin with.
    pub name: &'static str,
    /// What it calls settings.
    pub word: Word,
}

impl Voice {
    /// A text in its words.
    #[must_use]
    pub fn in_words(self, text: &str) -> String {
        in_words(text, self.word)
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self { name: "wasmrt", word: |_, _| None }
    }
}

/// A text with the front-end's words in place of settings.
#[must_use]
pub fn in_words(text: &str, word: Word) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, quoted)) = rest.split_once('`') {
        let Some((inside, after)) = quoted.split_once('`') else { break };
        said.push_str(before);
        let (setting, value) = match inside.split_once('=') {
            Some((setting, value)) => (setting, Some(value)),
            None => (inside, None),
        };
        match SETTINGS.contains(&setting).then(|| word(setting, value)).flatten() {
            Some(word) => said.push_str(&word),
            None => said.extend(["`", inside, "`"]),
        }
        rest = after;
    }
    said.push_str(rest);
    said
}

impl Error {
    /// As it displays itself, with its hint in a front-end's words.
    #[must_use]
    pub fn said(&self, word: Word) -> String {
        let text = self.to_string();
        match self.hint().and_then(|hint| Some((text.strip_suffix(hint)?, hint))) {
            Some((before, hint)) => format!("{before}{}", in_words(hint, word)),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn flags(setting: &str, value: Option<&str>) -> Option<String> {
        match (setting, value) {
            ("engine", Some(value)) => Some(format!("--engine {value}")),
            ("aot", None) => Some("--aot".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn settings_are_said_in_the_words_of_the_reader() {
        for (text, said) in [
            ("leave `aot` out, or take `engine=wasmedge`", "leave --aot out, or take --engine wasmedge"),
            ("`aot`", "--aot"),
            ("`listen=[::]:80` would", "`listen=[::]:80` would"),
            ("`other`, `aot", "`other`, `aot"),
            ("no words", "no words"),
            ("", ""),
            ("``", "``"),
        ] {
            assert_eq!(in_words(text, flags), said);
        }
        let error = Error::new(ErrorKind::Unsupported, "it has no `aot`").with_context("engine", "x");
        assert_eq!(error.said(flags), "it has no `aot` (engine x)");
        assert_eq!(error.with_hint("leave `aot` out").said(flags), "it has no `aot` (engine x); leave --aot out");
    }
}
