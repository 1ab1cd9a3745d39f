//! The Node package wasmrt.
