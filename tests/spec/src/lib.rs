//! The WebAssembly specification suite, through the guard, on every engine.
