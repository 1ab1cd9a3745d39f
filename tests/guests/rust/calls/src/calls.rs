//! Carries out a script of WASI calls against `wasi_snapshot_preview1`.

#[path = "abi.rs"]
mod abi;
#[path = "imports.rs"]
#[macro_use]
mod imports;
#[path = "script.rs"]
mod script;
#[path = "words.rs"]
mod words;

wasi_imports!("wasi_snapshot_preview1");

/// Which edition of the interface this program speaks.
const EDITION: abi::Edition = abi::Edition::Preview1;

fn main() {
    script::main();
}
