//! What the harness needs of an engine: modules that are linked with each other, below any sandbox.

pub mod wasmedge;
pub mod wasmtime;

use crate::value::Value;

/// Instances of one engine that can import from each other. Instances are known by number.
pub trait World {
    /// Reads and checks a module, and does nothing with it.
    ///
    /// # Errors
    /// `Rejected`.
    fn check(&mut self, wasm: &[u8]) -> Result<(), Failure>;

    /// Instantiates a module. `offers` has the instance behind each module name that it imports from. `alias` is the name under
    /// which the instance itself will be offered.
    ///
    /// # Errors
    /// Any.
    fn instantiate(&mut self, wasm: &[u8], alias: Option<&str>, offers: &[(&str, usize)]) -> Result<usize, Failure>;

    /// Calls an export.
    ///
    /// # Errors
    /// Any but `Rejected` and `Unlinkable`.
    fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Result<Vec<Value>, Failure>;

    /// The value of an exported global.
    fn global(&mut self, instance: usize, export: &str) -> Option<Value>;

    /// Sets an exported global of type i64.
    fn set_global(&mut self, instance: usize, export: &str, value: i64) -> bool;

    /// Ends these instances and begins a world without any, which may remember what was compiled.
    ///
    /// # Errors
    /// When the engine cannot be had again.
    fn renew(&mut self) -> crate::Result<()>;

    /// Whether runaway recursion ends in something that the embedder survives.
    fn bounds_recursion(&self) -> bool;
}

/// Why something did not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The module is malformed, invalid, or uses what the engine does not have.
    Rejected(String),
    /// An import is missing or has another type.
    Unlinkable(String),
    /// A trap of this kind.
    Trap(String),
    /// The stack was used up.
    Exhausted,
    /// An exception was not caught.
    Exception,
    /// It is no ending that WebAssembly knows.
    Other(String),
}
