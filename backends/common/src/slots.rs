//! Room for the values of one call.

/// Parameters and results that fit need no allocation per call. WASI's longest signature has nine parameters.
const ON_STACK: usize = 16;

/// Lends out this many zeroed slots, on the stack if they fit.
#[inline]
pub fn with_slots<R>(count: usize, use_slots: impl FnOnce(&mut [u64]) -> R) -> R {
    let mut on_stack = [0; ON_STACK];
    match on_stack.get_mut(..count) {
        Some(slots) => use_slots(slots),
        None => use_slots(&mut vec![0; count]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_asked_for_and_all_are_zero() {
        for count in [0, 1, ON_STACK, ON_STACK + 1, 1000] {
            assert_eq!(with_slots(count, |slots| slots.to_vec()), vec![0; count]);
        }
    }
}
