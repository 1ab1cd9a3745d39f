//! Sizes, counts and durations as docker and systemd users write them.
//!
//! Sizes: a number and b, k, m, g or t, all powers of 1024, in any case, with an optional `i` and `B` (`64m`, `64Mi`, `64MiB`, `1.5g`);
//! a bare number is bytes. Durations: numbers with ns, us, ms, s, m (or min), h, d, one after the other (`1.5s`, `500ms`, `1h30m`); a
//! bare number is seconds.

use crate::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

/// A number of things: table elements, open files, units of fuel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Count(pub u64);

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl Bytes {
    /// This many MiB.
    #[must_use]
    pub const fn mebi(count: u64) -> Self {
        Self(count << 20)
    }
}

const SIZE_FORM: &str = "a size such as 64m, 64Mi, 1.5g or a number of bytes";
const COUNT_FORM: &str = "a whole number, such as 1000000";
const SPAN_FORM: &str = "a duration such as 500ms, 1.5s, 2min, 1h30m or a number of seconds";

fn wrong(text: &str, form: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("'{text}' is not {form}"))
}

/// Splits `12.5rest` into (12, 500_000_000 billionths, "rest"). None without a leading digit.
fn split_decimal(text: &str) -> Option<(u64, u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    if whole.is_empty() {
        return None;
    }
    let whole = whole.parse().ok()?;
    let Some(fraction) = rest.strip_prefix('.') else { return Some((whole, 0, rest)) };
    let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    let (digits, rest) = fraction.split_at(end);
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let billionths: u64 = format!("{digits:0<9}").parse().ok()?;
    Some((whole, billionths, rest))
}

/// `whole.billionths * unit`, rounded down. None on overflow.
fn scale(whole: u64, billionths: u64, unit: u64) -> Option<u64> {
    let part = u128::from(billionths) * u128::from(unit) / 1_000_000_000;
    let total = u128::from(whole) * u128::from(unit) + part;
    u64::try_from(total).ok()
}

impl FromStr for Bytes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (whole, billionths, suffix) = split_decimal(text)?;
            let suffix = suffix.to_ascii_lowercase();
            let power = match suffix
                .strip_suffix('b')
                .map(|s| s.strip_suffix('i').unwrap_or(s))
                .unwrap_or_else(|| suffix.strip_suffix('i').unwrap_or(&suffix))
            {
                "" if suffix.is_empty() || suffix == "b" => 0,
                "k" => 10,
                "m" => 20,
                "g" => 30,
                "t" => 40,
                _ => return None,
            };
            if power == 0 && billionths != 0 {
                return None;
            }
            scale(whole, billionths, 1 << power).map(Self)
        };
        parse().ok_or_else(|| wrong(text, SIZE_FORM))
    }
}

impl FromStr for Count {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits: String = text.chars().filter(|c| *c != '_').collect();
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong(text, COUNT_FORM));
        }
        digits.parse().map(Self).map_err(|_| wrong(text, COUNT_FORM))
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut rest = text;
            let mut nanoseconds: u64 = 0;
            loop {
                let (whole, billionths, tail) = split_decimal(rest)?;
                let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
                let (unit, tail) = tail.split_at(end);
                let unit = match unit {
                    "ns" => 1,
                    "us" | "µs" => 1_000,
                    "ms" => 1_000_000,
                    "s" | "sec" => 1_000_000_000,
                    "" if tail.is_empty() && rest.len() == text.len() => 1_000_000_000,
                    "m" | "min" => 60_000_000_000,
                    "h" => 3_600_000_000_000,
                    "d" => 86_400_000_000_000,
                    _ => return None,
                };
                nanoseconds = nanoseconds.checked_add(scale(whole, billionths, unit)?)?;
                rest = tail.trim_start_matches(' ');
                if rest.is_empty() {
                    return Some(Self(Duration::from_nanos(nanoseconds)));
                }
            }
        };
        parse().ok_or_else(|| wrong(text, SPAN_FORM))
    }
}

/// The shortest form that reads back as the same number.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (power, suffix) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 != 0 && self.0.trailing_zeros() >= power {
                return write!(f, "{}{suffix}", self.0 >> power);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The shortest form that reads back as the same duration.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        for (unit, suffix) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
            if nanoseconds.is_multiple_of(unit) {
                return write!(f, "{}{suffix}", nanoseconds / unit);
            }
        }
        write!(f, "{nanoseconds}ns")
    }
}

macro_rules! serialized_as_text_or_number {
    ($type:ident, $name:literal, $form:ident, $schema_type:literal, $from_number:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($form)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$type, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$type, E> {
                        let from_number: fn(f64) -> Option<$type> = $from_number;
                        from_number(number).ok_or_else(|| E::custom(wrong(&number.to_string(), $form)))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": [$schema_type, "string"], "minimum": 0, "description": $form })
            }
        }
    };
}

serialized_as_text_or_number!(Bytes, "Bytes", SIZE_FORM, "integer", |_| None);
serialized_as_text_or_number!(Count, "Count", COUNT_FORM, "integer", |_| None);
serialized_as_text_or_number!(Span, "Span", SPAN_FORM, "number", |seconds| {
    Duration::try_from_secs_f64(seconds).ok().map(Span)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_docker_and_systemd_write_them() {
        let cases = [
            ("0", 0),
            ("123", 123),
            ("123b", 123),
            ("64k", 64 << 10),
            ("64K", 64 << 10),
            ("64m", 64 << 20),
            ("64Mi", 64 << 20),
            ("64MiB", 64 << 20),
            ("64mb", 64 << 20),
            ("1.5g", 3 << 29),
            ("2T", 2 << 40),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes), "{text}");
        }
    }

    #[test]
    fn wrong_sizes_are_quoted() {
        for text in
            ["", "m", "-1", "1.5", "64x", "64 m", "1..5m", "99999999999g", "0x10", "1e3", "64mm", "i", "64ib", "٣m"]
        {
            let error = text.parse::<Bytes>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }

    #[test]
    fn durations_read_as_systemd_writes_them() {
        let cases = [
            ("0", 0),
            ("2", 2_000_000_000),
            ("1.5", 1_500_000_000),
            ("1.5s", 1_500_000_000),
            ("500ms", 500_000_000),
            ("7us", 7_000),
            ("3ns", 3),
            ("2m", 120_000_000_000),
            ("2min", 120_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1min 30s", 90_000_000_000),
            ("1d", 86_400_000_000_000),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(text.parse::<Span>().unwrap(), Span(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1x", "1s2", "5 5", "1.5.5s", "999999999999d", "ms"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for number in [0, 1, 1023, 1024, 1025, 64 << 20, (64 << 20) + 1, 3 << 29, u64::MAX] {
            assert_eq!(Bytes(number).to_string().parse::<Bytes>().unwrap(), Bytes(number));
            assert_eq!(Count(number).to_string().parse::<Count>().unwrap(), Count(number));
            let span = Span(Duration::from_nanos(number));
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }

    #[test]
    fn json_takes_numbers_and_text() {
        assert_eq!(serde_json::from_str::<Bytes>("4096").unwrap(), Bytes(4096));
        assert_eq!(serde_json::from_str::<Bytes>("\"4k\"").unwrap(), Bytes(4096));
        assert_eq!(serde_json::from_str::<Span>("0.25").unwrap(), Span(Duration::from_millis(250)));
        assert!(serde_json::from_str::<Span>("-0.25").is_err());
        assert!(serde_json::from_str::<Bytes>("1.5").is_err());
        assert!(serde_json::from_str::<Bytes>("-1").is_err());
    }
}
