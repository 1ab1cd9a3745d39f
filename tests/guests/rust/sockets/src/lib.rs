//! What the guests with sockets of their own share. The sockets are those of the crate `wasmedge_wasi_socket`.
//!
//! It owns readiness, buffered connections, addresses and names. What is said over a connection is each program's own.

mod address;
mod connection;
mod imports;
mod listener;
mod readiness;

pub use address::{HostPort, resolve, setting};
pub use connection::{Connection, Progress, connect, start_connecting};
pub use imports::{local_address, receive_from};
pub use listener::Listener;
pub use readiness::{Interest, Ready, wait};

/// The error in words; the resolver's numbers, which nothing else knows, by name.
pub fn words(error: &std::io::Error) -> String {
    const FIRST: i32 = 77;
    const RESOLVER: [&str; 11] = [
        "no address of this family",
        "the name servers do not answer",
        "bad flags",
        "the name servers refuse",
        "unknown address family",
        "out of memory",
        "the name has no address",
        "the name is not known",
        "the service is not known",
        "unknown socket type",
        "the resolver failed",
    ];
    let index = error.raw_os_error().and_then(|number| usize::try_from(number - FIRST).ok());
    index.and_then(|index| RESOLVER.get(index)).map_or_else(|| error.to_string(), |words| (*words).to_owned())
}

/// Whether the sandbox refused this, rather than the network.
pub fn refused_by_sandbox(error: &std::io::Error) -> bool {
    const ACCES: i32 = 2;
    const PERM: i32 = 63;
    const NOTCAPABLE: i32 = 76;
    matches!(error.raw_os_error(), Some(ACCES | PERM | NOTCAPABLE))
}

/// The code that a program ends with for this error: 1 refused by the sandbox, 2 a name that is not known, 64 a setting that makes no sense,
/// 3 anything else.
pub fn exit_code(error: &std::io::Error) -> u8 {
    use std::io::ErrorKind;
    match (error.kind(), error.raw_os_error()) {
        _ if refused_by_sandbox(error) => 1,
        (ErrorKind::NotFound, None) => 2,
        (ErrorKind::InvalidInput, None) => 64,
        _ => 3,
    }
}
