//! libwasmrt: the C interface. It translates, and decides nothing: what C programs say becomes a `RunSpec`, and an `Outcome` becomes
//! accessors. Its header is include/wasmrt.h, made of these sources.
//!
//! - [`boundary`]: what crosses in both directions: pointers, texts, errors; panics end there.
//! - [`error`], [`version`], [`runtime`], [`module`], [`spec`], [`streams`], [`run`] with [`published`], [`outcome`]: one handle each.
//! - [`value`], [`imports`], [`instance`]: guests in the caller's process.
//!
//! Handles arrive as references that may be missing, which is how C's pointers look from here; texts and errors as types of
//! [`boundary`] that only C can make. So unsafe code is left where memory without a type is read or written.
#![allow(unsafe_code, reason = "what C hands over is read here, and nowhere else")]
#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(private_interfaces, reason = "what C sees of a type is its name")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod boundary;
pub mod error;
pub mod imports;
pub mod instance;
pub mod module;
pub mod outcome;
pub mod published;
pub mod run;
pub mod runtime;
pub mod spec;
pub mod streams;
pub mod value;
pub mod version;
