//! What is wrong with a call of an export, found before the guest runs: the same words on every engine.

use wasmrt_model::{Error, ErrorKind, FunctionType, Result, Value, ValueType};

/// Refuses arguments that are not what the function takes.
///
/// # Errors
/// `InvalidInput` with both lists of types.
#[inline]
pub fn check_arguments(export: &str, params: &[ValueType], args: &[Value]) -> Result<()> {
    if params.iter().copied().eq(args.iter().map(|arg| arg.value_type())) {
        return Ok(());
    }
    Err(misfit(export, params, args))
}

/// The function takes or returns vectors or references.
#[must_use]
pub fn does_not_cross(export: &str) -> Error {
    invalid(format!("'{export}' takes or returns vectors or references, which do not cross to the host"))
}

/// The module has no function of this name.
#[must_use]
pub fn no_function(export: &str) -> Error {
    invalid(format!("the module exports no function '{export}'"))
}

#[cold]
fn misfit(export: &str, params: &[ValueType], args: &[Value]) -> Error {
    let given: Vec<_> = args.iter().map(|arg| arg.value_type()).collect();
    let (takes, given) = (FunctionType::new(params, &[]), FunctionType::new(&given, &[]));
    invalid(format!("'{export}' takes {takes} and was given {given}"))
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidInput, text).with_operation("call export")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_lists() {
        let params = [ValueType::I32, ValueType::F64];
        assert!(check_arguments("add", &params, &[Value::I32(1), Value::F64(0)]).is_ok());
        assert!(check_arguments("none", &[], &[]).is_ok());
        for args in [&[][..], &[Value::I32(1)], &[Value::F64(0), Value::I32(1)], &[Value::I32(1); 3]] {
            let error = check_arguments("add", &params, args).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().starts_with("'add' takes (i32, f64) and was given ("), "{error}");
        }
    }
}
