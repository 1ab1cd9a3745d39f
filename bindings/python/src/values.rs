//! Values between Python and guests. Integers may be given signed or unsigned and come back signed; floats keep their bits as far as Python does.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use pyo3::{Borrowed, IntoPyObjectExt};
use wasmrt_runtime::model::{FunctionType, Value, ValueType};

/// Arguments that fit need no allocation.
const ON_STACK: usize = 8;

/// Arguments of one call.
#[derive(Debug)]
pub(crate) enum Arguments {
    Few([Value; ON_STACK], usize),
    Many(Vec<Value>),
}

impl Arguments {
    /// Those of a tuple, from `skip` on, as a function of this signature takes them.
    pub(crate) fn read(args: &Bound<'_, PyTuple>, skip: usize, name: &str, signature: &FunctionType) -> PyResult<Self> {
        let given = args.len().saturating_sub(skip);
        let params = &signature.params;
        if given != params.len() {
            return Err(PyTypeError::new_err(format!("'{name}' is {signature} and was given {given} arguments")));
        }
        let value = |index: usize, wanted: ValueType| -> PyResult<Value> {
            let arg = args.get_borrowed_item(index + skip)?;
            value_of(arg, wanted)
                .map_err(|error| named(args.py(), &error, &format!("argument {} of '{name}' {signature}", index + 1)))
        };
        if given <= ON_STACK {
            let mut values = [Value::I32(0); ON_STACK];
            for (index, (place, wanted)) in values.iter_mut().zip(params).enumerate() {
                *place = value(index, *wanted)?;
            }
            return Ok(Self::Few(values, given));
        }
        params.iter().enumerate().map(|(index, wanted)| value(index, *wanted)).collect::<PyResult<_>>().map(Self::Many)
    }

    pub(crate) fn as_slice(&self) -> &[Value] {
        match self {
            Self::Few(values, count) => values.get(..*count).unwrap_or_default(),
            Self::Many(values) => values,
        }
    }
}

/// A Python object as a value of this type.
fn value_of(object: Borrowed<'_, '_, PyAny>, wanted: ValueType) -> PyResult<Value> {
    match wanted {
        ValueType::I32 => {
            let number: i64 = object.extract()?;
            i32::try_from(number)
                .or_else(|_| u32::try_from(number).map(u32::cast_signed))
                .map(Value::I32)
                .map_err(|_| PyOverflowError::new_err(format!("{number} does not fit an i32")))
        }
        ValueType::I64 => match object.extract::<i64>() {
            Ok(number) => Ok(Value::I64(number)),
            Err(error) => object.extract::<u64>().map(|number| Value::I64(number.cast_signed())).map_err(|_| error),
        },
        ValueType::F32 => {
            let number: f64 = object.extract()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "an f32 is what the guest wants; the nearest one it gets"
            )]
            let nearest = number as f32;
            Ok(Value::F32(nearest.to_bits()))
        }
        ValueType::F64 => object.extract::<f64>().map(|number| Value::F64(number.to_bits())),
        other => Err(PyTypeError::new_err(format!("a {other} does not cross between guest and host"))),
    }
}

/// A value as a Python object.
pub(crate) fn to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    match value {
        Value::I32(number) => number.into_bound_py_any(py),
        Value::I64(number) => number.into_bound_py_any(py),
        Value::F32(bits) => f64::from(f32::from_bits(bits)).into_bound_py_any(py),
        Value::F64(bits) => f64::from_bits(bits).into_bound_py_any(py),
    }
}

/// Results as Python has them: None, one value, or a tuple.
pub(crate) fn results(py: Python<'_>, values: &[Value]) -> PyResult<Py<PyAny>> {
    match values {
        [] => Ok(py.None()),
        [one] => to_python(py, *one).map(Bound::unbind),
        many => {
            let objects = many.iter().map(|value| to_python(py, *value)).collect::<PyResult<Vec<_>>>()?;
            Ok(PyTuple::new(py, objects)?.into_any().unbind())
        }
    }
}

/// What a host function returned, as values of its signature.
pub(crate) fn returned(object: &Bound<'_, PyAny>, name: &str, signature: &FunctionType) -> PyResult<Vec<Value>> {
    let wrong =
        |what: String| PyTypeError::new_err(format!("the host function {name} is {signature} and returned {what}"));
    let one = |object: Borrowed<'_, '_, PyAny>, wanted: ValueType| {
        value_of(object, wanted)
            .map_err(|error| named(object.py(), &error, &format!("the result of the host function {name} {signature}")))
    };
    match signature.results.as_slice() {
        [] if object.is_none() => Ok(Vec::new()),
        [] => Err(wrong(format!("a {}", object.get_type().name()?))),
        [wanted] => Ok(vec![one(object.as_borrowed(), *wanted)?]),
        many => {
            let objects: Vec<Bound<'_, PyAny>> = if let Ok(tuple) = object.cast::<PyTuple>() {
                tuple.iter().collect()
            } else if let Ok(list) = object.cast::<PyList>() {
                list.iter().collect()
            } else {
                return Err(wrong(format!("a {}", object.get_type().name()?)));
            };
            if objects.len() != many.len() {
                return Err(wrong(format!("{} values", objects.len())));
            }
            objects.iter().zip(many).map(|(object, wanted)| one(object.as_borrowed(), *wanted)).collect()
        }
    }
}

/// The same exception class, with what it is about before its text.
fn named(py: Python<'_>, error: &PyErr, what: &str) -> PyErr {
    let text = format!("{what}: {}", error.value(py));
    if error.is_instance_of::<PyOverflowError>(py) {
        PyOverflowError::new_err(text)
    } else {
        PyTypeError::new_err(text)
    }
}

/// A signature from the names of types.
pub(crate) fn signature(params: &[String], results: &[String]) -> Result<FunctionType, String> {
    let types = |names: &[String]| names.iter().map(|name| value_type(name)).collect::<Result<Vec<_>, _>>();
    Ok(FunctionType::new(&types(params)?, &types(results)?))
}

fn value_type(name: &str) -> Result<ValueType, String> {
    match name {
        "i32" => Ok(ValueType::I32),
        "i64" => Ok(ValueType::I64),
        "f32" => Ok(ValueType::F32),
        "f64" => Ok(ValueType::F64),
        other => Err(format!("'{other}' is none of the types i32, i64, f32 and f64")),
    }
}
