//! The Python package wasmrt.
