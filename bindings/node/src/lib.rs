//! The native half of the Node package wasmrt: what JavaScript cannot do for itself. What users see is in `lib/`, beside this crate.
//!
//! Specs come in as JSON, outcomes and errors go out as JSON, bytes as buffers. There is no policy here. Unsafe code is what napi's macros generate.
#![cfg_attr(test, allow(dead_code, reason = "functions are registered with Node, which builds for tests leave out"))]
#![expect(unreachable_pub, reason = "napi's macros want what JavaScript reaches to be public")]
#![expect(missing_debug_implementations, reason = "only JavaScript sees these types")]

mod answer;
mod bridge;
mod embedder;
mod hub;
mod instance;
mod spec;
mod teardown;
mod ticket;
mod values;
mod work;
