//! Values that cross between host and guest, and the types of what modules import and export.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a value. Vectors and references exist, but do not cross to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// Any reference type.
    Ref,
}

impl ValueType {
    /// Whether its values cross between host and guest.
    #[inline]
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::I32 | Self::I64 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::Ref => "ref",
        })
    }
}

/// A function's signature; displayed as `(i32, i32) -> i32`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct FunctionType {
    /// What it takes.
    pub params: Vec<ValueType>,
    /// What it returns.
    pub results: Vec<ValueType>,
}

impl FunctionType {
    /// A signature from slices.
    #[must_use]
    pub fn new(params: &[ValueType], results: &[ValueType]) -> Self {
        Self { params: params.to_vec(), results: results.to_vec() }
    }
}

impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[ValueType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "({})", list(&self.params))?;
        match self.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            many => write!(f, " -> ({})", list(many)),
        }
    }
}

/// A value that crosses between host and guest. Floats are kept as bits, so that NaNs survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
}

impl Value {
    /// Its type.
    #[must_use]
    pub fn value_type(self) -> ValueType {
        match self {
            Self::I32(_) => ValueType::I32,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// Its bits, zero-extended.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        match self {
            Self::I32(value) => u64::from(value.cast_unsigned()),
            Self::I64(value) => value.cast_unsigned(),
            Self::F32(bits) => u64::from(bits),
            Self::F64(bits) => bits,
        }
    }

    /// The value of this type in the low bits. None for vectors and references.
    #[must_use]
    pub fn from_bits(value_type: ValueType, bits: u64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "32-bit values live in the low half")]
        let low = bits as u32;
        Some(match value_type {
            ValueType::I32 => Self::I32(low.cast_signed()),
            ValueType::I64 => Self::I64(bits.cast_signed()),
            ValueType::F32 => Self::F32(low),
            ValueType::F64 => Self::F64(bits),
            ValueType::V128 | ValueType::Ref => return None,
        })
    }

    /// Reads what a person typed for a parameter of this type: decimal or 0x integers (signed or unsigned), decimal floats.
    ///
    /// # Errors
    /// `InvalidInput` naming the text and the type, also for values that do not fit.
    pub fn parse(value_type: ValueType, text: &str) -> crate::Result<Self> {
        let wrong = |what: &str| crate::Error::new(crate::ErrorKind::InvalidInput, format!("'{text}' is not {what}"));
        match value_type {
            ValueType::I32 => parse_integer(text, 32)
                .and_then(|bits| Self::from_bits(ValueType::I32, bits))
                .ok_or_else(|| wrong("an i32 (such as 7, -7 or 0xff)")),
            ValueType::I64 => parse_integer(text, 64)
                .and_then(|bits| Self::from_bits(ValueType::I64, bits))
                .ok_or_else(|| wrong("an i64 (such as 7, -7 or 0xff)")),
            ValueType::F32 => {
                text.parse::<f32>().map(|value| Self::F32(value.to_bits())).map_err(|_| wrong("an f32 (such as 1.5)"))
            }
            ValueType::F64 => {
                text.parse::<f64>().map(|value| Self::F64(value.to_bits())).map_err(|_| wrong("an f64 (such as 1.5)"))
            }
            ValueType::V128 | ValueType::Ref => {
                Err(wrong(&format!("possible: a parameter of type {value_type} cannot be given as text")))
            }
        }
    }
}

/// Two's complement bits of a decimal or hexadecimal integer that fits `width` bits, signed or unsigned.
fn parse_integer(text: &str, width: u32) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    let limit = if negative { 1u64 << (width - 1) } else { u64::MAX >> (64 - width) };
    if magnitude > limit {
        return None;
    }
    let bits = if negative { magnitude.wrapping_neg() } else { magnitude };
    Some(bits & (u64::MAX >> (64 - width)))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(bits) => write!(f, "{}", f32::from_bits(*bits)),
            Self::F64(bits) => write!(f, "{}", f64::from_bits(*bits)),
        }
    }
}
