//! Values that cross between C and guests.

use crate::boundary::invalid;
use wasmrt_runtime::model::{Result, Value, ValueType};

/// The types of values. Vectors and references do not cross.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_value_type_t {
    /// 32-bit integer.
    WASMRT_I32 = 0,
    /// 64-bit integer.
    WASMRT_I64 = 1,
    /// 32-bit float.
    WASMRT_F32 = 2,
    /// 64-bit float.
    WASMRT_F64 = 3,
}

/// A value without its type.
#[repr(C)]
#[derive(Clone, Copy)]
pub union wasmrt_number_t {
    /// A 32-bit integer.
    pub i32: i32,
    /// A 64-bit integer.
    pub i64: i64,
    /// A 32-bit float.
    pub f32: f32,
    /// A 64-bit float.
    pub f64: f64,
    /// The bits of a 32-bit value.
    pub bits32: u32,
    /// The bits of a 64-bit value.
    pub bits64: u64,
}

/// A value: its type, which is a wasmrt_value_type_t, and what it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wasmrt_value_t {
    /// Which of the numbers it is.
    pub r#type: u32,
    /// The number.
    pub of: wasmrt_number_t,
}

impl std::fmt::Debug for wasmrt_number_t {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Which of them it is stands elsewhere.
        f.write_str("wasmrt_number_t")
    }
}

impl std::fmt::Debug for wasmrt_value_t {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("wasmrt_value_t").field(&self.to_model().ok()).finish()
    }
}

const I32: u32 = 0;
const I64: u32 = 1;
const F32: u32 = 2;
const F64: u32 = 3;

impl wasmrt_value_t {
    /// A zero of this type. The bits that a 32-bit value does not use are zero.
    pub(crate) fn zero(value_type: ValueType) -> Self {
        Self::from_bits(code_of(value_type), 0)
    }

    pub(crate) fn from_model(value: Value) -> Self {
        Self::from_bits(code_of(value.value_type()), value.to_bits())
    }

    fn from_bits(code: u32, bits64: u64) -> Self {
        Self { r#type: code, of: wasmrt_number_t { bits64 } }
    }

    pub(crate) fn to_model(self) -> Result<Value> {
        Ok(match self.r#type {
            // SAFETY: C has written a 32-bit number of this type, and any bits are one.
            I32 => Value::I32(unsafe { self.of.i32 }),
            // SAFETY: C has written a 64-bit number of this type, and any bits are one.
            I64 => Value::I64(unsafe { self.of.i64 }),
            // As bits, so that a NaN stays what it is.
            // SAFETY: as above.
            F32 => Value::F32(unsafe { self.of.bits32 }),
            // SAFETY: as above.
            F64 => Value::F64(unsafe { self.of.bits64 }),
            other => return Err(invalid(format!("{other} is not the type of a value"))),
        })
    }
}

/// The type that a number of C's means.
pub(crate) fn type_of(code: u32) -> Result<ValueType> {
    match code {
        I32 => Ok(ValueType::I32),
        I64 => Ok(ValueType::I64),
        F32 => Ok(ValueType::F32),
        F64 => Ok(ValueType::F64),
        other => Err(invalid(format!("{other} is not the type of a value"))),
    }
}

fn code_of(value_type: ValueType) -> u32 {
    match value_type {
        ValueType::I64 => I64,
        ValueType::F32 => F32,
        ValueType::F64 => F64,
        // Others never come this far: the runtime refuses what does not cross.
        _ => I32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let signalling = 0x7fa0_0001;
        for value in [
            Value::I32(i32::MIN),
            Value::I32(-1),
            Value::I64(i64::MIN),
            Value::F32(signalling),
            Value::F32(1.5f32.to_bits()),
            Value::F64(f64::NEG_INFINITY.to_bits()),
            Value::F64(0x7ff4_0000_0000_0001),
        ] {
            assert_eq!(wasmrt_value_t::from_model(value).to_model().unwrap(), value);
        }
        for value_type in [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64] {
            assert_eq!(type_of(wasmrt_value_t::zero(value_type).r#type).unwrap(), value_type);
        }
        assert!(type_of(4).is_err());
        assert!(wasmrt_value_t { r#type: 9, of: wasmrt_number_t { bits64: 0 } }.to_model().is_err());
    }

    #[test]
    fn the_codes_are_those_of_the_header() {
        use wasmrt_value_type_t::{WASMRT_F32, WASMRT_F64, WASMRT_I32, WASMRT_I64};
        assert_eq!([WASMRT_I32 as u32, WASMRT_I64 as u32, WASMRT_F32 as u32, WASMRT_F64 as u32], [I32, I64, F32, F64]);
    }
}
