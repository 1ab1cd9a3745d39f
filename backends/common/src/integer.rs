//! The types that engines pass in a register, and their bits in the host's slots.

use wasmrt_model::{Value, ValueType};

/// An integer as guest code has it: what a function's type has to be known for at compile time, to be called without boxing values.
pub trait Integer: Copy + Default + 'static {
    /// Its name.
    const TYPE: ValueType;

    /// Its bits, zero-extended.
    fn bits(self) -> u64;

    /// The integer in the low bits.
    fn from_bits(bits: u64) -> Self;

    /// It as a value.
    fn value(self) -> Value;

    /// The integer in a value of this type.
    fn of(value: Value) -> Option<Self>;
}

impl Integer for i32 {
    const TYPE: ValueType = ValueType::I32;

    #[inline]
    fn bits(self) -> u64 {
        u64::from(self.cast_unsigned())
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "32-bit values live in the low half")]
        let low = bits as u32;
        low.cast_signed()
    }

    #[inline]
    fn value(self) -> Value {
        Value::I32(self)
    }

    #[inline]
    fn of(value: Value) -> Option<Self> {
        if let Value::I32(value) = value { Some(value) } else { None }
    }
}

impl Integer for i64 {
    const TYPE: ValueType = ValueType::I64;

    #[inline]
    fn bits(self) -> u64 {
        self.cast_unsigned()
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        bits.cast_signed()
    }

    #[inline]
    fn value(self) -> Value {
        Value::I64(self)
    }

    #[inline]
    fn of(value: Value) -> Option<Self> {
        if let Value::I64(value) = value { Some(value) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_values() {
        for number in [0, 1, -1, i32::MIN, i32::MAX] {
            assert_eq!(number.bits(), Value::I32(number).to_bits());
            assert_eq!(i32::from_bits(number.bits() | 0xffff_ffff_0000_0000), number);
            assert_eq!((number.value(), i32::of(Value::I32(number))), (Value::I32(number), Some(number)));
            let long = i64::from(number) << 8;
            assert_eq!(long.bits(), Value::I64(long).to_bits());
            assert_eq!(i64::from_bits(long.bits()), long);
            assert_eq!((long.value(), i64::of(Value::I64(long))), (Value::I64(long), Some(long)));
            assert_eq!((i32::of(Value::I64(long)), i64::of(Value::I32(number))), (None, None));
        }
    }
}
