//! The extension module behind the Python package `wasmrt`: what Python cannot do by itself, and nothing that it can.
//!
//! Specs arrive as JSON and outcomes leave as JSON, so that every field crosses; the words of the package, its defaults and its types are Python
//! (`wasmrt/`). Here are handles, calls, host functions and memory. Python's lock is given up wherever something may take time.

mod channel;
mod errors;
mod fork;
mod functions;
mod imports;
mod instance;
mod interrupt;
mod memory;
mod module;
mod run;
mod runtime;
mod values;

use pyo3::prelude::*;

#[pymodule]
fn _wasmrt(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<channel::Channel>()?;
    module.add_class::<functions::Function>()?;
    module.add_class::<instance::CancelHandle>()?;
    module.add_class::<instance::Instance>()?;
    module.add_class::<memory::Caller>()?;
    module.add_class::<memory::Memory>()?;
    module.add_class::<module::Module>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<runtime::Runtime>()?;
    module.add_function(wrap_pyfunction!(fork::after_fork_in_child, module)?)?;
    module.add_function(wrap_pyfunction!(runtime::check_word, module)?)?;
    module.add_function(wrap_pyfunction!(runtime::find_worker, module)?)
}
