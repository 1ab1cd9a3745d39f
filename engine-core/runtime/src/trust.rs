//! Whom this machine trusts to vouch for servers: read while a worker may still open files, and only for a guest that can use it.

use std::path::PathBuf;
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
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    // The file holds what the directory beside it does, which takes hundreds of files to read.
    let file: Option<PathBuf> = openssl_probe::probe().cert_file.filter(|_| !named);
    let found = match file {
        Some(file) => rustls_native_certs::load_certs_from_paths(Some(&file), None),
        None => rustls_native_certs::load_native_certs(),
    };
    found.certs.into_iter().map(|certificate| certificate.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmrt_model::RunSpec;
    use wasmrt_model::module::ComponentInfo;

    #[test]
    fn nothing_is_read_for_who_cannot_use_it() {
        let importing = |name: &str| ModuleInfo {
            component: Some(ComponentInfo { imports: vec![name.to_owned()], ..ComponentInfo::default() }),
            ..ModuleInfo::default()
        };
        let policy =
            |rule: &str| RunSpec::from_json(&format!(r#"{{"network": {{"allow": [{rule:?}]}}}}"#)).unwrap().network;
        let requests = importing("wasi:http/outgoing-handler@0.2.0");
        for (network, info) in [
            (NetworkPolicy::default(), &requests),
            (policy("listen=127.0.0.1:80"), &requests),
            (policy("connect=127.0.0.1:443/udp"), &requests),
            (policy("connect=*"), &importing("wasi:sockets/tcp@0.2.0")),
            (policy("connect=*"), &ModuleInfo::default()),
        ] {
            assert!(of_machine(&network, info).is_empty());
        }
    }
}
