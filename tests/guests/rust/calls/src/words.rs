//! The words of a script: numbers, flags, strings with escapes, and descriptors by name.

use crate::abi::Flags;
use std::collections::HashMap;

/// Why a line makes no sense; the script stops there.
pub type Complaint = String;

/// The words of one line after its verb, taken one after the other.
pub struct Words<'a> {
    rest: std::collections::VecDeque<&'a str>,
    names: &'a HashMap<String, i32>,
}

impl<'a> Words<'a> {
    /// The words of this text.
    pub fn new(text: &'a str, names: &'a HashMap<String, i32>) -> Self {
        Self { rest: text.split_whitespace().collect(), names }
    }

    /// The names that words may refer to.
    #[allow(dead_code, reason = "not every script nests words")]
    pub fn names(&self) -> &'a HashMap<String, i32> {
        self.names
    }

    /// The next word.
    pub fn word(&mut self) -> Result<&'a str, Complaint> {
        self.rest.pop_front().ok_or_else(|| "a word is missing".to_owned())
    }

    /// The next word, if there is one.
    pub fn optional(&mut self) -> Option<&'a str> {
        self.rest.pop_front()
    }

    /// Whether this word stands next; it is taken then.
    pub fn flag(&mut self, word: &str) -> bool {
        let found = self.rest.front() == Some(&word);
        if found {
            self.rest.pop_front();
        }
        found
    }

    /// A descriptor: a number, or `$name` of one that was opened before.
    pub fn fd(&mut self) -> Result<i32, Complaint> {
        let word = self.word()?;
        match word.strip_prefix('$') {
            Some(name) => self.names.get(name).copied().ok_or_else(|| format!("nothing is called {name}")),
            None => Ok(integer(word)? as i32),
        }
    }

    /// An integer, of which the caller takes as many bits as it needs; or `$name`, as for a descriptor.
    pub fn number(&mut self) -> Result<i64, Complaint> {
        if self.rest.front().is_some_and(|word| word.starts_with('$')) {
            return self.fd().map(i64::from);
        }
        integer(self.word()?)
    }

    /// An integer, or this one when the line has ended.
    pub fn number_or(&mut self, default: i64) -> Result<i64, Complaint> {
        self.optional().map_or(Ok(default), integer)
    }

    /// Flags, separated by commas; `-` for none; a number as it is.
    pub fn flags(&mut self, known: Flags) -> Result<u64, Complaint> {
        let word = self.word()?;
        word.split(',').filter(|part| *part != "-").try_fold(0, |bits, part| {
            match known.iter().find(|(name, _)| *name == part) {
                Some((_, bit)) => Ok(bits | bit),
                None => integer(part).map(|number| bits | number as u64).map_err(|_| format!("'{part}' is not a flag")),
            }
        })
    }

    /// A string: `""` when empty, `%XX` for a byte, `N*TEXT` for repetition.
    pub fn string(&mut self) -> Result<Vec<u8>, Complaint> {
        string(self.word()?)
    }

    /// Complains about words that nobody took.
    pub fn finish(&self) -> Result<(), Complaint> {
        self.rest.front().map_or(Ok(()), |word| Err(format!("'{word}' is one word too many")))
    }
}

fn string(word: &str) -> Result<Vec<u8>, Complaint> {
    if word == "\"\"" {
        return Ok(Vec::new());
    }
    if let Some((count, text)) = word.split_once('*') {
        if let Ok(count) = count.parse::<usize>() {
            return Ok(string(text)?.repeat(count));
        }
    }
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        match digits {
            [Some(high), Some(low)] => bytes.push((high * 16 + low) as u8),
            _ => return Err(format!("'{word}': % takes two hexadecimal digits")),
        }
    }
    Ok(bytes)
}

/// A decimal or hexadecimal integer of up to 64 bits, with k, m, g or t for powers of 1024.
pub fn integer(word: &str) -> Result<i64, Complaint> {
    let wrong = || format!("'{word}' is not a number");
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |digits| (true, digits));
    let magnitude = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).map_err(|_| wrong())?,
        None => {
            let (digits, shift) = match digits.chars().last() {
                Some('k') => (&digits[..digits.len() - 1], 10),
                Some('m') => (&digits[..digits.len() - 1], 20),
                Some('g') => (&digits[..digits.len() - 1], 30),
                Some('t') => (&digits[..digits.len() - 1], 40),
                _ => (digits, 0),
            };
            digits.parse::<u64>().map_err(|_| wrong())? << shift
        }
    };
    let value = magnitude as i64;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// Bytes as a script writes them: printable characters as they are, everything else as `%XX`.
pub fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "\"\"".to_owned();
    }
    bytes.iter().fold(String::new(), |text, byte| match byte {
        b'!'..=b'~' if *byte != b'%' => text + std::str::from_utf8(&[*byte]).unwrap_or("?"),
        _ => text + &format!("%{byte:02x}"),
    })
}
