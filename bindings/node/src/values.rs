//! Values between JavaScript and guests: 32-bit integers and floats are numbers, 64-bit integers are BigInt. Nothing is rounded or wrapped
//! silently, but that a number becomes the nearest f32, as it has to.

use napi::bindgen_prelude::{BigInt, Either, Either3, Either5, FnArgs, JsValuesTupleIntoVec, Unknown, i64n};
use wasmrt_runtime::model::{Error, ErrorKind, Result, Value, ValueType};

/// A value on its way to JavaScript.
pub(crate) type OutgoingValue = Either3<i32, f64, i64n>;
/// What a guest's function returned: nothing, one value, or a list.
pub(crate) type Outgoing = Either5<(), i32, f64, i64n, Vec<OutgoingValue>>;
/// A value on its way from JavaScript.
pub(crate) type Incoming = Either<f64, BigInt>;
/// What a host function returned.
pub(crate) type HostReturned = Either5<f64, BigInt, (), Vec<Incoming>, Unknown<'static>>;

pub(crate) fn to_js(value: Value) -> OutgoingValue {
    match value {
        Value::I32(value) => Either3::A(value),
        Value::I64(value) => Either3::C(i64n(value)),
        Value::F32(bits) => Either3::B(f64::from(f32::from_bits(bits))),
        Value::F64(bits) => Either3::B(f64::from_bits(bits)),
    }
}

pub(crate) fn returned(values: &[Value]) -> Outgoing {
    match values {
        [] => Either5::A(()),
        [one] => match to_js(*one) {
            Either3::A(value) => Either5::B(value),
            Either3::B(value) => Either5::C(value),
            Either3::C(value) => Either5::D(value),
        },
        many => Either5::E(many.iter().copied().map(to_js).collect()),
    }
}

/// A number as a value of this type.
pub(crate) fn from_number(value_type: ValueType, number: f64) -> Option<Value> {
    match value_type {
        // Signed or unsigned, as guests see no difference.
        ValueType::I32 => {
            #[expect(clippy::cast_possible_truncation, reason = "what does not fit is seen below")]
            let (signed, unsigned) = (number as i32, number as i64);
            if f64::from(signed) == number {
                Some(Value::I32(signed))
            } else {
                let unsigned = u32::try_from(unsigned).ok().filter(|unsigned| f64::from(*unsigned) == number);
                unsigned.map(|unsigned| Value::I32(unsigned.cast_signed()))
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is what is meant")]
        ValueType::F32 => Some(Value::F32((number as f32).to_bits())),
        ValueType::F64 => Some(Value::F64(number.to_bits())),
        _ => None,
    }
}

/// A BigInt as a value of this type.
pub(crate) fn from_big(value_type: ValueType, big: &BigInt) -> Option<Value> {
    let (signed, is_signed) = big.get_i64();
    let (negative, unsigned, is_unsigned) = big.get_u64();
    match value_type {
        ValueType::I64 if is_signed => Some(Value::I64(signed)),
        ValueType::I64 if is_unsigned && !negative => Some(Value::I64(unsigned.cast_signed())),
        _ => None,
    }
}

fn from_incoming(value_type: ValueType, incoming: &Incoming) -> Option<Value> {
    match incoming {
        Either::A(number) => from_number(value_type, *number),
        Either::B(big) => from_big(value_type, big),
    }
}

/// What a value of this type has to be in JavaScript.
pub(crate) fn wanted(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::I32 => "a whole number of 32 bits",
        ValueType::I64 => "a BigInt of 64 bits",
        _ => "a number",
    }
}

/// Values of these types.
pub(crate) fn all(types: &[ValueType], incoming: &[Incoming], what: &str) -> Result<Vec<Value>> {
    if types.len() != incoming.len() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{what}: {} values instead of {}", incoming.len(), types.len()),
        ));
    }
    let value = |(index, (value_type, incoming)): (usize, (&ValueType, &Incoming))| {
        from_incoming(*value_type, incoming).ok_or_else(|| {
            let message = format!("{what}: value {} is {value_type}: {} is wanted", index + 1, wanted(*value_type));
            Error::new(ErrorKind::InvalidInput, message)
        })
    };
    types.iter().zip(incoming).enumerate().map(value).collect()
}

/// What a host function returned, as values of these types.
pub(crate) fn of_host(types: &[ValueType], returned: HostReturned, name: &str) -> Result<Vec<Value>> {
    let what = || format!("what the host function {name} returned");
    match (types, returned) {
        ([], _) => Ok(Vec::new()),
        ([_], Either5::A(number)) => all(types, &[Either::A(number)], &what()),
        ([_], Either5::B(big)) => all(types, &[Either::B(big)], &what()),
        (_, Either5::D(many)) => all(types, &many, &what()),
        ([one], _) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{}: {one} is {} in JavaScript, and this is something else", what(), wanted(*one)),
        )),
        _ => {
            Err(Error::new(ErrorKind::InvalidInput, format!("{}: a list of {} values is wanted", what(), types.len())))
        }
    }
}

/// The arguments of the JavaScript function that calls host functions: whose, which one, and the guest's arguments.
pub(crate) struct HostArgs {
    pub(crate) instance: f64,
    pub(crate) index: u32,
    pub(crate) values: Vec<Value>,
}

impl JsValuesTupleIntoVec for HostArgs {
    fn into_vec(self, env: napi::sys::napi_env) -> napi::Result<Vec<napi::sys::napi_value>> {
        let mut all = FnArgs::from((self.instance, self.index)).into_vec(env)?;
        for value in self.values {
            all.append(&mut to_js(value).into_vec(env)?);
        }
        Ok(all)
    }
}
