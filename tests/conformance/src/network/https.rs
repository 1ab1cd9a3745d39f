//! A server that has a certificate. It makes one for itself, and the authority that vouches for it puts its own into the case's directory:
//! whom a front-end trusts is the case's to say.

use super::conversation;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use serde::Deserialize;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Where the authority's own certificate is put, below the case's directory.
    pub authority: String,
    /// Whether its time is over.
    #[serde(default)]
    pub expired: bool,
}

/// One that is ready to take connections.
#[derive(Debug, Clone)]
pub(super) struct Server(Arc<ServerConfig>);

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> std::io::Error {
    std::io::Error::other(error)
}

impl Server {
    pub(super) fn new(certificate: &Certificate, root: &Path) -> std::io::Result<Self> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).map_err(failed)?;
        std::fs::write(root.join(&certificate.authority), authority.pem())?;
        let issuer = Issuer::new(params, key);
        let own_key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(certificate.names.clone()).map_err(failed)?;
        if certificate.expired {
            (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
        }
        let own = params.signed_by(&own_key, &issuer).map_err(failed)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivatePkcs8KeyDer::from(own_key.serialize_der()).into())
            .map_err(failed)?;
        Ok(Self(Arc::new(config)))
    }

    /// Answers one request: what it received of it. Who does not trust it goes away.
    pub(super) fn hold(&self, stream: TcpStream) -> Vec<u8> {
        let mut received = Vec::new();
        let _ended = self.answer(stream, &mut received);
        received
    }

    fn answer(&self, stream: TcpStream, received: &mut Vec<u8>) -> std::io::Result<()> {
        let connection = ServerConnection::new(Arc::clone(&self.0)).map_err(failed)?;
        let mut stream = StreamOwned::new(connection, stream);
        if let Some(response) = conversation::request(&mut stream, received)? {
            stream.write_all(&response)?;
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        Ok(())
    }
}
