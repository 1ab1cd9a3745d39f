//! What a panic said. Catches none.

use std::any::Any;

/// The message of a panic that was caught: what `panic!` was given, or "no message" for a payload that is no text.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, panic_any};

    #[test]
    fn texts_of_both_kinds_are_found_and_others_have_none() {
        let number = 2;
        assert_eq!(panic_text(&*catch_unwind(|| panic!("plain")).unwrap_err()), "plain");
        assert_eq!(panic_text(&*catch_unwind(|| panic!("with a number {number}")).unwrap_err()), "with a number 2");
        assert_eq!(panic_text(&*catch_unwind(|| panic_any(number)).unwrap_err()), "no message");
    }
}
