//! Whom this machine trusts to vouch for servers: read while a worker may still open files, and only for a guest that can use it.

use wasmrt_model::network::Protocol;
use wasmrt_model::{ModuleInfo, NetworkPolicy};

/// The interface over which a guest asks for connections that need it.
const REQUESTS: &str = "wasi:http/outgoing-handler@";

/// The certificates of the machine's store, in DER, or of `SSL_CERT_FILE` and `SSL_CERT_DIR` where these say so; none for a guest that sends no
/// requests, or may reach nobody. What cannot be read is not trusted.
pub(crate) fn of_machine(network: &NetworkPolicy, info: &ModuleInfo) -> Vec<Vec<u8>> {
    let requests = info
        .component
        .as_ref()
        .is_some_and(|component| component.imports.iter().any(|import| import.starts_with(REQUESTS)));
    if !requests || !network.connects_anywhere(Protocol::Tcp) {
        return Vec::new();
    }
    rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect()
}
