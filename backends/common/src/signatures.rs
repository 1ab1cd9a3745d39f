//! The signatures that WASI is made of, all of which return an i32: engines call functions of a type that is known at compile time several times
//! as fast as those that are described to them.

/// Hands the parameters of all these signatures to the macro of this name, as `(a: i32, b: i64) ...`. The types are
/// [`Integer`](crate::Integer)s.
#[macro_export]
macro_rules! wasi_signatures {
    ($with:ident) => {
        $with! {
            ()
            (a: i32)
            (a: i32, b: i32)
            (a: i32, b: i32, c: i32)
            (a: i32, b: i32, c: i32, d: i32)
            (a: i32, b: i32, c: i32, d: i32, e: i32)
            (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32)
            (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32)
            (a: i32, b: i64)
            (a: i32, b: i64, c: i32)
            (a: i32, b: i64, c: i64)
            (a: i32, b: i64, c: i32, d: i32)
            (a: i32, b: i64, c: i64, d: i32)
            (a: i32, b: i32, c: i32, d: i64, e: i32)
            (a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32)
            (a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32)
        }
    };
}
