//! Carries out a script of WASI calls against `wasi_unstable`. Its own start-up and output still use preview1: a host offers both.

#[path = "abi.rs"]
mod abi;
#[path = "imports.rs"]
#[macro_use]
mod imports;
#[path = "script.rs"]
mod script;
#[path = "words.rs"]
mod words;

wasi_imports!("wasi_unstable");

/// Which edition of the interface this program speaks.
const EDITION: abi::Edition = abi::Edition::Unstable;

fn main() {
    script::main();
}
