//! Panics, three named functions deep, after a line of output.

#[inline(never)]
fn innermost(value: &str) -> u32 {
    println!("about to panic");
    value.parse().expect("the argument is a number")
}

#[inline(never)]
fn middle(value: &str) -> u32 {
    std::hint::black_box(innermost(value)) + 1
}

fn main() {
    let value = std::env::args().nth(1).unwrap_or_else(|| "not a number".to_owned());
    println!("{}", middle(&value));
}
